// Shardings of sizes and of values whose sizes are not known yet do not hide them.
// RUN: shoal-opt %s --shoal-import-pipeline | FileCheck %s

sdy.mesh @mesh = <["a"=2]>

// CHECK-LABEL: func.func @main
// CHECK-NOT: ?
// CHECK: stablehlo.iota dim = 0 : tensor<8xf32>
// CHECK: return %{{.*}} : tensor<8xf32>
func.func @main(%x: tensor<4xf32>) -> tensor<8xf32> {
  %y = stablehlo.convert %x : (tensor<4xf32>) -> tensor<?xf32>
  %z = sdy.sharding_constraint %y <@mesh, [{"a"}]> : tensor<?xf32>
  %w = stablehlo.custom_call @Sharding(%z) {mhlo.sharding = "{devices=[2]<=[2]}"} : (tensor<?xf32>) -> tensor<?xf32>
  %n = stablehlo.get_dimension_size %w, dim = 0 : (tensor<?xf32>) -> tensor<i32>
  %placed = sdy.sharding_constraint %n <@mesh, []> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %twice = stablehlo.multiply %placed, %two : tensor<i32>
  %again = stablehlo.custom_call @Sharding(%twice) {mhlo.sharding = "{replicated}"} : (tensor<i32>) -> tensor<i32>
  %eight = stablehlo.constant dense<8> : tensor<i32>
  %right = stablehlo.compare EQ, %again, %eight : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %shown = sdy.sharding_constraint %right <@mesh, []> : tensor<i1>
  stablehlo.custom_call @shape_assertion(%shown) {api_version = 2 : i32, error_message = "no", has_side_effect = true} : (tensor<i1>) -> ()
  %shape = stablehlo.reshape %again : (tensor<i32>) -> tensor<1xi32>
  %spread = sdy.sharding_constraint %shape <@mesh, [{"a"}]> : tensor<1xi32>
  %0 = stablehlo.dynamic_iota %spread, dim = 0 : (tensor<1xi32>) -> tensor<?xf32>
  %pair = stablehlo.concatenate %w, %w, dim = 0 : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  %1 = stablehlo.add %0, %pair : tensor<?xf32>
  %2 = stablehlo.convert %1 : (tensor<?xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}
