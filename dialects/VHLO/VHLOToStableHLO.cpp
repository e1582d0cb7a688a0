// From versioned ops to StableHLO and func. Attributes and types already are
// what they should be; what is left is to gather the attributes that artifacts
// write one by one, and to leave out those that only say the default.
#include "dialects/StableHLO/StableHLO.h"
#include "dialects/VHLO/VHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace {

//===----------------------------------------------------------------------===//
// Attributes of one op
//===----------------------------------------------------------------------===//

/// The attributes of an op while they are converted: values are taken out by
/// name, new ones put in. A value of the wrong kind is remembered as an error.
class Attributes {
public:
  explicit Attributes(Operation *op) : op(op), list(op->getAttrs()) {}

  template <typename Attr>
  Attr take(StringRef name) {
    Attribute value = list.erase(name);
    // What was not given is written as the type none.
    if (auto type = dyn_cast_if_present<TypeAttr>(value);
        type && isa<NoneType>(type.getValue()))
      return {};
    auto typed = dyn_cast_if_present<Attr>(value);
    if (value && !typed)
      wrong(name, value);
    return typed;
  }
  int64_t takeInt(StringRef name) {
    auto value = take<IntegerAttr>(name);
    if (!value)
      return 0;
    if (value.getValue().getSignificantBits() > 64) {
      wrong(name, value);
      return 0;
    }
    return value.getValue().getSExtValue();
  }
  bool takeBool(StringRef name) {
    auto value = take<BoolAttr>(name);
    return value && value.getValue();
  }
  Type takeType(StringRef name) {
    auto value = take<TypeAttr>(name);
    return value ? value.getValue() : Type();
  }
  SmallVector<int64_t> takeInts(StringRef name) {
    SmallVector<int64_t> result;
    if (auto values = take<DenseIntElementsAttr>(name)) {
      if (!values.getElementType().isSignlessInteger(64)) {
        wrong(name, values);
        return result;
      }
      llvm::append_range(result, values.getValues<int64_t>());
    }
    return result;
  }
  void set(StringRef name, Attribute value) {
    if (value)
      list.set(name, value);
    else
      list.erase(name);
  }
  Attribute get(StringRef name) const { return list.get(name); }
  /// Whether `name` is there and is `value`; then it is taken out.
  void dropDefault(StringRef name, Attribute value) {
    if (list.get(name) == value)
      list.erase(name);
  }
  void wrong(StringRef name, Attribute value) {
    op->emitOpError() << "attribute '" << name << "' has unexpected value "
                      << value;
    failed = true;
  }

  Operation *op;
  NamedAttrList list;
  bool failed = false;
};

/// Lists of numbers that StableHLO keeps as array<i64: …>.
constexpr StringLiteral arrayAttributes[] = {
    "base_dilations",
    "broadcast_dimensions",
    "broadcast_sizes",
    "dimensions",
    "edge_padding_high",
    "edge_padding_low",
    "fft_length",
    "interior_padding",
    "known_expanding_dimensions",
    "lhs_dilation",
    "known_nonexpanding_dimensions",
    "limit_indices",
    "permutation",
    "rhs_dilation",
    "slice_sizes",
    "start_indices",
    "strides",
    "window_dimensions",
    "window_dilations",
    "window_strides",
};

/// There are values, and all are `value`.
bool isAll(Attribute attr, int64_t value) {
  if (auto array = dyn_cast_if_present<DenseI64ArrayAttr>(attr))
    return !array.empty() && llvm::all_of(array.asArrayRef(), [&](int64_t v) {
      return v == value;
    });
  auto dense = dyn_cast_if_present<DenseIntElementsAttr>(attr);
  return dense && !dense.empty() &&
         llvm::all_of(dense.getValues<APInt>(), [&](const APInt &v) {
           return v.getSExtValue() == value;
         });
}

