// RUN: shoal-opt %s --shoal-outline-lone-ops | FileCheck %s --check-prefix=OUTLINED
// RUN: shoal-opt %s --shoal-outline-lone-ops --shoal-bind-host-scalars --shoal-order --shoal-bufferize --shoal-assign-offsets | FileCheck %s --check-prefix=PLACED

// An op left outside kernels gets one of its own; buffers that are not alive
// together share their place.

// OUTLINED: plan.kernel
// OUTLINED: stablehlo.reverse
// OUTLINED: func.func @main
// OUTLINED: plan.launch
// OUTLINED-NOT: stablehlo.reverse

// PLACED: plan.program @main attributes {arena_bytes = 128 : i64
// PLACED-DAG: plan.alloc at 0 : <16xf32>
// PLACED-DAG: plan.alloc at 64 : <16xf32>
func.func @main(%a: tensor<16xf32>) -> tensor<16xf32> {
  %0 = stablehlo.reverse %a, dims = [0] : tensor<16xf32>
  %1 = stablehlo.reverse %0, dims = [0] : tensor<16xf32>
  %2 = stablehlo.reverse %1, dims = [0] : tensor<16xf32>
  %3 = stablehlo.reverse %2, dims = [0] : tensor<16xf32>
  return %3 : tensor<16xf32>
}
