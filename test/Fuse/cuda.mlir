// Target cuda: products are kernels with what comes before and after them.
// RUN: shoal-opt %s --shoal-fuse-pipeline=target=cuda | FileCheck %s

// CHECK-LABEL: func.func @dense
// CHECK-NEXT: %[[Y:.*]] = plan.launch @[[DENSE:kernel_[0-9a-z_]+]](%arg1, %arg0, %arg2)
// CHECK-NEXT: return %[[Y]]
func.func @dense(%x: tensor<64x32xbf16>, %w: tensor<128x32xf32>, %b: tensor<128xf32>) -> tensor<64x128xbf16> {
  %0 = stablehlo.convert %w : (tensor<128x32xf32>) -> tensor<128x32xbf16>
  %1 = stablehlo.transpose %0, dims = [1, 0] : (tensor<128x32xbf16>) -> tensor<32x128xbf16>
  %2 = stablehlo.dot_general %x, %1, contracting_dims = [1] x [0] : (tensor<64x32xbf16>, tensor<32x128xbf16>) -> tensor<64x128xf32>
  %3 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<128xf32>) -> tensor<64x128xf32>
  %4 = stablehlo.add %2, %3 : tensor<64x128xf32>
  %5 = stablehlo.tanh %4 : tensor<64x128xf32>
  %6 = stablehlo.convert %5 : (tensor<64x128xf32>) -> tensor<64x128xbf16>
  return %6 : tensor<64x128xbf16>
}

// CHECK: plan.kernel @[[DENSE]]
// CHECK: stablehlo.convert
// CHECK: stablehlo.dot_general
// CHECK: stablehlo.tanh
