// RUN: shoal-opt %s --shoal-fit-memory=memory-limit=66000 | FileCheck %s
// RUN: shoal-opt %s --shoal-fit-memory="memory-limit=66000 remarks=true" 2>&1 >/dev/null | FileCheck %s --check-prefix=SAYS
// RUN: shoal-opt %s --shoal-fit-memory=memory-limit=70000 | FileCheck %s --check-prefix=FITS
// RUN: shoal-opt %s --shoal-fit-memory | FileCheck %s --check-prefix=FITS

// %a and %b live across the product at the peak. %b is cheap: computed again from
// the argument where it is read. %a takes a product, which nobody wants twice.
// The view that is read is one of the value that is computed again.
// SAYS: remark: 1 values of together 4.10 KB are computed again
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = plan.matmul %arg0, %arg1
// CHECK: plan.launch @cheap(%arg0)
// CHECK: plan.matmul {{.*}}tensor<32x96xf32>
// CHECK: %[[R:.*]] = plan.launch @narrow
// CHECK: %[[B:.*]] = plan.launch @cheap(%arg0) {shoal.after = 0 : i64}
// CHECK-NEXT: %[[V:.*]] = stablehlo.reshape %[[B]]
// CHECK-NEXT: plan.launch @all(%[[R]], %[[A]], %[[V]])
// FITS-LABEL: func.func @main
// FITS-COUNT-1: plan.launch @cheap
// FITS-NOT: plan.launch @cheap
plan.kernel @cheap(%x: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %0 = stablehlo.negate %x : tensor<32x32xf32>
  plan.yield %0 : tensor<32x32xf32>
}
plan.kernel @wide(%x: tensor<32x32xf32>, %y: tensor<1024xf32>) -> tensor<32x96xf32> {
  %0 = stablehlo.concatenate %x, %x, %x, dim = 1 : (tensor<32x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x96xf32>
  plan.yield %0 : tensor<32x96xf32>
}
plan.kernel @narrow(%x: tensor<96x96xf32>) -> tensor<32x32xf32> {
  %0 = stablehlo.slice %x [0:32, 0:32] : (tensor<96x96xf32>) -> tensor<32x32xf32>
  plan.yield %0 : tensor<32x32xf32>
}
plan.kernel @all(%x: tensor<32x32xf32>, %a: tensor<32x32xf32>, %b: tensor<1024xf32>) -> tensor<32x32xf32> {
  %0 = stablehlo.reshape %b : (tensor<1024xf32>) -> tensor<32x32xf32>
  %1 = stablehlo.add %x, %a : tensor<32x32xf32>
  %2 = stablehlo.add %0, %1 : tensor<32x32xf32>
  plan.yield %2 : tensor<32x32xf32>
}
func.func @main(%x: tensor<32x32xf32>, %w: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %a = plan.matmul %x, %w contract [1] x [0] : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  %b = plan.launch @cheap(%x) : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %v = stablehlo.reshape %b : (tensor<32x32xf32>) -> tensor<1024xf32>
  %c = plan.launch @wide(%a, %v) : (tensor<32x32xf32>, tensor<1024xf32>) -> tensor<32x96xf32>
  %d = plan.matmul %c, %c contract [0] x [0] : (tensor<32x96xf32>, tensor<32x96xf32>) -> tensor<96x96xf32>
  %e = plan.launch @narrow(%d) : (tensor<96x96xf32>) -> tensor<32x32xf32>
  %f = plan.launch @all(%e, %a, %v) : (tensor<32x32xf32>, tensor<32x32xf32>, tensor<1024xf32>) -> tensor<32x32xf32>
  return %f : tensor<32x32xf32>
}
