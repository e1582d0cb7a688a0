// What stops compilation for a GPU says what to do.
// RUN: env SHOAL_PTXAS=/nonexistent/ptxas not shoal-compile %s --target=cuda -o %t.so 2>&1 | FileCheck %s --check-prefix=PTXAS
// RUN: not shoal-compile %s --target=cuda --chip=sm_70 -o %t.so 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not shoal-compile %s --target=cuda --fatal=everything -o %t.so 2>&1 | FileCheck %s --check-prefix=FATAL

// PTXAS: error: '/nonexistent/ptxas' cannot be run
// PTXAS-SAME: pip install nvidia-cuda-nvcc
// CHIP: --chip: 'sm_70' is unknown for the target 'cuda'; known are sm_80,
// FATAL: --fatal: 'everything' is unknown; 'spills' is
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.negate %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
