// Sharding strings that ask for nothing: empty ones, which early versions of
// JAX wrote, and unknown ones.
// RUN: shoal-opt %s --shoal-import-pipeline | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>) -> tensor<4xf32>
// CHECK-NOT: sharding
func.func public @main(%a: tensor<4xf32> {mhlo.sharding = ""}, %b: tensor<4xf32> {mhlo.sharding = "{unknown}"}) -> (tensor<4xf32> {mhlo.sharding = ""}) {
  %0 = stablehlo.add %a, %b {mhlo.sharding = ""} : tensor<4xf32>
  %1 = stablehlo.custom_call @Sharding(%0) {mhlo.sharding = "{unknown}"} : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