void convertArrays(Attributes &attributes) {
  Builder builder(attributes.op->getContext());
  for (StringRef name : arrayAttributes)
    if (isa_and_present<DenseIntElementsAttr>(attributes.get(name)))
      attributes.set(name,
                     builder.getDenseI64ArrayAttr(attributes.takeInts(name)));
  if (auto reversal =
          attributes.take<DenseIntElementsAttr>("window_reversal")) {
    if (!reversal.getElementType().isInteger(1))
      return attributes.wrong("window_reversal", reversal);
    SmallVector<bool> values(reversal.getValues<bool>());
    if (values.empty() || llvm::is_contained(values, true))
      attributes.set("window_reversal", builder.getDenseBoolArrayAttr(values));
  }
}

/// Channels and device ids of collectives.
void convertChannel(Attributes &attributes) {
  MLIRContext *context = attributes.op->getContext();
  if (attributes.get("channel_id")) {
    int64_t handle = attributes.takeInt("channel_id");
    // Only send and recv say between whom.
    bool hasType = static_cast<bool>(attributes.get("channel_type"));
    int64_t type = hasType ? attributes.takeInt("channel_type") : 0;
    if (handle != 0 || hasType)
      attributes.set("channel_handle",
                     ChannelHandleAttr::get(context, handle, type));
  }
  if (attributes.takeBool("use_global_device_ids"))
    attributes.set("use_global_device_ids", UnitAttr::get(context));
}

void convertDotGeneral(Attributes &attributes) {
  MLIRContext *context = attributes.op->getContext();
  auto lhsBatch = attributes.takeInts("lhs_batching_dimensions");
  auto rhsBatch = attributes.takeInts("rhs_batching_dimensions");
  auto lhsContract = attributes.takeInts("lhs_contracting_dimensions");
  auto rhsContract = attributes.takeInts("rhs_contracting_dimensions");
  attributes.set("dot_dimension_numbers",
                 DotDimensionNumbersAttr::get(context, lhsBatch, rhsBatch,
                                              lhsContract, rhsContract));
  Type lhs = attributes.takeType("lhs_precision_type");
  Type rhs = attributes.takeType("rhs_precision_type");
  Type accumulation = attributes.takeType("accumulation_type");
  int64_t lhsCount = attributes.takeInt("lhs_component_count");
  int64_t rhsCount = attributes.takeInt("rhs_component_count");
  int64_t operations = attributes.takeInt("num_primitive_operations");
  bool imprecise = attributes.takeBool("allow_imprecise_accumulation");
  if (!lhs || !rhs || !accumulation)
    return;
  auto algorithm = DotAlgorithmAttr::getChecked(
      [&]() { return attributes.op->emitOpError(); }, context, lhs, rhs,
      accumulation, lhsCount, rhsCount, operations, imprecise);
  if (!algorithm)
    attributes.failed = true;
  attributes.set("algorithm", algorithm);
}

void convertGather(Attributes &attributes) {
  auto offset = attributes.takeInts("offset_dims");
  auto collapsed = attributes.takeInts("collapsed_slice_dims");
  auto batching = attributes.takeInts("operand_batching_dims");
  auto indicesBatching = attributes.takeInts("start_indices_batching_dims");
  auto map = attributes.takeInts("start_index_map");
  int64_t vectorDim = attributes.takeInt("index_vector_dim");
  attributes.set("dimension_numbers",
                 GatherDimensionNumbersAttr::get(
                     attributes.op->getContext(), offset, collapsed, batching,
                     indicesBatching, map, vectorDim));
}

void convertScatter(Attributes &attributes) {
  auto window = attributes.takeInts("update_window_dims");
  auto inserted = attributes.takeInts("inserted_window_dims");
  auto batching = attributes.takeInts("input_batching_dims");
  auto indicesBatching = attributes.takeInts("scatter_indices_batching_dims");
  auto map = attributes.takeInts("scatter_dims_to_operand_dims");
  int64_t vectorDim = attributes.takeInt("index_vector_dim");
  attributes.set("scatter_dimension_numbers",
                 ScatterDimensionNumbersAttr::get(
                     attributes.op->getContext(), window, inserted, batching,
                     indicesBatching, map, vectorDim));
}

