// Assembly of the dialect's attributes; those of meshes are in
// MeshAttributes.cpp.
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::stablehlo;

#include "dialects/StableHLO/StableHLOAttrInterfaces.cpp.inc"
#include "dialects/StableHLO/StableHLOEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/StableHLO/StableHLOAttrs.cpp.inc"

void StablehloDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/StableHLO/StableHLOAttrs.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Dispatch by mnemonic
//===----------------------------------------------------------------------===//

/// `bounds<?, 4>`, as type_extensions is printed.
static Attribute parseBounds(DialectAsmParser &parser) {
  SmallVector<int64_t> bounds;
  auto parseBound = [&]() -> ParseResult {
    if (succeeded(parser.parseOptionalQuestion())) {
      bounds.push_back(ShapedType::kDynamic);
      return success();
    }
    return parser.parseInteger(bounds.emplace_back());
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseBound))
    return {};
  return TypeExtensionsAttr::get(parser.getContext(), bounds);
}

Attribute StablehloDialect::parseAttribute(DialectAsmParser &parser,
                                           Type type) const {
  StringRef mnemonic;
  Attribute attr;
  SMLoc loc = parser.getCurrentLocation();
  OptionalParseResult parsed =
      generatedAttributeParser(parser, &mnemonic, type, attr);
  if (parsed.has_value())
    return attr;
  if (mnemonic == "bounds")
    return parseBounds(parser);
  parser.emitError(loc, "unknown stablehlo attribute: ") << mnemonic;
  return {};
}

void StablehloDialect::printAttribute(Attribute attr,
                                      DialectAsmPrinter &os) const {
  if (auto extensions = dyn_cast<TypeExtensionsAttr>(attr)) {
    os << "bounds<";
    llvm::interleaveComma(extensions.getBounds(), os.getStream(),
                          [&](int64_t bound) {
                            if (ShapedType::isDynamic(bound))
                              os << '?';
                            else
                              os << bound;
                          });
    os << '>';
    return;
  }
  (void)generatedAttributePrinter(attr, os);
}

//===----------------------------------------------------------------------===//
// Structures: fields by name, in any order, absent where empty
//===----------------------------------------------------------------------===//
namespace {
struct Field {
  StringRef name;
  SmallVectorImpl<int64_t> *list;
  int64_t *number;
};
} // namespace

/// The fields of a structure, up to (but not including) the closing bracket.
static ParseResult parseFields(AsmParser &parser, ArrayRef<Field> fields) {
  llvm::SmallDenseSet<StringRef> seen;
  StringRef name;
  auto parseField = [&]() -> ParseResult {
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&name))
      return failure();
    const Field *field = llvm::find_if(
        fields, [&](const Field &each) { return each.name == name; });
    if (field == fields.end()) {
      auto diag = parser.emitError(loc) << "expected one of ";
      llvm::interleaveComma(fields, diag, [&](const Field &each) {
        diag << '`' << each.name << '`';
      });
      return diag;
    }
    if (!seen.insert(field->name).second)
      return parser.emitError(loc) << "duplicated `" << name << "` entry";
    if (parser.parseEqual())
      return failure();
    if (field->number)
      return parser.parseInteger(*field->number);
    auto sizes = hlo::parseDimSizes(parser);
    if (failed(sizes))
      return failure();
    field->list->assign(sizes->begin(), sizes->end());
    return success();
  };
  // An empty structure has no fields at all.
  if (succeeded(parser.parseOptionalGreater()))
    return success();
  if (parser.parseCommaSeparatedList(parseField))
    return failure();
  return parser.parseGreater();
}

namespace {
/// Prints what is not empty, and the commas between.
class FieldPrinter {
public:
  explicit FieldPrinter(AsmPrinter &p) : p(p) {}
  void list(StringRef name, ArrayRef<int64_t> values) {
    if (values.empty())
      return;
    begin(name);
    hlo::printDimSizes(p, values);
  }
  void number(StringRef name, int64_t value, bool always = false) {
    if (value == 0 && !always)
      return;
    begin(name);
    p << value;
  }
  void begin(StringRef name) {
    p << separator << name << " = ";
    separator = ", ";
  }

private:
  AsmPrinter &p;
  StringRef separator = "";
};
} // namespace

Attribute ScatterDimensionNumbersAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> updateWindow, insertedWindow, inputBatching,
      indicesBatching, scatterToOperand;
  int64_t indexVectorDim = 0;
  if (parser.parseLess() ||
      parseFields(parser,
                  {{"update_window_dims", &updateWindow, nullptr},
                   {"inserted_window_dims", &insertedWindow, nullptr},
                   {"input_batching_dims", &inputBatching, nullptr},
                   {"scatter_indices_batching_dims", &indicesBatching, nullptr},
                   {"scatter_dims_to_operand_dims", &scatterToOperand, nullptr},
                   {"index_vector_dim", nullptr, &indexVectorDim}}))
    return {};
  return get(parser.getContext(), updateWindow, insertedWindow, inputBatching,
             indicesBatching, scatterToOperand, indexVectorDim);
}

void ScatterDimensionNumbersAttr::print(AsmPrinter &p) const {
  p << '<';
  FieldPrinter fields(p);
  fields.list("update_window_dims", getUpdateWindowDims());
  fields.list("inserted_window_dims", getInsertedWindowDims());
  fields.list("input_batching_dims", getInputBatchingDims());
  fields.list("scatter_indices_batching_dims", getScatterIndicesBatchingDims());
  fields.list("scatter_dims_to_operand_dims", getScatterDimsToOperandDims());
  fields.number("index_vector_dim", getIndexVectorDim());
  p << '>';
}

Attribute GatherDimensionNumbersAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> offset, collapsed, operandBatching, indicesBatching,
      startIndexMap;
  int64_t indexVectorDim = 0;
  if (parser.parseLess() ||
      parseFields(parser,
                  {{"offset_dims", &offset, nullptr},
                   {"collapsed_slice_dims", &collapsed, nullptr},
                   {"operand_batching_dims", &operandBatching, nullptr},
                   {"start_indices_batching_dims", &indicesBatching, nullptr},
                   {"start_index_map", &startIndexMap, nullptr},
                   {"index_vector_dim", nullptr, &indexVectorDim}}))
    return {};
  return get(parser.getContext(), offset, collapsed, operandBatching,
             indicesBatching, startIndexMap, indexVectorDim);
}

void GatherDimensionNumbersAttr::print(AsmPrinter &p) const {
  p << '<';
  FieldPrinter fields(p);
  fields.list("offset_dims", getOffsetDims());
  fields.list("collapsed_slice_dims", getCollapsedSliceDims());
  fields.list("operand_batching_dims", getOperandBatchingDims());
  fields.list("start_indices_batching_dims", getStartIndicesBatchingDims());
  fields.list("start_index_map", getStartIndexMap());
  fields.number("index_vector_dim", getIndexVectorDim());
  p << '>';
}

Attribute DotDimensionNumbersAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> lhsBatching, rhsBatching, lhsContracting, rhsContracting;
  if (parser.parseLess() ||
      parseFields(parser,
                  {{"lhs_batching_dimensions", &lhsBatching, nullptr},
                   {"rhs_batching_dimensions", &rhsBatching, nullptr},
                   {"lhs_contracting_dimensions", &lhsContracting, nullptr},
                   {"rhs_contracting_dimensions", &rhsContracting, nullptr}}))
    return {};
  return get(parser.getContext(), lhsBatching, rhsBatching, lhsContracting,
             rhsContracting);
}

void DotDimensionNumbersAttr::print(AsmPrinter &p) const {
  p << '<';
  FieldPrinter fields(p);
  fields.list("lhs_batching_dimensions", getLhsBatchingDimensions());
  fields.list("rhs_batching_dimensions", getRhsBatchingDimensions());
  fields.list("lhs_contracting_dimensions", getLhsContractingDimensions());
  fields.list("rhs_contracting_dimensions", getRhsContractingDimensions());
  p << '>';
}

