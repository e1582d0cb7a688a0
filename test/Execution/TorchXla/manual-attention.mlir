// Attention between enable_manual_sharding and disable_manual_sharding, as
// torch_xla prints it for kernels it calls on each device's own heads; the
// projection behind it is automatic again, its bias replicated over a part.
// What the region computes is compared with the same on whole tensors.
//
// RUN: shoal-run %s --input=random:5 --output=%t.npz
// RUN: shoal-run %s --input=random:5 --single-device --check=%t.npz --rtol=1e-4 --atol=1e-5

module @SyncTensorsGraph.71 attributes {mhlo.cross_program_prefetches = [], mhlo.input_output_alias = [], mhlo.is_dynamic = false, mhlo.use_auto_spmd_partitioning = false} {
  func.func @main(%arg0: tensor<64xf32> {mhlo.sharding = "{devices=[4,2]0,4,1,5,2,6,3,7 last_tile_dim_replicate}"}, %arg1: tensor<64x64xf32> {mhlo.sharding = "{devices=[4,1,2]0,4,1,5,2,6,3,7 last_tile_dim_replicate}"}, %arg2: tensor<4x8x6x8xf32> {mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"}, %arg3: tensor<4x8x6x8xf32> {mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"}, %arg4: tensor<4x8x6x8xf32> {mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"}) -> tuple<tensor<4x6x64xf32>> {
    %cst = stablehlo.constant dense<0.353553385> : tensor<f32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.custom_call @Sharding(%arg4) {backend_config = "", mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"} : (tensor<4x8x6x8xf32>) -> tensor<4x8x6x8xf32>
    %1 = stablehlo.custom_call @SPMDFullToShardShape(%0) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<4x8x6x8xf32>) -> tensor<2x2x6x8xf32>
    %2 = stablehlo.custom_call @Sharding(%arg3) {backend_config = "", mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"} : (tensor<4x8x6x8xf32>) -> tensor<4x8x6x8xf32>
    %3 = stablehlo.custom_call @SPMDFullToShardShape(%2) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<4x8x6x8xf32>) -> tensor<2x2x6x8xf32>
    %4 = stablehlo.custom_call @Sharding(%arg2) {backend_config = "", mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"} : (tensor<4x8x6x8xf32>) -> tensor<4x8x6x8xf32>
    %5 = stablehlo.custom_call @SPMDFullToShardShape(%4) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<4x8x6x8xf32>) -> tensor<2x2x6x8xf32>
    %6 = stablehlo.dot_general %1, %3, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3], precision = [DEFAULT, DEFAULT] : (tensor<2x2x6x8xf32>, tensor<2x2x6x8xf32>) -> tensor<2x2x6x6xf32>
    %7 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x2x6x6xf32>
    %8 = stablehlo.multiply %6, %7 : tensor<2x2x6x6xf32>
    %9 = stablehlo.reduce(%8 init: %cst_0) applies stablehlo.maximum across dimensions = [3] : (tensor<2x2x6x6xf32>, tensor<f32>) -> tensor<2x2x6xf32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [0, 1, 2] : (tensor<2x2x6xf32>) -> tensor<2x2x6x6xf32>
    %11 = stablehlo.subtract %8, %10 : tensor<2x2x6x6xf32>
    %12 = stablehlo.exponential %11 : tensor<2x2x6x6xf32>
    %13 = stablehlo.reduce(%12 init: %cst_1) applies stablehlo.add across dimensions = [3] : (tensor<2x2x6x6xf32>, tensor<f32>) -> tensor<2x2x6xf32>
    %14 = stablehlo.broadcast_in_dim %13, dims = [0, 1, 2] : (tensor<2x2x6xf32>) -> tensor<2x2x6x6xf32>
    %15 = stablehlo.divide %12, %14 : tensor<2x2x6x6xf32>
    %16 = stablehlo.dot_general %15, %5, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2], precision = [DEFAULT, DEFAULT] : (tensor<2x2x6x6xf32>, tensor<2x2x6x8xf32>) -> tensor<2x2x6x8xf32>
    %17 = stablehlo.custom_call @Sharding(%16) {backend_config = "", mhlo.sharding = "{manual}"} : (tensor<2x2x6x8xf32>) -> tensor<2x2x6x8xf32>
    %18 = stablehlo.custom_call @SPMDShardToFullShape(%17) {backend_config = "", mhlo.sharding = "{devices=[2,4,1,1]0,1,2,3,4,5,6,7}"} : (tensor<2x2x6x8xf32>) -> tensor<4x8x6x8xf32>
    %19 = stablehlo.transpose %18, dims = [0, 2, 1, 3] {result_layout = dense<[3, 1, 2, 0]> : tensor<4xindex>, xla_shape = "f32[4,6,8,8]{3,1,2,0}"} : (tensor<4x8x6x8xf32>) -> tensor<4x6x8x8xf32>
    %20 = stablehlo.reshape %19 : (tensor<4x6x8x8xf32>) -> tensor<24x64xf32>
    %21 = stablehlo.transpose %arg1, dims = [1, 0] {result_layout = dense<[0, 1]> : tensor<2xindex>, xla_shape = "f32[64,64]{0,1}"} : (tensor<64x64xf32>) -> tensor<64x64xf32>
    %22 = stablehlo.dot_general %20, %21, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<24x64xf32>, tensor<64x64xf32>) -> tensor<24x64xf32>
    %23 = stablehlo.reshape %22 : (tensor<24x64xf32>) -> tensor<4x6x64xf32>
    %24 = stablehlo.broadcast_in_dim %arg0, dims = [2] : (tensor<64xf32>) -> tensor<4x6x64xf32>
    %25 = stablehlo.add %23, %24 : tensor<4x6x64xf32>
    %26 = stablehlo.custom_call @Sharding(%25) {backend_config = "", mhlo.sharding = "{devices=[2,1,4]0,1,2,3,4,5,6,7}"} : (tensor<4x6x64xf32>) -> tensor<4x6x64xf32>

    %w0 = stablehlo.dot_general %arg4, %arg3, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<4x8x6x8xf32>, tensor<4x8x6x8xf32>) -> tensor<4x8x6x6xf32>
    %w1 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x8x6x6xf32>
    %w2 = stablehlo.multiply %w0, %w1 : tensor<4x8x6x6xf32>
    %w3 = stablehlo.exponential %w2 : tensor<4x8x6x6xf32>
    %w4 = stablehlo.reduce(%w3 init: %cst_1) applies stablehlo.add across dimensions = [3] : (tensor<4x8x6x6xf32>, tensor<f32>) -> tensor<4x8x6xf32>
    %w5 = stablehlo.broadcast_in_dim %w4, dims = [0, 1, 2] : (tensor<4x8x6xf32>) -> tensor<4x8x6x6xf32>
    %w6 = stablehlo.divide %w3, %w5 : tensor<4x8x6x6xf32>
    %w7 = stablehlo.dot_general %w6, %arg2, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<4x8x6x6xf32>, tensor<4x8x6x8xf32>) -> tensor<4x8x6x8xf32>
    check.expect_almost_eq %18, %w7 : tensor<4x8x6x8xf32>
    %27 = stablehlo.tuple %26 {xla_shape = "(f32[4,6,64]{2,1,0})"} : tuple<tensor<4x6x64xf32>>
    return %27 : tuple<tensor<4x6x64xf32>>
  }
}
