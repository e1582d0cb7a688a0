// A module as torch_xla prints it after mark_sharding of a two-layer network on
// a 2x4 mesh: names of attributes, mhlo.sharding strings with listed devices,
// custom calls, a tuple as result; parameters come in the order of use.
//
// RUN: shoal-run %s --input=random:3 --single-device --output=%t.npz
// RUN: shoal-run %s --input=random:3 --check=%t.npz --rtol=1e-4 --atol=1e-5

module @IrToHlo.38 attributes {mhlo.cross_program_prefetches = [], mhlo.input_output_alias = [], mhlo.is_dynamic = false, mhlo.use_auto_spmd_partitioning = false} {
  func.func @main(%arg0: tensor<16xf32> {mhlo.sharding = "{replicated}"}, %arg1: tensor<16x64xf32> {mhlo.sharding = "{devices=[1,4,2]0,4,1,5,2,6,3,7 last_tile_dim_replicate}"}, %arg2: tensor<64xf32> {mhlo.sharding = "{devices=[4,2]0,4,1,5,2,6,3,7 last_tile_dim_replicate}"}, %arg3: tensor<64x32xf32> {mhlo.sharding = "{devices=[4,1,2]0,4,1,5,2,6,3,7 last_tile_dim_replicate}"}, %arg4: tensor<8x32xf32> {mhlo.sharding = "{devices=[2,1,4]0,1,2,3,4,5,6,7 last_tile_dim_replicate}"}) -> tuple<tensor<8x16xf32>, tensor<8xi64>> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %c = stablehlo.constant dense<0> : tensor<i64>
    %0 = stablehlo.transpose %arg3, dims = [1, 0] {result_layout = dense<[0, 1]> : tensor<2xindex>, xla_shape = "f32[32,64]{0,1}"} : (tensor<64x32xf32>) -> tensor<32x64xf32>
    %1 = stablehlo.dot_general %arg4, %0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
    %2 = stablehlo.reshape %arg2 : (tensor<64xf32>) -> tensor<1x64xf32>
    %3 = stablehlo.reshape %2 : (tensor<1x64xf32>) -> tensor<64xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %5 = stablehlo.add %1, %4 : tensor<8x64xf32>
    %6 = stablehlo.custom_call @Sharding(%5) {backend_config = "", mhlo.sharding = "{devices=[2,4]0,1,2,3,4,5,6,7}"} : (tensor<8x64xf32>) -> tensor<8x64xf32>
    %7 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8x64xf32>
    %8 = stablehlo.maximum %6, %7 : tensor<8x64xf32>
    %9 = stablehlo.transpose %arg1, dims = [1, 0] {result_layout = dense<[0, 1]> : tensor<2xindex>, xla_shape = "f32[64,16]{0,1}"} : (tensor<16x64xf32>) -> tensor<64x16xf32>
    %10 = stablehlo.dot_general %8, %9, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x64xf32>, tensor<64x16xf32>) -> tensor<8x16xf32>
    %11 = stablehlo.broadcast_in_dim %arg0, dims = [1] : (tensor<16xf32>) -> tensor<8x16xf32>
    %12 = stablehlo.add %10, %11 : tensor<8x16xf32>
    %14 = stablehlo.iota dim = 0 : tensor<16xi64>
    %15 = stablehlo.broadcast_in_dim %14, dims = [1] : (tensor<16xi64>) -> tensor<8x16xi64>
    %16:2 = stablehlo.reduce(%12 init: %cst_0), (%15 init: %c) across dimensions = [1] : (tensor<8x16xf32>, tensor<8x16xi64>, tensor<f32>, tensor<i64>) -> (tensor<8xf32>, tensor<8xi64>)
     reducer(%arg5: tensor<f32>, %arg7: tensor<f32>) (%arg6: tensor<i64>, %arg8: tensor<i64>)  {
      %18 = stablehlo.compare  GE, %arg5, %arg7 : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %19 = stablehlo.select %18, %arg5, %arg7 : tensor<i1>, tensor<f32>
      %20 = stablehlo.compare  EQ, %arg5, %arg7 : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %21 = stablehlo.minimum %arg6, %arg8 : tensor<i64>
      %22 = stablehlo.select %18, %arg6, %arg8 : tensor<i1>, tensor<i64>
      %23 = stablehlo.select %20, %21, %22 : tensor<i1>, tensor<i64>
      stablehlo.return %19, %23 : tensor<f32>, tensor<i64>
    }
    %17 = stablehlo.tuple %12, %16#1 {xla_shape = "(f32[8,16]{1,0}, s64[8]{0})"} : tuple<tensor<8x16xf32>, tensor<8xi64>>
    return %17 : tuple<tensor<8x16xf32>, tensor<8xi64>>
  }
}
