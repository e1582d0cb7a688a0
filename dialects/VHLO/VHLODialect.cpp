#include "dialects/StableHLO/StableHLO.h"
#include "dialects/VHLO/VHLO.h"

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

MLIR_DEFINE_EXPLICIT_TYPE_ID(mlir::vhlo::VhloDialect)

using namespace mlir;
using namespace mlir::vhlo;

//===----------------------------------------------------------------------===//
// The attributes of ops
//===----------------------------------------------------------------------===//

namespace {
struct OpEntry {
  /// Without `vhlo.`; several names that write the same, with `|` between.
  StringLiteral names;
  /// Separated by spaces.
  StringLiteral attributes;
};
} // namespace

/// The attributes of each op, which are written in alphabetical order. Ops that
/// have none are not listed: the reader takes them as they come.
static constexpr OpEntry opTable[] = {
    {"all_gather_v1|all_gather_v2",
     "all_gather_dim replica_groups channel_id use_global_device_ids"},
    {"all_reduce_v1|all_reduce_v2",
     "replica_groups channel_id use_global_device_ids"},
    {"all_to_all_v1|all_to_all_v2",
     "split_dimension concat_dimension split_count replica_groups channel_id"},
    {"batch_norm_grad_v1|batch_norm_inference_v1|batch_norm_training_v1",
     "epsilon feature_index"},
    {"broadcast_in_dim_v1", "broadcast_dimensions"},
    {"broadcast_v1", "broadcast_sizes"},
    {"call_v1", "callee"},
    {"cbrt_v2|cosine_v2|exponential_v2|exponential_minus_one_v2|log_v2|log_"
     "plus_one_v2|"
     "logistic_v2|rsqrt_v2|sine_v2|sqrt_v2|tan_v2|tanh_v2",
     "result_accuracy"},
    {"cholesky_v1", "lower"},
    {"collective_broadcast_v1", "replica_groups channel_id"},
    {"collective_permute_v1", "source_target_pairs channel_id"},
    {"compare_v1", "comparison_direction compare_type"},
    {"composite_v1|composite_v2",
     "name composite_attributes decomposition version"},
    {"concatenate_v1", "dimension"},
    {"constant_v1", "value"},
    {"convolution_v1|dynamic_conv_v1",
     "window_strides padding lhs_dilation rhs_dilation window_reversal "
     "input_batch_dimension input_feature_dimension input_spatial_dimensions "
     "kernel_input_feature_dimension kernel_output_feature_dimension "
     "kernel_spatial_dimensions output_batch_dimension "
     "output_feature_dimension "
     "output_spatial_dimensions feature_group_count batch_group_count "
     "precision_config"},
    {"dynamic_conv_v2",
     "window_strides lhs_dilation rhs_dilation window_reversal "
     "input_batch_dimension input_feature_dimension input_spatial_dimensions "
     "kernel_input_feature_dimension kernel_output_feature_dimension "
     "kernel_spatial_dimensions output_batch_dimension "
     "output_feature_dimension "
     "output_spatial_dimensions feature_group_count batch_group_count "
     "precision_config"},
    {"cross-replica-sum_v1", "replica_groups"},
    {"custom_call_v1", "call_target_name has_side_effect backend_config "
                       "api_version called_computations "
                       "operand_layouts result_layouts output_operand_aliases"},
    {"dot_general_v1", "lhs_batching_dimensions rhs_batching_dimensions "
                       "lhs_contracting_dimensions "
                       "rhs_contracting_dimensions precision_config"},
    {"dot_general_v2",
     "lhs_batching_dimensions rhs_batching_dimensions "
     "lhs_contracting_dimensions "
     "rhs_contracting_dimensions precision_config lhs_precision_type "
     "rhs_precision_type "
     "accumulation_type lhs_component_count rhs_component_count "
     "num_primitive_operations allow_imprecise_accumulation"},
    {"dot_v1", "precision_config"},
    {"dynamic_broadcast_in_dim_v1",
     "broadcast_dimensions known_expanding_dimensions "
     "known_nonexpanding_dimensions"},
    {"dynamic_gather_v1",
     "offset_dims collapsed_slice_dims start_index_map index_vector_dim "
     "indices_are_sorted"},
    {"dynamic_gather_v2",
     "offset_dims collapsed_slice_dims operand_batching_dims "
     "start_indices_batching_dims start_index_map index_vector_dim "
     "indices_are_sorted"},
    {"dynamic_iota_v1|iota_v1", "iota_dimension"},
    {"dynamic_slice_v1", "slice_sizes"},
    {"einsum_v1|unary_einsum_v1", "einsum_config"},
    {"fft_v1", "fft_type fft_length"},
    {"func_v1", "sym_name function_type sym_visibility arg_attrs res_attrs"},
    {"gather_v1", "offset_dims collapsed_slice_dims start_index_map "
                  "index_vector_dim slice_sizes "
                  "indices_are_sorted"},
    {"gather_v2",
     "offset_dims collapsed_slice_dims operand_batching_dims "
     "start_indices_batching_dims start_index_map index_vector_dim slice_sizes "
     "indices_are_sorted"},
    {"get_dimension_size_v1|set_dimension_size_v1", "dimension"},
    {"get_tuple_element_v1", "index"},
    {"infeed_v1", "infeed_config layout"},
    {"map_v1|reduce_v1|reverse_v1", "dimensions"},
    {"outfeed_v1", "outfeed_config"},
    {"pad_v1", "edge_padding_low edge_padding_high interior_padding"},
    {"recv_v1|send_v1", "channel_id channel_type is_host_transfer"},
    {"recv_v2|send_v2",
     "channel_id channel_type is_host_transfer source_target_pairs"},
    {"reduce_precision_v1", "exponent_bits mantissa_bits"},
    {"reduce_scatter_v1",
     "scatter_dimension replica_groups channel_id use_global_device_ids"},
    {"reduce_window_v1", "window_dimensions window_strides base_dilations "
                         "window_dilations padding"},
    {"rng_bit_generator_v1", "rng_algorithm"},
    {"rng_v1", "rng_distribution"},
    {"scatter_v1",
     "update_window_dims inserted_window_dims scatter_dims_to_operand_dims "
     "index_vector_dim indices_are_sorted unique_indices"},
    {"scatter_v2",
     "update_window_dims inserted_window_dims input_batching_dims "
     "scatter_indices_batching_dims scatter_dims_to_operand_dims "
     "index_vector_dim "
     "indices_are_sorted unique_indices"},
    {"select_and_scatter_v1", "window_dimensions window_strides padding"},
    {"slice_v1", "start_indices limit_indices strides"},
    {"sort_v1", "dimension is_stable"},
    {"torch_index_select_v1", "dim batch_dims"},
    {"transpose_v1", "permutation"},
    {"triangular_solve_v1", "left_side lower unit_diagonal transpose_a"},
};

