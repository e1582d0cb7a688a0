// A training step as torch_xla prints it: an embedding (a gather by i64), a
// linear layer and its gradients, SGD; weights aliased to results; shardings
// by mark_sharding on a 4x2 mesh, of parameters and of the activations.
//
// RUN: shoal-run %s --input=random:5 --single-device --output=%t.npz
// RUN: shoal-run %s --input=random:5 --check=%t.npz --rtol=1e-4 --atol=1e-5

module @IrToHlo.71 attributes {mhlo.cross_program_prefetches = [], mhlo.input_output_alias = [{alias = {alias_kind = "may_alias", parameter_index = 1 : i64, parameter_shape_index = []}, output_index = [1]}], mhlo.is_dynamic = false, mhlo.use_auto_spmd_partitioning = false} {
  func.func @main(%arg0: tensor<f32> {mhlo.sharding = "{replicated}"}, %arg1: tensor<24x16xf32> {mhlo.sharding = "{devices=[2,1,4]<=[4,2]T(1,0) last_tile_dim_replicate}"}, %arg2: tensor<10x16xf32> {mhlo.sharding = "{devices=[1,2,4]<=[4,2]T(1,0) last_tile_dim_replicate}"}, %arg3: tensor<8x5xi64> {mhlo.sharding = "{devices=[4,1,2]<=[8] last_tile_dim_replicate}"}, %arg4: tensor<8x10xf32> {mhlo.sharding = "{devices=[4,1,2]<=[8] last_tile_dim_replicate}"}) -> (tensor<f32>, tensor<24x16xf32>, tensor<10x16xf32>) {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %cst_0 = stablehlo.constant dense<2.000000e-01> : tensor<f32>
    %cst_1 = stablehlo.constant dense<1.250000e-02> : tensor<f32>
    %c = stablehlo.constant dense<0> : tensor<i64>
    %c_2 = stablehlo.constant dense<24> : tensor<i64>
    %0 = stablehlo.reshape %arg3 : (tensor<8x5xi64>) -> tensor<40xi64>
    %b0 = stablehlo.broadcast_in_dim %c_2, dims = [] : (tensor<i64>) -> tensor<40xi64>
    %r0 = stablehlo.remainder %0, %b0 : tensor<40xi64>
    %a0 = stablehlo.abs %r0 : tensor<40xi64>
    %1 = stablehlo.convert %a0 : (tensor<40xi64>) -> tensor<40xui32>
    %2 = "stablehlo.gather"(%arg1, %1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16>}> : (tensor<24x16xf32>, tensor<40xui32>) -> tensor<40x16xf32>
    %3 = stablehlo.reshape %2 : (tensor<40x16xf32>) -> tensor<8x5x16xf32>
    %4 = stablehlo.custom_call @Sharding(%3) {mhlo.sharding = "{devices=[4,1,2]<=[8]}"} : (tensor<8x5x16xf32>) -> tensor<8x5x16xf32>
    %5 = stablehlo.reduce(%4 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<8x5x16xf32>, tensor<f32>) -> tensor<8x16xf32>
    %6 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %7 = stablehlo.multiply %5, %6 : tensor<8x16xf32>
    %8 = stablehlo.transpose %arg2, dims = [1, 0] {result_layout = dense<[0, 1]> : tensor<2xindex>, xla_shape = "f32[16,10]{0,1}"} : (tensor<10x16xf32>) -> tensor<16x10xf32>
    %9 = stablehlo.dot_general %7, %8, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x16xf32>, tensor<16x10xf32>) -> tensor<8x10xf32>
    %10 = stablehlo.subtract %9, %arg4 : tensor<8x10xf32>
    %11 = stablehlo.multiply %10, %10 : tensor<8x10xf32>
    %12 = stablehlo.reduce(%11 init: %cst) applies stablehlo.add across dimensions = [0, 1] : (tensor<8x10xf32>, tensor<f32>) -> tensor<f32>
    %13 = stablehlo.multiply %12, %cst_1 : tensor<f32>
    %14 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<8x10xf32>
    %15 = stablehlo.add %10, %10 : tensor<8x10xf32>
    %16 = stablehlo.multiply %15, %14 : tensor<8x10xf32>
    %17 = stablehlo.transpose %16, dims = [1, 0] {result_layout = dense<[0, 1]> : tensor<2xindex>, xla_shape = "f32[10,8]{0,1}"} : (tensor<8x10xf32>) -> tensor<10x8xf32>
    %18 = stablehlo.dot_general %17, %7, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<10x8xf32>, tensor<8x16xf32>) -> tensor<10x16xf32>
    %19 = stablehlo.custom_call @Sharding(%18) {mhlo.sharding = "{devices=[1,2,4]<=[4,2]T(1,0) last_tile_dim_replicate}"} : (tensor<10x16xf32>) -> tensor<10x16xf32>
    %20 = stablehlo.dot_general %16, %arg2, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x10xf32>, tensor<10x16xf32>) -> tensor<8x16xf32>
    %21 = stablehlo.multiply %20, %6 : tensor<8x16xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<8x16xf32>) -> tensor<8x5x16xf32>
    %23 = stablehlo.reshape %22 : (tensor<8x5x16xf32>) -> tensor<40x16xf32>
    %24 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %25 = stablehlo.reshape %1 : (tensor<40xui32>) -> tensor<40x1xui32>
    %26 = "stablehlo.scatter"(%24, %25, %23) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%arg5: tensor<f32>, %arg6: tensor<f32>):
      %35 = stablehlo.add %arg5, %arg6 : tensor<f32>
      stablehlo.return %35 : tensor<f32>
    }) : (tensor<24x16xf32>, tensor<40x1xui32>, tensor<40x16xf32>) -> tensor<24x16xf32>
    %27 = stablehlo.broadcast_in_dim %arg0, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %28 = stablehlo.multiply %26, %27 : tensor<24x16xf32>
    %29 = stablehlo.subtract %arg1, %28 : tensor<24x16xf32>
    %30 = stablehlo.custom_call @Sharding(%29) {mhlo.sharding = "{devices=[2,1,4]<=[4,2]T(1,0) last_tile_dim_replicate}"} : (tensor<24x16xf32>) -> tensor<24x16xf32>
    %31 = stablehlo.broadcast_in_dim %arg0, dims = [] : (tensor<f32>) -> tensor<10x16xf32>
    %32 = stablehlo.multiply %19, %31 : tensor<10x16xf32>
    %33 = stablehlo.subtract %arg2, %32 : tensor<10x16xf32>
    return %13, %30, %33 : tensor<f32>, tensor<24x16xf32>, tensor<10x16xf32>
  }
}
