// RUN: shoal-opt --allow-unregistered-dialect %s | shoal-opt --allow-unregistered-dialect | FileCheck %s
// RUN: shoal-opt --allow-unregistered-dialect --mlir-print-op-generic %s | shoal-opt --allow-unregistered-dialect | FileCheck %s

// Attributes and types in every spelling that is read, and the one printed.

sdy.mesh @mesh = <["x"=4]>

// CHECK-LABEL: func.func @spellings(
func.func @spellings() {
  // CHECK: "test.conv"() {a = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, b = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>} : () -> ()
  // CHECK: "test.empty"() {a = #stablehlo.scatter<>, b = #stablehlo.gather<offset_dims = [1], index_vector_dim = 3>, c = #stablehlo.dot<>} : () -> ()
  // CHECK: "test.bounds"() : () -> tensor<2x?xf32, #stablehlo.bounds<?, 4>>
  // CHECK: "test.future"() : () -> !stablehlo.future<tensor<f32>, tensor<2xi32>>
  // CHECK: "test.enums"() {a = #stablehlo<precision HIGHEST>, b = #stablehlo<fft_type RFFT>, c = #stablehlo<comparison_type TOTALORDER>, d = #stablehlo<transpose NO_TRANSPOSE>, e = #stablehlo<rng_algorithm PHILOX>, f = #stablehlo<rng_distribution UNIFORM>, g = #stablehlo.result_accuracy_mode<TOLERANCE>} : () -> ()
  // CHECK: "test.mesh"() {a = #stablehlo.mesh<axes=[<name = "x", size = 4>]>, b = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "x">]>} : () -> ()
  "test.conv"() {a = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, b = #stablehlo.conv<raw output_spatial_dimensions = [1, 2], input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2], kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1], output_batch_dimension = 0, output_feature_dimension = 3>} : () -> ()
  "test.empty"() {a = #stablehlo.scatter<>, b = #stablehlo.gather<index_vector_dim = 3, offset_dims = [1]>, c = #stablehlo.dot<>} : () -> ()
  "test.bounds"() : () -> tensor<2x?xf32, #stablehlo.type_extensions<bounds = [?, 4]>>
  "test.future"() : () -> !stablehlo.future<tensor<f32>, tensor<2xi32>>
  "test.enums"() {a = #stablehlo<precision HIGHEST>, b = #stablehlo<fft_type RFFT>, c = #stablehlo<comparison_type TOTALORDER>, d = #stablehlo<transpose NO_TRANSPOSE>, e = #stablehlo<rng_algorithm PHILOX>, f = #stablehlo<rng_distribution UNIFORM>, g = #stablehlo.result_accuracy_mode<TOLERANCE>} : () -> ()
  "test.mesh"() {a = #stablehlo.mesh<axes = [#stablehlo.mesh_axis<name = "x", size = 4>]>, b = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "x">]>} : () -> ()
  return
}
