// RUN: shoal-opt %s --shoal-partition-pipeline 2>&1 | FileCheck %s

// Never silently: an operand that must be whole is gathered with a remark.

shoal.mesh @m <["x"=4]>
func.func @factor(%a: tensor<4x4xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) -> tensor<4x4xf32> {
  // CHECK: remark: operand 0 is gathered along dimension 0 (48 bytes sent per device)
  // CHECK: comm.all_gather
  %0 = stablehlo.cholesky %a, lower = true : tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