void convertConvolution(Attributes &attributes) {
  int64_t inputBatch = attributes.takeInt("input_batch_dimension");
  int64_t inputFeature = attributes.takeInt("input_feature_dimension");
  auto inputSpatial = attributes.takeInts("input_spatial_dimensions");
  int64_t kernelInput = attributes.takeInt("kernel_input_feature_dimension");
  int64_t kernelOutput = attributes.takeInt("kernel_output_feature_dimension");
  auto kernelSpatial = attributes.takeInts("kernel_spatial_dimensions");
  int64_t outputBatch = attributes.takeInt("output_batch_dimension");
  int64_t outputFeature = attributes.takeInt("output_feature_dimension");
  auto outputSpatial = attributes.takeInts("output_spatial_dimensions");
  attributes.set("dimension_numbers",
                 ConvDimensionNumbersAttr::get(
                     attributes.op->getContext(), inputBatch, inputFeature,
                     inputSpatial, kernelInput, kernelOutput, kernelSpatial,
                     outputBatch, outputFeature, outputSpatial));
}

/// Artifacts write every attribute. What says no more than its absence goes.
void dropDefaults(Attributes &attributes, StringRef name) {
  Builder builder(attributes.op->getContext());
  Attribute no = builder.getBoolAttr(false);
  Attribute emptyArray = builder.getArrayAttr({});
  auto dropAll = [&](StringRef attribute, int64_t value) {
    if (isAll(attributes.get(attribute), value))
      attributes.set(attribute, {});
  };
  auto dropEmpty = [&](StringRef attribute) {
    Attribute value = attributes.get(attribute);
    if (auto array = dyn_cast_if_present<DenseI64ArrayAttr>(value);
        array && array.empty())
      attributes.set(attribute, {});
    if (auto dense = dyn_cast_if_present<DenseElementsAttr>(value);
        dense && dense.empty())
      attributes.set(attribute, {});
  };
  attributes.dropDefault("result_accuracy",
                         getDefaultResultAccuracy(attributes.op->getContext()));
  if (auto precision =
          dyn_cast_if_present<ArrayAttr>(attributes.get("precision_config")))
    if (llvm::all_of(precision, [](Attribute attr) {
          auto value = dyn_cast<PrecisionAttr>(attr);
          return value && value.getValue() == Precision::DEFAULT;
        }))
      attributes.set("precision_config", {});
  if (name == "compare")
    if (auto type = dyn_cast_if_present<ComparisonTypeAttr>(
            attributes.get("compare_type"));
        type && type.getValue() == ComparisonType::NOTYPE)
      attributes.set("compare_type", {});
  if (name == "convolution" || name == "dynamic_conv" ||
      name == "reduce_window" || name == "select_and_scatter") {
    for (StringRef ones : {"window_strides", "lhs_dilation", "rhs_dilation",
                           "base_dilations", "window_dilations"})
      dropAll(ones, 1);
    dropAll("padding", 0);
  }
  if (name == "select_and_scatter")
    dropAll("window_dimensions", 1);
  if (name == "custom_call") {
    attributes.dropDefault("has_side_effect", no);
    attributes.dropDefault("backend_config", builder.getStringAttr(""));
    attributes.dropDefault("api_version", builder.getI32IntegerAttr(1));
    for (StringRef list : {"called_computations", "output_operand_aliases"})
      attributes.dropDefault(list, emptyArray);
    // Layouts are given for all or for none.
    if (attributes.get("operand_layouts") == emptyArray &&
        attributes.get("result_layouts") == emptyArray) {
      attributes.set("operand_layouts", {});
      attributes.set("result_layouts", {});
    }
  }
  if (name == "dynamic_broadcast_in_dim") {
    dropEmpty("known_expanding_dimensions");
    dropEmpty("known_nonexpanding_dimensions");
  }
  if (name == "send" || name == "recv") {
    attributes.dropDefault("is_host_transfer", no);
    dropEmpty("source_target_pairs");
  }
  if (name == "infeed") {
    attributes.dropDefault("infeed_config", builder.getStringAttr(""));
    attributes.dropDefault("layout", emptyArray);
  }
  if (name == "outfeed")
    attributes.dropDefault("outfeed_config", builder.getStringAttr(""));
  if (name == "cholesky")
    attributes.dropDefault("lower", no);
  if (name == "sort") {
    attributes.dropDefault("dimension", builder.getI64IntegerAttr(-1));
    attributes.dropDefault("is_stable", no);
  }
  if (name == "gather" || name == "dynamic_gather" || name == "scatter") {
    attributes.dropDefault("indices_are_sorted", no);
    attributes.dropDefault("unique_indices", no);
  }
  if (name == "composite") {
    attributes.dropDefault("composite_attributes",
                           builder.getDictionaryAttr({}));
    // Its default is written with another width.
    if (attributes.get("version"))
      attributes.set("version", builder.getI32IntegerAttr(static_cast<int32_t>(
                                    attributes.takeInt("version"))));
    attributes.dropDefault("version", builder.getI32IntegerAttr(0));
  }
}

