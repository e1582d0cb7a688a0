// RUN: shoal-opt %s --split-input-file --shoal-shard-pipeline --shoal-partition-pipeline 2>&1 | FileCheck %s

// Along a dimension that must be whole the cut moves to another one: an
// all-to-all in place of a gather, and no remark.

// CHECK-NOT: remark
// CHECK-LABEL: func @sort_rows(
shoal.mesh @m <["x"=4]>
func.func @sort_rows(%a: tensor<64x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<64x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK: comm.all_to_all %arg0 split = 1 concat = 0
  // CHECK: "stablehlo.sort"
  // CHECK: comm.all_to_all %{{.*}} split = 0 concat = 1
  // CHECK-NOT: comm
  %0 = "stablehlo.sort"(%a) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %p = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) : (tensor<64x32xf32>) -> tensor<64x32xf32>
  return %0 : tensor<64x32xf32>
}

// -----

// CHECK-LABEL: func @cholesky(
shoal.mesh @m <["x"=4]>
func.func @cholesky(%a: tensor<8x32x32xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}, {"x"}]>})
    -> (tensor<8x32x32xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"x"}, {}]>}) {
  // CHECK: comm.all_to_all
  // CHECK: stablehlo.cholesky {{.*}} tensor<2x32x32xf32>
  // CHECK: comm.all_to_all
  // CHECK-NOT: comm
  %0 = stablehlo.cholesky %a, lower = true : tensor<8x32x32xf32>
  return %0 : tensor<8x32x32xf32>
}

// -----

// A transform along rows, then one along columns: the cut moves in between.

// CHECK-LABEL: func @transforms(
shoal.mesh @m <["x"=4]>
func.func @transforms(%a: tensor<32x64xcomplex<f32>> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>})
    -> (tensor<64x32xcomplex<f32>> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {}]>}) {
  // CHECK: stablehlo.fft
  // CHECK: comm.all_to_all
  // CHECK: stablehlo.fft
  // CHECK-NOT: comm
  %0 = stablehlo.fft %a, type = FFT, length = [64] : (tensor<32x64xcomplex<f32>>) -> tensor<32x64xcomplex<f32>>
  %1 = stablehlo.transpose %0, dims = [1, 0] : (tensor<32x64xcomplex<f32>>) -> tensor<64x32xcomplex<f32>>
  %2 = stablehlo.fft %1, type = FFT, length = [32] : (tensor<64x32xcomplex<f32>>) -> tensor<64x32xcomplex<f32>>
  return %2 : tensor<64x32xcomplex<f32>>
}