LogicalResult DotAlgorithmAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, Type lhsPrecisionType,
    Type rhsPrecisionType, Type accumulationType, int64_t lhsComponentCount,
    int64_t rhsComponentCount, int64_t numPrimitiveOperations, bool) {
  for (Type type : {lhsPrecisionType, rhsPrecisionType, accumulationType})
    if (!isa<FloatType, IntegerType>(type))
      return emitError()
             << "dot algorithm types must be floats or integers, got " << type;
  if (lhsComponentCount < 1 || rhsComponentCount < 1)
    return emitError() << "dot algorithm component counts must be at least 1";
  if (numPrimitiveOperations < 1)
    return emitError()
           << "dot algorithm number of primitive operations must be at least 1";
  return success();
}

//===----------------------------------------------------------------------===//
// Convolution dimensions
//===----------------------------------------------------------------------===//

/// `[b, 0, 1, f]`: letters for the two special dimensions, numbers for the
/// spatial ones.
static ParseResult parseConvolutionDims(AsmParser &parser,
                                        StringRef firstLetter,
                                        StringRef secondLetter, int64_t &first,
                                        int64_t &second,
                                        SmallVectorImpl<int64_t> &spatial) {
  SMLoc loc = parser.getCurrentLocation();
  first = second = -1;
  // Where each spatial dimension is, by number.
  SmallVector<std::pair<int64_t, int64_t>> found;
  int64_t position = 0;
  auto parseOne = [&]() -> ParseResult {
    SMLoc loc = parser.getCurrentLocation();
    if (succeeded(parser.parseOptionalKeyword(firstLetter))) {
      if (first != -1)
        return parser.emitError(loc)
               << "`" << firstLetter << "` is given twice";
      first = position++;
      return success();
    }
    if (succeeded(parser.parseOptionalKeyword(secondLetter))) {
      if (second != -1)
        return parser.emitError(loc)
               << "`" << secondLetter << "` is given twice";
      second = position++;
      return success();
    }
    int64_t number = 0;
    OptionalParseResult parsed = parser.parseOptionalInteger(number);
    if (!parsed.has_value())
      return parser.emitError(loc)
             << "expected `" << firstLetter << "`, `" << secondLetter
             << "` or a spatial dimension";
    if (failed(*parsed))
      return failure();
    found.emplace_back(number, position++);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne))
    return failure();
  if (first == -1 || second == -1)
    return parser.emitError(loc) << "expected both `" << firstLetter
                                 << "` and `" << secondLetter << "`";
  llvm::sort(found);
  for (auto [i, entry] : llvm::enumerate(found)) {
    if (entry.first != static_cast<int64_t>(i))
      return parser.emitError(loc) << "expected spatial dimensions 0 to "
                                   << found.size() - 1 << ", each once";
    spatial.push_back(entry.second);
  }
  return success();
}

ParseResult hlo::parseConvolutionDimensions(AsmParser &parser,
                                            ConvDimensionNumbersAttr &dims) {
  int64_t inputBatch, inputFeature, kernelInput, kernelOutput, outputBatch,
      outputFeature;
  SmallVector<int64_t> inputSpatial, kernelSpatial, outputSpatial;
  SMLoc loc = parser.getCurrentLocation();
  if (parseConvolutionDims(parser, "b", "f", inputBatch, inputFeature,
                           inputSpatial) ||
      parser.parseKeyword("x") ||
      parseConvolutionDims(parser, "i", "o", kernelInput, kernelOutput,
                           kernelSpatial) ||
      parser.parseArrow() ||
      parseConvolutionDims(parser, "b", "f", outputBatch, outputFeature,
                           outputSpatial))
    return failure();
  if (inputSpatial.size() != kernelSpatial.size() ||
      inputSpatial.size() != outputSpatial.size())
    return parser.emitError(
        loc, "expected input, kernel and output to have as many dimensions");
  dims = ConvDimensionNumbersAttr::get(
      parser.getContext(), inputBatch, inputFeature, inputSpatial, kernelInput,
      kernelOutput, kernelSpatial, outputBatch, outputFeature, outputSpatial);
  return success();
}