/// A name that artifacts write as a string.
void convertSymbol(Attributes &attributes, StringRef name) {
  if (auto symbol = dyn_cast_if_present<StringAttr>(attributes.get(name)))
    attributes.set(name, FlatSymbolRefAttr::get(symbol));
}

LogicalResult convertAttributes(Attributes &attributes, StringRef name) {
  convertArrays(attributes);
  convertChannel(attributes);
  if (name == "dot_general")
    convertDotGeneral(attributes);
  if (name == "gather" || name == "dynamic_gather")
    convertGather(attributes);
  if (name == "scatter")
    convertScatter(attributes);
  if (name == "convolution" || name == "dynamic_conv")
    convertConvolution(attributes);
  // The first version had a static padding beside the operand.
  if (name == "dynamic_conv")
    attributes.set("padding", {});
  if (name == "composite")
    convertSymbol(attributes, "decomposition");
  if (name == "custom_call")
    if (auto calls = dyn_cast_if_present<ArrayAttr>(
            attributes.get("called_computations"))) {
      SmallVector<Attribute> symbols;
      for (Attribute call : calls)
        symbols.push_back(isa<StringAttr>(call)
                              ? FlatSymbolRefAttr::get(cast<StringAttr>(call))
                              : call);
      attributes.set("called_computations",
                     ArrayAttr::get(attributes.op->getContext(), symbols));
    }
  dropDefaults(attributes, name);
  return failure(attributes.failed);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// A dictionary per argument or result; none at all is an empty list.
LogicalResult takeDictionaries(Attributes &attributes, StringRef name,
                               size_t count,
                               SmallVectorImpl<DictionaryAttr> &result) {
  auto list = attributes.take<ArrayAttr>(name);
  if (!list || list.empty())
    return failure(attributes.failed);
  if (list.size() != count ||
      !llvm::all_of(list, llvm::IsaPred<DictionaryAttr>)) {
    attributes.wrong(name, list);
    return failure();
  }
  for (Attribute each : list)
    result.push_back(cast<DictionaryAttr>(each));
  return success();
}

LogicalResult convertFunction(Operation *op) {
  Attributes attributes(op);
  auto name = attributes.take<StringAttr>("sym_name");
  auto type =
      dyn_cast_if_present<FunctionType>(attributes.takeType("function_type"));
  auto visibility = attributes.take<StringAttr>("sym_visibility");
  if (!name || !type || op->getNumRegions() != 1)
    return op->emitOpError("expected a name, a function type and a body");
  SmallVector<DictionaryAttr> arguments, results;
  if (failed(takeDictionaries(attributes, "arg_attrs", type.getNumInputs(),
                              arguments)) ||
      failed(takeDictionaries(attributes, "res_attrs", type.getNumResults(),
                              results)))
    return failure();
  OpBuilder builder(op);
  auto function =
      func::FuncOp::create(builder, op->getLoc(), name.getValue(), type);
  for (NamedAttribute attr : attributes.list)
    function->setDiscardableAttr(attr.getName(), attr.getValue());
  if (visibility && !visibility.empty())
    function.setSymVisibilityAttr(visibility);
  for (auto [i, dictionary] : llvm::enumerate(arguments))
    function.setArgAttrs(i, dictionary);
  for (auto [i, dictionary] : llvm::enumerate(results))
    function.setResultAttrs(i, dictionary);
  function.getBody().takeBody(op->getRegion(0));
  op->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// The unversioned name: `add` for `vhlo.add_v1`; empty if it is none such.
StringRef getBaseName(Operation *op) {
  StringRef name = op->getName().stripDialect();
  size_t end = name.rfind("_v");
  StringRef version = end == StringRef::npos ? "" : name.drop_front(end + 2);
  if (version.empty() || !llvm::all_of(version, llvm::isDigit))
    return "";
  return name.take_front(end);
}

/// A new op with everything that `op` has, but for its name and attributes.
LogicalResult replaceOp(Operation *op, StringRef name,
                        const NamedAttrList &attributes) {
  OperationName newName(name, op->getContext());
  if (!newName.isRegistered())
    return op->emitOpError()
           << "unknown op; the artifact is from a newer version";
  OperationState state(op->getLoc(), newName);
  state.addOperands(op->getOperands());
  state.addTypes(op->getResultTypes());
  state.addAttributes(attributes);
  for (Region &region : op->getRegions())
    state.addRegion()->takeBody(region);
  OpBuilder builder(op);
  Operation *replacement = builder.create(state);
  op->replaceAllUsesWith(replacement);
  op->erase();
  return success();
}

LogicalResult convertOp(Operation *op) {
  StringRef name = getBaseName(op);
  if (name == "func")
    return convertFunction(op);
  Attributes attributes(op);
  if (name == "call") {
    convertSymbol(attributes, "callee");
    return replaceOp(op, func::CallOp::getOperationName(), attributes.list);
  }
  if (name == "return") {
    // Functions are converted after what is in them.
    Operation *parent = op->getParentOp();
    bool ofFunction = isa<func::FuncOp>(parent) ||
                      (parent->getName().getDialectNamespace() == "vhlo" &&
                       getBaseName(parent) == "func");
    return replaceOp(op,
                     ofFunction ? func::ReturnOp::getOperationName()
                                : stablehlo::ReturnOp::getOperationName(),
                     attributes.list);
  }
  if (failed(convertAttributes(attributes, name)))
    return failure();
  return replaceOp(op, ("stablehlo." + name).str(), attributes.list);
}

struct VhloLegalizeToStablehloPass
    : PassWrapper<VhloLegalizeToStablehloPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VhloLegalizeToStablehloPass)
  StringRef getArgument() const override {
    return "vhlo-legalize-to-stablehlo";
  }
  StringRef getDescription() const override {
    return "Turns the versioned ops of a portable artifact into StableHLO";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<func::FuncDialect, stablehlo::StablehloDialect>();
  }
  void runOnOperation() override {
    if (failed(vhlo::legalizeToStablehlo(getOperation())))
      signalPassFailure();
  }
};

} // namespace

LogicalResult vhlo::legalizeToStablehlo(ModuleOp module) {
  // Inner ops first, so that regions move with their ops already converted.
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (op->getName().getDialectNamespace() == "vhlo")
      ops.push_back(op);
  });
  for (Operation *op : ops)
    if (failed(convertOp(op)))
      return failure();
  if (ops.empty())
    return success();
  // Casts between versioned types and those of other dialects' ops are now
  // casts of a type to itself.
  SmallVector<UnrealizedConversionCastOp> casts;
  module.walk([&](UnrealizedConversionCastOp cast) { casts.push_back(cast); });
  for (UnrealizedConversionCastOp cast : casts)
    if (cast->getOperandTypes() == cast->getResultTypes()) {
      cast->replaceAllUsesWith(cast->getOperands());
      cast->erase();
    }
  return success();
}

std::unique_ptr<Pass> vhlo::createVhloLegalizeToStablehloPass() {
  return std::make_unique<VhloLegalizeToStablehloPass>();
}

void vhlo::registerVhloPasses() {
  PassRegistration<VhloLegalizeToStablehloPass>();
}
