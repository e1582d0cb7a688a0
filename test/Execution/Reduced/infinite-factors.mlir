// Sums and extremes that are not combined yet when something infinite comes in:
// parts multiplied by infinity, or by 0 on the devices that hold none of a
// gathered row; the root of a part's largest element, which may be negative
// where the whole's is not; -inf, which parts without elements hold, plus inf.
// RUN: shoal-run %s
// RUN: env SHOAL_TEST_FORMS=2 shoal-run %s
// RUN: env SHOAL_TEST_FORMS=3 shoal-run %s
// RUN: env SHOAL_TEST_FORMS=7 shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=4]>
  func.func @main() {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %inf = stablehlo.constant dense<0x7F800000> : tensor<f32>
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %w = stablehlo.constant dense<[1.0, 0x7F800000]> : tensor<2xf32>

    // Rows of a cut table, weighted and summed up.
    %t0 = stablehlo.iota dim = 0 : tensor<8x2xf32>
    %one = stablehlo.constant dense<1.0> : tensor<8x2xf32>
    %t1 = stablehlo.add %t0, %one : tensor<8x2xf32>
    %t = sdy.sharding_constraint %t1 <@mesh, [{"a"}, {}]> : tensor<8x2xf32>
    %i = stablehlo.constant dense<[[1], [6], [3]]> : tensor<3x1xi32>
    %rows = "stablehlo.gather"(%t, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 2>}> : (tensor<8x2xf32>, tensor<3x1xi32>) -> tensor<3x2xf32>
    %ws = stablehlo.broadcast_in_dim %w, dims = [1] : (tensor<2xf32>) -> tensor<3x2xf32>
    %weighted = stablehlo.multiply %rows, %ws : tensor<3x2xf32>
    %r0 = stablehlo.reduce(%weighted init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<3x2xf32>, tensor<f32>) -> tensor<3xf32>
    check.expect_eq_const %r0, dense<0x7F800000> : tensor<3xf32>

    // A sum of 1, 1, 1, -1, times infinity; and divided by zero.
    %x0 = stablehlo.constant dense<[[1.0, 1.0, 1.0, -1.0], [2.0, 0.0, 2.0, -1.0]]> : tensor<2x4xf32>
    %x = sdy.sharding_constraint %x0 <@mesh, [{}, {"a"}]> : tensor<2x4xf32>
    %y0 = stablehlo.constant dense<1.0> : tensor<4x2xf32>
    %y = sdy.sharding_constraint %y0 <@mesh, [{"a"}, {}]> : tensor<4x2xf32>
    %p = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
    %column = stablehlo.reshape %w : (tensor<2xf32>) -> tensor<2x1xf32>
    %r1 = stablehlo.dot_general %p, %column, contracting_dims = [1] x [0] : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x1xf32>
    check.expect_eq_const %r1, dense<0x7F800000> : tensor<2x1xf32>
    %zeros0 = stablehlo.constant dense<0.0> : tensor<2x2xf32>
    %zeros = stablehlo.optimization_barrier %zeros0 : tensor<2x2xf32>
    %quotient = stablehlo.divide %p, %zeros : tensor<2x2xf32>
    %r2 = stablehlo.reduce(%quotient init: %zero) applies stablehlo.add across dimensions = [0, 1] : (tensor<2x2xf32>, tensor<f32>) -> tensor<f32>
    check.expect_eq_const %r2, dense<0x7F800000> : tensor<f32>

    // The largest of five rows in four parts.
    %z0 = stablehlo.constant dense<[[-1.0, -1.0], [4.0, 1.0], [-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]]> : tensor<5x2xf32>
    %z = sdy.sharding_constraint %z0 <@mesh, [{"a"}, {}]> : tensor<5x2xf32>
    %m = stablehlo.reduce(%z init: %ninf) applies stablehlo.maximum across dimensions = [0] : (tensor<5x2xf32>, tensor<f32>) -> tensor<2xf32>
    %root = stablehlo.sqrt %m : tensor<2xf32>
    %r3 = stablehlo.reduce(%root init: %ninf) applies stablehlo.maximum across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    check.expect_eq_const %r3, dense<2.0> : tensor<f32>
    %log = stablehlo.log %m : tensor<2xf32>
    %r4 = stablehlo.reduce(%log init: %zero) applies stablehlo.maximum across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    check.expect_almost_eq_const %r4, dense<1.38629436> : tensor<f32>
    %shifted = stablehlo.add %m, %w : tensor<2xf32>
    %r5 = stablehlo.reduce(%shifted init: %ninf) applies stablehlo.maximum across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    check.expect_eq_const %r5, dense<0x7F800000> : tensor<f32>
    return
  }
}