/// The dimensions in their order, as letters and numbers; nothing if they are
/// not exactly 0 to n-1.
static std::optional<SmallVector<std::string>>
nameConvolutionDims(StringRef firstLetter, int64_t first,
                    StringRef secondLetter, int64_t second,
                    ArrayRef<int64_t> spatial) {
  int64_t rank = spatial.size() + 2;
  SmallVector<std::string> names(rank);
  auto set = [&](int64_t dim, std::string name) {
    if (dim < 0 || dim >= rank || !names[dim].empty())
      return false;
    names[dim] = std::move(name);
    return true;
  };
  if (!set(first, firstLetter.str()) || !set(second, secondLetter.str()))
    return std::nullopt;
  for (auto [i, dim] : llvm::enumerate(spatial))
    if (!set(dim, std::to_string(i)))
      return std::nullopt;
  return names;
}

/// Prints the usual form and returns true, or does nothing.
static bool tryPrintConvolutionDimensions(AsmPrinter &p,
                                          ConvDimensionNumbersAttr dims) {
  auto input = nameConvolutionDims("b", dims.getInputBatchDimension(), "f",
                                   dims.getInputFeatureDimension(),
                                   dims.getInputSpatialDimensions());
  auto kernel = nameConvolutionDims("i", dims.getKernelInputFeatureDimension(),
                                    "o", dims.getKernelOutputFeatureDimension(),
                                    dims.getKernelSpatialDimensions());
  auto output = nameConvolutionDims("b", dims.getOutputBatchDimension(), "f",
                                    dims.getOutputFeatureDimension(),
                                    dims.getOutputSpatialDimensions());
  if (!input || !kernel || !output || input->size() != kernel->size() ||
      input->size() != output->size())
    return false;
  p << '[' << llvm::join(*input, ", ") << "]x[" << llvm::join(*kernel, ", ")
    << "]->[" << llvm::join(*output, ", ") << ']';
  return true;
}

void hlo::printConvolutionDimensions(AsmPrinter &p,
                                     ConvDimensionNumbersAttr dims) {
  // A verified op always has dimensions that can be printed.
  if (!tryPrintConvolutionDimensions(p, dims))
    p << dims;
}

Attribute ConvDimensionNumbersAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  if (succeeded(parser.parseOptionalKeyword("raw"))) {
    int64_t inputBatch = 0, inputFeature = 0, kernelInput = 0, kernelOutput = 0,
            outputBatch = 0, outputFeature = 0;
    SmallVector<int64_t> inputSpatial, kernelSpatial, outputSpatial;
    if (parseFields(
            parser,
            {{"input_batch_dimension", nullptr, &inputBatch},
             {"input_feature_dimension", nullptr, &inputFeature},
             {"input_spatial_dimensions", &inputSpatial, nullptr},
             {"kernel_input_feature_dimension", nullptr, &kernelInput},
             {"kernel_output_feature_dimension", nullptr, &kernelOutput},
             {"kernel_spatial_dimensions", &kernelSpatial, nullptr},
             {"output_batch_dimension", nullptr, &outputBatch},
             {"output_feature_dimension", nullptr, &outputFeature},
             {"output_spatial_dimensions", &outputSpatial, nullptr}}))
      return {};
    return get(parser.getContext(), inputBatch, inputFeature, inputSpatial,
               kernelInput, kernelOutput, kernelSpatial, outputBatch,
               outputFeature, outputSpatial);
  }
  ConvDimensionNumbersAttr dims;
  if (hlo::parseConvolutionDimensions(parser, dims) || parser.parseGreater())
    return {};
  return dims;
}

void ConvDimensionNumbersAttr::print(AsmPrinter &p) const {
  p << '<';
  if (!tryPrintConvolutionDimensions(p, *this)) {
    p << "raw ";
    FieldPrinter fields(p);
    fields.number("input_batch_dimension", getInputBatchDimension(), true);
    fields.number("input_feature_dimension", getInputFeatureDimension(), true);
    fields.list("input_spatial_dimensions", getInputSpatialDimensions());
    fields.number("kernel_input_feature_dimension",
                  getKernelInputFeatureDimension(), true);
    fields.number("kernel_output_feature_dimension",
                  getKernelOutputFeatureDimension(), true);
    fields.list("kernel_spatial_dimensions", getKernelSpatialDimensions());
    fields.number("output_batch_dimension", getOutputBatchDimension(), true);
    fields.number("output_feature_dimension", getOutputFeatureDimension(),
                  true);
    fields.list("output_spatial_dimensions", getOutputSpatialDimensions());
  }
  p << '>';
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

Attribute TypeExtensionsAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess() || parser.parseKeyword("bounds") ||
      parser.parseEqual())
    return {};
  auto bounds = hlo::parseDimSizes(parser);
  if (failed(bounds) || parser.parseGreater())
    return {};
  return get(parser.getContext(), *bounds);
}