/// Attributes by the op's full name.
static const llvm::StringMap<SmallVector<StringRef>> &getAttributeOrder() {
  static const auto *map = [] {
    auto *result = new llvm::StringMap<SmallVector<StringRef>>;
    for (const OpEntry &entry : opTable) {
      SmallVector<StringRef> names, attributes;
      StringRef(entry.names).split(names, '|');
      StringRef(entry.attributes).split(attributes, ' ');
      llvm::sort(attributes);
      for (StringRef name : names)
        (*result)[("vhlo." + name).str()] = attributes;
    }
    return result;
  }();
  return *map;
}

namespace {
/// Reads an op's attributes into its dictionary.
struct AttributeReader : BytecodeOpInterface::FallbackModel<AttributeReader> {
  static LogicalResult readProperties(DialectBytecodeReader &reader,
                                      OperationState &state) {
    auto found = getAttributeOrder().find(state.name.getStringRef());
    if (found == getAttributeOrder().end())
      return reader.emitError() << "unknown op " << state.name;
    for (StringRef name : found->second) {
      Attribute value;
      if (failed(reader.readAttribute(value)))
        return failure();
      state.addAttribute(name, value);
    }
    return success();
  }
  void writeProperties(Operation *, DialectBytecodeWriter &) const {}
};
} // namespace

//===----------------------------------------------------------------------===//
// The dialect
//===----------------------------------------------------------------------===//

VhloDialect::VhloDialect(MLIRContext *context)
    : ExtensibleDialect(getDialectNamespace(), context,
                        TypeID::get<VhloDialect>()) {
  context->getOrLoadDialect<stablehlo::StablehloDialect>();
  context->getOrLoadDialect<func::FuncDialect>();
  context->getOrLoadDialect<quant::QuantDialect>();
  // Ops without attributes are not registered.
  allowUnknownOperations();
  for (const auto &entry : getAttributeOrder()) {
    StringRef name = entry.getKey();
    registerDynamicOp(DynamicOpDefinition::get(
        name.drop_front(getDialectNamespace().size() + 1), this,
        [](Operation *) { return success(); },
        [](Operation *) { return success(); }));
    OperationName(name, context).attachInterface<AttributeReader>();
  }
  registerBytecode();
}
