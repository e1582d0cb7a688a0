// Cells of padding and base dilation hold the initial value and count, where
// that is not neutral (XLA leaves them out).
// RUN: shoal-run %s --single-device
func.func @main() {
  %a = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
  %ten = stablehlo.constant dense<10> : tensor<i32>
  %0 = "stablehlo.reduce_window"(%a, %ten) <{window_dimensions = array<i64: 3>, base_dilations = array<i64: 2>, padding = dense<[[1, 0]]> : tensor<1x2xi64>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.add %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<3xi32>, tensor<i32>) -> tensor<4xi32>
  check.expect_eq_const %0, dense<[31, 23, 32, 25]> : tensor<4xi32>
  // Suffixes of a body that does not commute: (a, b) then (c, d) is (ac, bc + d).
  %one = stablehlo.constant dense<1> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %1:2 = "stablehlo.reduce_window"(%a, %a, %one, %zero) <{window_dimensions = array<i64: 3>, padding = dense<[[0, 2]]> : tensor<1x2xi64>}> ({
  ^bb0(%p: tensor<i32>, %q: tensor<i32>, %r: tensor<i32>, %s: tensor<i32>):
    %t = stablehlo.multiply %p, %r : tensor<i32>
    %u = stablehlo.multiply %q, %r : tensor<i32>
    %v = stablehlo.add %u, %s : tensor<i32>
    stablehlo.return %t, %v : tensor<i32>, tensor<i32>
  }) : (tensor<3xi32>, tensor<3xi32>, tensor<i32>, tensor<i32>) -> (tensor<3xi32>, tensor<3xi32>)
  check.expect_eq_const %1#0, dense<[6, 6, 3]> : tensor<3xi32>
  check.expect_eq_const %1#1, dense<[15, 9, 3]> : tensor<3xi32>
  // A slice of a scalar.
  %2 = "stablehlo.dynamic_slice"(%ten) <{slice_sizes = array<i64>}> : (tensor<i32>) -> tensor<i32>
  check.expect_eq_const %2, dense<10> : tensor<i32>
  return
}
