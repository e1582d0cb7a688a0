// Device code and launch data in the program table.
// RUN: shoal-opt %s --shoal-print-program -o /dev/null 2>&1 | FileCheck %s

// CHECK: target cuda
// CHECK: image 0: cubin for sm_90a, 5 bytes, newer chips: image 1
// CHECK: image 1: ptx for sm_90a, 3 bytes
// CHECK: kernel neg: image 0, grid 2, block 128, scratch 512 bytes of zeros, 24 registers, symbol shoal_neg, then launch 1
// CHECK: launch 1: image 0, grid 1, block 32, scratch 512 bytes, symbol shoal_neg_2
// CHECK: exec neg(s0) -> (s1)
gpu.binary @images [#gpu.object<#nvvm.target<chip = "sm_90a">, bin = "cubin">,
                    #gpu.object<#nvvm.target<chip = "sm_90a">, assembly = "PTX">]
plan.kernel @neg(%a: tensor<4xf32>) -> tensor<4xf32> attributes {
    symbol = "shoal_neg", plan.gpu = [
    #plan.gpu_launch<@images "shoal_neg" grid = [2] block = 128 scratch = 512 zeroed = true registers = 24>,
    #plan.gpu_launch<@images "shoal_neg_2" grid = [1] block = 32 scratch = 512>]} {
  %0 = stablehlo.negate %a : tensor<4xf32>
  plan.yield %0 : tensor<4xf32>
}
plan.program @main attributes {arg_types = [tensor<4xf32>], result_types = [tensor<4xf32>]} {
  %a = plan.argument 0 : !plan.buffer<4xf32>
  %r = plan.result 0 : !plan.buffer<4xf32>
  plan.exec @neg(%a) to(%r) : (!plan.buffer<4xf32>) -> (!plan.buffer<4xf32>)
  plan.yield
}