void TypeExtensionsAttr::print(AsmPrinter &p) const {
  p << "<bounds = ";
  hlo::printDimSizes(p, getBounds());
  p << '>';
}

LogicalResult TypeExtensionsAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type,
    function_ref<InFlightDiagnostic()> emitError) const {
  if (getBounds().size() != shape.size())
    return emitError() << "Bounds length is " << getBounds().size()
                       << ", expected to be equal to rank(" << shape.size()
                       << ") of the tensor";
  for (auto [dim, sizes] : llvm::enumerate(llvm::zip(shape, getBounds()))) {
    auto [size, bound] = sizes;
    if (ShapedType::isDynamic(bound))
      continue;
    if (!ShapedType::isDynamic(size))
      return emitError() << "Static dimension " << dim
                         << " cannot have a bound, use "
                            "ShapedType::kDynamic to indicate a missing bound";
    if (bound < 0)
      return emitError() << "Bound of dimension " << dim << " is negative";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Result accuracy
//===----------------------------------------------------------------------===//

ResultAccuracyAttr
mlir::stablehlo::getDefaultResultAccuracy(MLIRContext *context) {
  return ResultAccuracyAttr::get(
      context, APFloat(0.0), APFloat(0.0), 0,
      ResultAccuracyModeAttr::get(context, ResultAccuracyMode::DEFAULT));
}

Attribute ResultAccuracyAttr::parse(AsmParser &parser, Type) {
  double atol = 0, rtol = 0;
  int64_t ulps = 0;
  ResultAccuracyModeAttr mode;
  SMLoc start = parser.getCurrentLocation();
  auto parseField = [&]() -> ParseResult {
    SMLoc loc = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return failure();
    if (name == "atol")
      return parser.parseFloat(atol);
    if (name == "rtol")
      return parser.parseFloat(rtol);
    if (name == "ulps")
      return parser.parseInteger(ulps);
    if (name == "mode")
      return parser.parseCustomAttributeWithFallback(mode);
    return parser.emitError(loc, "expected atol, rtol, ulps or mode");
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseField))
    return {};
  if (!mode)
    mode = ResultAccuracyModeAttr::get(parser.getContext(),
                                       ResultAccuracyMode::DEFAULT);
  return parser.getChecked<ResultAccuracyAttr>(
      start, parser.getContext(), APFloat(atol), APFloat(rtol), ulps, mode);
}

void ResultAccuracyAttr::print(AsmPrinter &p) const {
  p << '<';
  FieldPrinter fields(p);
  auto printFloat = [&](StringRef name, const APFloat &value) {
    if (value.isZero())
      return;
    fields.begin(name);
    p << value;
  };
  printFloat("atol", getAtol());
  printFloat("rtol", getRtol());
  fields.number("ulps", getUlps());
  fields.begin("mode");
  p << getMode();
  p << '>';
}

LogicalResult
ResultAccuracyAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                           APFloat atol, APFloat rtol, int64_t ulps,
                           ResultAccuracyModeAttr mode) {
  bool tolerances = !atol.isZero() || !rtol.isZero() || ulps != 0;
  if (atol.isNegative() || rtol.isNegative() || atol.isNaN() || rtol.isNaN() ||
      ulps < 0)
    return emitError() << "expected tolerances that are not negative";
  if (tolerances && mode.getValue() != ResultAccuracyMode::TOLERANCE)
    return emitError()
           << "expected no tolerances where the mode is not TOLERANCE";
  return success();
}
