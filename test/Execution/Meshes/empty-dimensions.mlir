// Shardings may name axes for dimensions without elements, as JAX prints them
// for empty arrays: every device has nothing of these. (Found by zoo.py.)
// RUN: shoal-run %s
// RUN: env SHOAL_TEST_FORMS=1 SHOAL_TEST_POISON=1 shoal-run %s
// RUN: env SHOAL_TEST_FORMS=2 SHOAL_TEST_POISON=1 shoal-run %s
// RUN: shoal-run %s --single-device
sdy.mesh @mesh = <["a"=2, "b"=2]>

func.func @main() -> (tensor<0x4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"b"}, {"a"}]>},
                      tensor<3x0xi32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}, {"b"}]>}) {
  %c = stablehlo.constant dense<> : tensor<0x4xf32>
  %empty = sdy.sharding_constraint %c <@mesh, [{"a"}, {"b"}]> : tensor<0x4xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %two = stablehlo.constant dense<2.0> : tensor<f32>

  %sum = stablehlo.reduce(%empty init: %two) applies stablehlo.add across dimensions = [0] : (tensor<0x4xf32>, tensor<f32>) -> tensor<4xf32>
  check.expect_eq_const %sum, dense<2.0> : tensor<4xf32>

  %more = stablehlo.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
  %joined = stablehlo.concatenate %empty, %more, %empty, dim = 0 : (tensor<0x4xf32>, tensor<2x4xf32>, tensor<0x4xf32>) -> tensor<2x4xf32>
  %placed = sdy.sharding_constraint %joined <@mesh, [{"b"}, {"a"}]> : tensor<2x4xf32>
  check.expect_eq %placed, %more : tensor<2x4xf32>

  %other = sdy.sharding_constraint %empty <@mesh, [{"b", "a"}, {}]> : tensor<0x4xf32>
  %product = stablehlo.dot_general %empty, %other, contracting_dims = [0] x [0] : (tensor<0x4xf32>, tensor<0x4xf32>) -> tensor<4x4xf32>
  check.expect_eq_const %product, dense<0.0> : tensor<4x4xf32>

  %padded = stablehlo.pad %other, %two, low = [2, 0], high = [1, 0], interior = [3, 0] : (tensor<0x4xf32>, tensor<f32>) -> tensor<3x4xf32>
  check.expect_eq_const %padded, dense<2.0> : tensor<3x4xf32>

  %t = stablehlo.transpose %empty, dims = [1, 0] : (tensor<0x4xf32>) -> tensor<4x0xf32>
  %r = stablehlo.reshape %t : (tensor<4x0xf32>) -> tensor<0x5x2xf32>
  %cut = sdy.sharding_constraint %r <@mesh, [{"a"}, {"b"}, {}]> : tensor<0x5x2xf32>
  %most = stablehlo.reduce(%cut init: %zero) applies stablehlo.maximum across dimensions = [0, 2] : (tensor<0x5x2xf32>, tensor<f32>) -> tensor<5xf32>
  check.expect_eq_const %most, dense<0.0> : tensor<5xf32>

  %i = stablehlo.iota dim = 0 : tensor<3x0xi32>
  %j = sdy.sharding_constraint %i <@mesh, [{}, {"a", "b"}]> : tensor<3x0xi32>
  %sorted = "stablehlo.sort"(%j) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %less = stablehlo.compare LT, %x, %y : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %less : tensor<i1>
  }) : (tensor<3x0xi32>) -> tensor<3x0xi32>
  return %empty, %sorted : tensor<0x4xf32>, tensor<3x0xi32>
}
