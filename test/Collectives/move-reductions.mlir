// RUN: shoal-opt %s --shoal-move-reductions | FileCheck %s
// RUN: shoal-opt %s --shoal-move-reductions=remarks=true -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: shoal-opt %s --shoal-move-reductions --shoal-simplify-collectives | FileCheck %s --check-prefix=THEN

shoal.mesh @m <["x"=2, "y"=4]>

// Terms of a sum that are sums over the same axes are reduced once, through
// shapes, signs and means; other terms stay outside.
// CHECK-LABEL: func.func @terms
// CHECK: %[[B:.*]] = stablehlo.reshape %arg1
// CHECK: %[[C:.*]] = stablehlo.multiply %arg2, %{{.*}}
// CHECK: %[[N:.*]] = stablehlo.negate %[[C]]
// CHECK: %[[S:.*]] = stablehlo.add %[[N]], %arg0
// CHECK: %[[T:.*]] = stablehlo.subtract %[[S]], %[[B]]
// CHECK: %[[R:.*]] = comm.all_reduce add %[[T]] over <@m, {"y"}> : tensor<4x8xf32>
// CHECK: %[[E:.*]] = stablehlo.add %[[R]], %arg3
// CHECK: return %[[E]]
// REMARK: remark: 3 all_reduces in a sum are one of the sum of their operands (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
func.func @terms(%a: tensor<4x8xf32>, %b: tensor<32xf32>, %c: tensor<4x8xf32>, %d: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %quarter = stablehlo.constant dense<0.25> : tensor<4x8xf32>
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<4x8xf32>
  %1 = comm.all_reduce add %b over <@m, {"y"}> : tensor<32xf32>
  %2 = stablehlo.reshape %1 : (tensor<32xf32>) -> tensor<4x8xf32>
  %3 = comm.all_reduce add %c over <@m, {"y"}> : tensor<4x8xf32>
  %4 = stablehlo.multiply %3, %quarter : tensor<4x8xf32>
  %5 = stablehlo.negate %4 : tensor<4x8xf32>
  %6 = stablehlo.add %0, %d : tensor<4x8xf32>
  %7 = stablehlo.subtract %6, %2 : tensor<4x8xf32>
  %8 = stablehlo.add %5, %7 : tensor<4x8xf32>
  return %8 : tensor<4x8xf32>
}

// What is used elsewhere stays; so do factors above one, which a summand might
// not survive, and extrema.
// CHECK-LABEL: func.func @kept
// CHECK-COUNT-2: comm.all_reduce add
// CHECK-COUNT-2: comm.all_reduce max
// CHECK-NOT: comm.all_reduce
// CHECK: return
func.func @kept(%a: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %ten = stablehlo.constant dense<10.0> : tensor<8xf32>
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<8xf32>
  %1 = stablehlo.multiply %0, %ten : tensor<8xf32>
  %2 = comm.all_reduce add %b over <@m, {"y"}> : tensor<8xf32>
  %3 = stablehlo.add %1, %2 : tensor<8xf32>
  %4 = comm.all_reduce max %a over <@m, {"y"}> : tensor<8xf32>
  %5 = comm.all_reduce max %b over <@m, {"y"}> : tensor<8xf32>
  %6 = stablehlo.add %4, %5 : tensor<8xf32>
  return %3, %6, %2 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// Means over one axis and then the other are one reduction.
// THEN-LABEL: func.func @means
// THEN: %[[H:.*]] = stablehlo.divide %arg0
// THEN: %[[R:.*]] = comm.all_reduce add %[[H]] over <@m, {"y", "x"}>
// THEN: stablehlo.divide %[[R]]
func.func @means(%a: tensor<8xf32>) -> tensor<8xf32> {
  %two = stablehlo.constant dense<2.0> : tensor<8xf32>
  %four = stablehlo.constant dense<4.0> : tensor<8xf32>
  %0 = comm.all_reduce add %a over <@m, {"x"}> : tensor<8xf32>
  %1 = stablehlo.divide %0, %two : tensor<8xf32>
  %2 = comm.all_reduce add %1 over <@m, {"y"}> : tensor<8xf32>
  %3 = stablehlo.divide %2, %four : tensor<8xf32>
  return %3 : tensor<8xf32>
}

// A mean of which each device needs a part.
// THEN-LABEL: func.func @slice
// THEN: %[[H:.*]] = stablehlo.divide
// THEN: %[[T:.*]] = stablehlo.transpose %[[H]]
// THEN: %[[R:.*]] = comm.reduce_scatter add %[[T]] dim = 0 over <@m, {"y"}>
// THEN: return %[[R]]
func.func @slice(%a: tensor<512x1024xf32>) -> tensor<256x512xf32> {
  %four = stablehlo.constant dense<4.0> : tensor<512x1024xf32>
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<512x1024xf32>
  %1 = stablehlo.divide %0, %four : tensor<512x1024xf32>
  %2 = stablehlo.transpose %1, dims = [1, 0] : (tensor<512x1024xf32>) -> tensor<1024x512xf32>
  %3 = comm.all_slice %2 dim = 0 over <@m, {"y"}> : (tensor<1024x512xf32>) -> tensor<256x512xf32>
  return %3 : tensor<256x512xf32>
}

// Over other axes: what leaves less goes first, what makes more goes last.
// CHECK-LABEL: func.func @order
// CHECK: %[[S:.*]] = comm.reduce_scatter add %arg0 dim = 0 over <@m, {"y"}>
// CHECK: %[[R:.*]] = comm.all_reduce add %[[S]] over <@m, {"x"}> : tensor<256x512xf32>
// CHECK: %[[Q:.*]] = comm.all_reduce add %arg1 over <@m, {"x"}> : tensor<256x512xf32>
// CHECK: %[[G:.*]] = comm.all_gather %[[Q]] dim = 0 over <@m, {"y"}>
// CHECK: return %[[R]], %[[G]]
func.func @order(%a: tensor<1024x512xf32>, %b: tensor<256x512xf32>) -> (tensor<256x512xf32>, tensor<1024x512xf32>) {
  %0 = comm.all_reduce add %a over <@m, {"x"}> : tensor<1024x512xf32>
  %1 = comm.reduce_scatter add %0 dim = 0 over <@m, {"y"}> : (tensor<1024x512xf32>) -> tensor<256x512xf32>
  %2 = comm.all_gather %b dim = 0 over <@m, {"y"}> : (tensor<256x512xf32>) -> tensor<1024x512xf32>
  %3 = comm.all_reduce add %2 over <@m, {"x"}> : tensor<1024x512xf32>
  return %1, %3 : tensor<256x512xf32>, tensor<1024x512xf32>
}
