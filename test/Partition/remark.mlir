// RUN: shoal-opt %s --shoal-partition-pipeline 2>&1 | FileCheck %s

// Never silently: an operand that must be whole is gathered with a remark.

shoal.mesh @m <["x"=4]>
func.func @sorted(%a: tensor<16xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) -> tensor<16xf32> {
  // CHECK: remark: operand 0 is gathered along dimension 0 (48 bytes sent per device)
  // CHECK: comm.all_gather
  %0 = "stablehlo.sort"(%a) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %p = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) : (tensor<16xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}
