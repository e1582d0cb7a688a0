// Scalars that hash tables keep for themselves, as arguments of kernels.
// RUN: shoal-run %s --single-device
func.func @main() {
  %a = stablehlo.constant dense<[5, -3]> : tensor<2xi64>
  %most = stablehlo.constant dense<9223372036854775807> : tensor<i64>
  %least = stablehlo.constant dense<-9223372036854775808> : tensor<i64>
  %m = stablehlo.optimization_barrier %most : tensor<i64>
  %l = stablehlo.optimization_barrier %least : tensor<i64>
  %0 = stablehlo.reduce(%a init: %m) applies stablehlo.minimum across dimensions = [0] : (tensor<2xi64>, tensor<i64>) -> tensor<i64>
  %1 = stablehlo.reduce(%a init: %l) applies stablehlo.maximum across dimensions = [0] : (tensor<2xi64>, tensor<i64>) -> tensor<i64>
  check.expect_eq_const %0, dense<-3> : tensor<i64>
  check.expect_eq_const %1, dense<5> : tensor<i64>
  return
}
