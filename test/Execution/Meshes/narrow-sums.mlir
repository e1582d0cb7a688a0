// Sums of 8-bit floats over cut dimensions round once, as on one device: parts
// are added in f32. Updates by scatter and running sums round at each step, in
// order.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @m = <["a"=4]>
  func.func public @main() {
    // Ones and a half: rounded after each quarter it would be another sum.
    %o = stablehlo.constant dense<1.125> : tensor<2x13xf8E4M3FN>
    %b = stablehlo.optimization_barrier %o : tensor<2x13xf8E4M3FN>
    %x = sdy.sharding_constraint %b <@m, [{}, {"a"}]> : tensor<2x13xf8E4M3FN>
    %z = stablehlo.constant dense<0.0> : tensor<f8E4M3FN>
    %r = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1] : (tensor<2x13xf8E4M3FN>, tensor<f8E4M3FN>) -> tensor<2xf8E4M3FN>
    // 14.625
    check.expect_eq_const %r, dense<15.0> : tensor<2xf8E4M3FN>
    %d = stablehlo.dot_general %x, %x, contracting_dims = [1] x [1] : (tensor<2x13xf8E4M3FN>, tensor<2x13xf8E4M3FN>) -> tensor<2x2xf8E4M3FN>
    // 16.453125
    check.expect_eq_const %d, dense<16.0> : tensor<2x2xf8E4M3FN>
    %i = stablehlo.constant dense<0> : tensor<12x1xi32>
    %u0 = stablehlo.constant dense<1.125> : tensor<12xf8E4M3FN>
    %u1 = stablehlo.optimization_barrier %u0 : tensor<12xf8E4M3FN>
    %u = sdy.sharding_constraint %u1 <@m, [{"a"}]> : tensor<12xf8E4M3FN>
    %t = stablehlo.constant dense<0.0> : tensor<3xf8E4M3FN>
    %s = "stablehlo.scatter"(%t, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
    ^bb0(%p: tensor<f8E4M3FN>, %q: tensor<f8E4M3FN>):
      %a = stablehlo.add %p, %q : tensor<f8E4M3FN>
      stablehlo.return %a : tensor<f8E4M3FN>
    }) : (tensor<3xf8E4M3FN>, tensor<12x1xi32>, tensor<12xf8E4M3FN>) -> tensor<3xf8E4M3FN>
    // 1.125, 2.25, 3.5 (of 3.375), 4.5, 5.5 (of 5.625), 6.5, 7.5, 9, 10, 11, 12, 13
    check.expect_eq_const %s, dense<[13.0, 0.0, 0.0]> : tensor<3xf8E4M3FN>
    return
  }
}
