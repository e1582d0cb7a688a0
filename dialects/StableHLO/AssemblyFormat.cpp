#include "dialects/StableHLO/AssemblyFormat.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::hlo;
using stablehlo::ConvDimensionNumbersAttr;
using stablehlo::DotAlgorithmAttr;
using stablehlo::DotDimensionNumbersAttr;

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

void mlir::hlo::printDimSizes(AsmPrinter &p, ArrayRef<int64_t> sizes) {
  p << '[';
  llvm::interleaveComma(sizes, p.getStream(), [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      p << '?';
    else
      p << size;
  });
  p << ']';
}

FailureOr<SmallVector<int64_t>> mlir::hlo::parseDimSizes(AsmParser &parser) {
  SmallVector<int64_t> sizes;
  auto parseSize = [&]() -> ParseResult {
    if (succeeded(parser.parseOptionalQuestion())) {
      sizes.push_back(ShapedType::kDynamic);
      return success();
    }
    return parser.parseInteger(sizes.emplace_back());
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseSize))
    return failure();
  return sizes;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// Spreads a function type over operands (the first ones) and the result.
static ParseResult assignFunctionType(OpAsmParser &parser, SMLoc loc,
                                      FunctionType type,
                                      ArrayRef<Type *> operands, Type &result) {
  if (type.getNumInputs() != operands.size())
    return parser.emitError(loc)
           << operands.size() << " operands present, but expected "
           << type.getNumInputs();
  if (type.getNumResults() != 1)
    return parser.emitError(loc, "expected a single result type");
  for (auto [operand, input] : llvm::zip(operands, type.getInputs()))
    *operand = input;
  result = type.getResult(0);
  return success();
}

ParseResult mlir::hlo::assembly::parseSameOperandsAndResultTypeList(
    OpAsmParser &parser, ArrayRef<Type *> types) {
  SMLoc loc = parser.getCurrentLocation();
  Type type;
  if (parser.parseType(type))
    return failure();
  if (auto function = dyn_cast<FunctionType>(type))
    return assignFunctionType(parser, loc, function, types.drop_back(),
                              *types.back());
  for (Type *each : types)
    *each = type;
  return success();
}

void mlir::hlo::assembly::printSameOperandsAndResultTypeList(
    OpAsmPrinter &p, ArrayRef<Type> types) {
  if (llvm::all_equal(types)) {
    p << types.back();
    return;
  }
  p.printFunctionalType(TypeRange(types.drop_back()),
                        TypeRange(types.take_back()));
}

ParseResult mlir::hlo::assembly::parseVariadicSameOperandsAndResultType(
    OpAsmParser &parser, ArrayRef<OpAsmParser::UnresolvedOperand> operands,
    SmallVectorImpl<Type> &operandTypes, Type &result) {
  operandTypes.resize(operands.size());
  SmallVector<Type *> types;
  for (Type &type : operandTypes)
    types.push_back(&type);
  types.push_back(&result);
  return parseSameOperandsAndResultTypeList(parser, types);
}

void mlir::hlo::assembly::printVariadicSameOperandsAndResultType(
    OpAsmPrinter &p, Operation *, OperandRange, TypeRange operandTypes,
    Type result) {
  SmallVector<Type> types(operandTypes);
  types.push_back(result);
  printSameOperandsAndResultTypeList(p, types);
}

ParseResult mlir::hlo::assembly::parseComplexOpType(OpAsmParser &parser,
                                                    Type &lhs, Type &rhs,
                                                    Type &result) {
  SMLoc loc = parser.getCurrentLocation();
  Type type;
  if (parser.parseType(type))
    return failure();
  if (auto function = dyn_cast<FunctionType>(type))
    return assignFunctionType(parser, loc, function, {&lhs, &rhs}, result);
  auto tensor = dyn_cast<TensorType>(type);
  if (!tensor || !isa<ComplexType>(tensor.getElementType()))
    return parser.emitError(loc, "expected tensor with complex element type");
  lhs = rhs = createRealType(tensor);
  result = type;
  return success();
}

void mlir::hlo::assembly::printComplexOpType(OpAsmPrinter &p, Operation *,
                                             Type lhs, Type rhs, Type result) {
  if (lhs == rhs && lhs == createRealType(result)) {
    p << result;
    return;
  }
  p.printFunctionalType(TypeRange{lhs, rhs}, TypeRange{result});
}

ParseResult mlir::hlo::assembly::parseSelectOpType(OpAsmParser &parser,
                                                   Type &pred, Type &onTrue,
                                                   Type &onFalse,
                                                   Type &result) {
  SMLoc loc = parser.getCurrentLocation();
  SmallVector<Type> types;
  if (parser.parseTypeList(types))
    return failure();
  if (types.size() == 2) {
    pred = types[0];
    onTrue = onFalse = result = types[1];
    return success();
  }
  if (types.size() == 1)
    if (auto function = dyn_cast<FunctionType>(types[0]))
      return assignFunctionType(parser, loc, function,
                                {&pred, &onTrue, &onFalse}, result);
  return parser.emitError(loc, "expected functional type or list of two types");
}

void mlir::hlo::assembly::printSelectOpType(OpAsmPrinter &p, Operation *,
                                            Type pred, Type onTrue,
                                            Type onFalse, Type result) {
  if (onTrue == onFalse && onTrue == result) {
    p << pred << ", " << result;
    return;
  }
  p.printFunctionalType(TypeRange{pred, onTrue, onFalse}, TypeRange{result});
}

ParseResult mlir::hlo::assembly::parseTupleOpType(
    OpAsmParser &parser, SmallVectorImpl<Type> &operands, Type &result) {
  SMLoc loc = parser.getCurrentLocation();
  Type type;
  if (parser.parseType(type))
    return failure();
  if (auto tuple = dyn_cast<TupleType>(type)) {
    llvm::append_range(operands, tuple.getTypes());
    result = type;
    return success();
  }
  auto function = dyn_cast<FunctionType>(type);
  if (!function || function.getNumResults() != 1)
    return parser.emitError(loc, "expected tuple type");
  llvm::append_range(operands, function.getInputs());
  result = function.getResult(0);
  return success();
}

void mlir::hlo::assembly::printTupleOpType(OpAsmPrinter &p, Operation *,
                                           TypeRange operands, Type result) {
  auto tuple = dyn_cast<TupleType>(result);
  if (tuple && TypeRange(tuple.getTypes()) == operands)
    p << result;
  else
    p.printFunctionalType(operands, TypeRange{result});
}

ParseResult
mlir::hlo::assembly::parsePairwiseOpType(OpAsmParser &parser,
                                         SmallVectorImpl<Type> &operands,
                                         SmallVectorImpl<Type> &results) {
  if (parser.parseTypeList(operands))
    return failure();
  llvm::append_range(results, operands);
  return success();
}

void mlir::hlo::assembly::printPairwiseOpType(OpAsmPrinter &p, Operation *,
                                              TypeRange operands, TypeRange) {
  llvm::interleaveComma(operands, p);
}

//===----------------------------------------------------------------------===//
// Operands and plain attributes
//===----------------------------------------------------------------------===//

ParseResult mlir::hlo::assembly::parseVariadicOperandWithAttribute(
    OpAsmParser &parser,
    SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands) {
  while (true) {
    OpAsmParser::UnresolvedOperand operand;
    OptionalParseResult present = parser.parseOptionalOperand(operand);
    if (!present.has_value()) {
      // Without operands a lone comma is printed.
      if (operands.empty())
        (void)parser.parseOptionalComma();
      return success();
    }
    if (failed(*present) || parser.parseComma())
      return failure();
    operands.push_back(operand);
  }
}

void mlir::hlo::assembly::printVariadicOperandWithAttribute(
    OpAsmPrinter &p, Operation *, OperandRange operands) {
  p.printOperands(operands);
  p << ',';
}

ParseResult mlir::hlo::assembly::parseSliceRanges(OpAsmParser &parser,
                                                  DenseI64ArrayAttr &starts,
                                                  DenseI64ArrayAttr &limits,
                                                  DenseI64ArrayAttr &strides) {
  SmallVector<int64_t> start, limit, stride;
  auto parseRange = [&]() -> ParseResult {
    if (parser.parseInteger(start.emplace_back()) || parser.parseColon() ||
        parser.parseInteger(limit.emplace_back()))
      return failure();
    stride.push_back(1);
    if (succeeded(parser.parseOptionalColon()))
      return parser.parseInteger(stride.back());
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseRange))
    return failure();
  starts = parser.getBuilder().getDenseI64ArrayAttr(start);
  limits = parser.getBuilder().getDenseI64ArrayAttr(limit);
  strides = parser.getBuilder().getDenseI64ArrayAttr(stride);
  return success();
}

void mlir::hlo::assembly::printSliceRanges(OpAsmPrinter &p, Operation *,
                                           DenseI64ArrayAttr starts,
                                           DenseI64ArrayAttr limits,
                                           DenseI64ArrayAttr strides) {
  p << '[';
  llvm::interleaveComma(
      llvm::zip(starts.asArrayRef(), limits.asArrayRef(), strides.asArrayRef()),
      p, [&](auto range) {
        auto [start, limit, stride] = range;
        p << start << ':' << limit;
        if (stride != 1)
          p << ':' << stride;
      });
  p << ']';
}

ParseResult mlir::hlo::assembly::parseExponentMantissa(OpAsmParser &parser,
                                                       IntegerAttr &exponent,
                                                       IntegerAttr &mantissa) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef text;
  if (parser.parseKeyword(&text))
    return failure();
  auto [exponentText, mantissaText] = text.split('m');
  int32_t exponentBits = 0, mantissaBits = 0;
  if (!exponentText.consume_front("e") ||
      exponentText.getAsInteger(10, exponentBits) ||
      mantissaText.getAsInteger(10, mantissaBits))
    return parser.emitError(loc, "expected a float format such as e5m10, got ")
           << text;
  exponent = parser.getBuilder().getI32IntegerAttr(exponentBits);
  mantissa = parser.getBuilder().getI32IntegerAttr(mantissaBits);
  return success();
}

void mlir::hlo::assembly::printExponentMantissa(OpAsmPrinter &p, Operation *,
                                                IntegerAttr exponent,
                                                IntegerAttr mantissa) {
  p << 'e' << exponent.getValue() << 'm' << mantissa.getValue();
}

ParseResult mlir::hlo::assembly::parseCustomCallTarget(OpAsmParser &parser,
                                                       StringAttr &target) {
  return parser.parseSymbolName(target);
}

void mlir::hlo::assembly::printCustomCallTarget(OpAsmPrinter &p, Operation *,
                                                StringAttr target) {
  p.printSymbolName(target.getValue());
}

//===----------------------------------------------------------------------===//
// Dots
//===----------------------------------------------------------------------===//

ParseResult
mlir::hlo::assembly::parseDotDimensionNumbers(OpAsmParser &parser,
                                              DotDimensionNumbersAttr &dims) {
  auto parsePair = [&](SmallVector<int64_t> &lhs, SmallVector<int64_t> &rhs) {
    if (parser.parseEqual())
      return failure();
    auto left = parseDimSizes(parser);
    if (failed(left) || parser.parseKeyword("x"))
      return failure();
    auto right = parseDimSizes(parser);
    if (failed(right))
      return failure();
    lhs = *left;
    rhs = *right;
    return success();
  };
  SmallVector<int64_t> lhsBatch, rhsBatch, lhsContract, rhsContract;
  if (succeeded(parser.parseOptionalKeyword("batching_dims")))
    if (failed(parsePair(lhsBatch, rhsBatch)) || parser.parseComma())
      return failure();
  if (parser.parseKeyword("contracting_dims") ||
      failed(parsePair(lhsContract, rhsContract)))
    return failure();
  dims = DotDimensionNumbersAttr::get(parser.getContext(), lhsBatch, rhsBatch,
                                      lhsContract, rhsContract);
  return success();
}

void mlir::hlo::assembly::printDotDimensionNumbers(
    OpAsmPrinter &p, Operation *, DotDimensionNumbersAttr dims) {
  if (!dims.getLhsBatchingDimensions().empty() ||
      !dims.getRhsBatchingDimensions().empty()) {
    p << "batching_dims = ";
    printDimSizes(p, dims.getLhsBatchingDimensions());
    p << " x ";
    printDimSizes(p, dims.getRhsBatchingDimensions());
    p << ", ";
  }
  p << "contracting_dims = ";
  printDimSizes(p, dims.getLhsContractingDimensions());
  p << " x ";
  printDimSizes(p, dims.getRhsContractingDimensions());
}

/// What follows `precision`.
static ParseResult parsePrecisionList(OpAsmParser &parser,
                                      ArrayAttr &precision) {
  SmallVector<Attribute> list;
  auto parseOne = [&]() -> ParseResult {
    SMLoc loc = parser.getCurrentLocation();
    StringRef keyword;
    if (parser.parseKeyword(&keyword))
      return failure();
    auto value = stablehlo::symbolizePrecision(keyword);
    if (!value)
      return parser.emitError(loc, "expected DEFAULT, HIGH or HIGHEST, got ")
             << keyword;
    list.push_back(stablehlo::PrecisionAttr::get(parser.getContext(), *value));
    return success();
  };
  if (parser.parseEqual() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne))
    return failure();
  precision = parser.getBuilder().getArrayAttr(list);
  return success();
}

ParseResult mlir::hlo::assembly::parsePrecisionConfig(OpAsmParser &parser,
                                                      ArrayAttr &precision) {
  if (failed(parser.parseOptionalComma()))
    return success();
  if (parser.parseKeyword("precision"))
    return failure();
  return parsePrecisionList(parser, precision);
}

void mlir::hlo::assembly::printPrecisionConfig(OpAsmPrinter &p, Operation *,
                                               ArrayAttr precision) {
  if (!precision)
    return;
  p << ", precision = [";
  llvm::interleaveComma(precision, p, [&](Attribute attr) {
    if (auto value = dyn_cast<stablehlo::PrecisionAttr>(attr))
      p << stablehlo::stringifyPrecision(value.getValue());
    else
      p << attr;
  });
  p << ']';
}

ParseResult mlir::hlo::assembly::parsePrecisionConfigAndAlgorithm(
    OpAsmParser &parser, ArrayAttr &precision, DotAlgorithmAttr &algorithm) {
  while (succeeded(parser.parseOptionalComma())) {
    SMLoc loc = parser.getCurrentLocation();
    StringRef keyword;
    if (parser.parseKeyword(&keyword))
      return failure();
    if (keyword == "precision" && !precision && !algorithm) {
      if (parsePrecisionList(parser, precision))
        return failure();
    } else if (keyword == "algorithm" && !algorithm) {
      if (parser.parseEqual() ||
          parser.parseCustomAttributeWithFallback(algorithm))
        return failure();
    } else {
      return parser.emitError(loc, "expected precision, then algorithm");
    }
  }
  return success();
}

void mlir::hlo::assembly::printPrecisionConfigAndAlgorithm(
    OpAsmPrinter &p, Operation *op, ArrayAttr precision,
    DotAlgorithmAttr algorithm) {
  printPrecisionConfig(p, op, precision);
  if (!algorithm)
    return;
  p << ", algorithm = ";
  p.printStrippedAttrOrType(algorithm);
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

ParseResult mlir::hlo::assembly::parseConvolutionDimensions(
    OpAsmParser &parser, ConvDimensionNumbersAttr &dims) {
  return hlo::parseConvolutionDimensions(static_cast<AsmParser &>(parser),
                                         dims);
}

void mlir::hlo::assembly::printConvolutionDimensions(
    OpAsmPrinter &p, Operation *, ConvDimensionNumbersAttr dims) {
  hlo::printConvolutionDimensions(static_cast<AsmPrinter &>(p), dims);
}

/// `[[0, 1], [1, 0]]` as a tensor of n x 2.
static ParseResult parsePaddingList(OpAsmParser &parser,
                                    DenseIntElementsAttr &padding) {
  SmallVector<int64_t> values;
  int64_t rows = 0;
  SMLoc loc = parser.getCurrentLocation();
  auto parseRow = [&]() -> ParseResult {
    ++rows;
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
      return parser.parseInteger(values.emplace_back());
    });
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseRow))
    return failure();
  if (static_cast<int64_t>(values.size()) != 2 * rows)
    return parser.emitError(loc, "expected a pair of paddings per dimension");
  auto type =
      RankedTensorType::get({rows, 2}, parser.getBuilder().getI64Type());
  padding = DenseIntElementsAttr::get(type, values);
  return success();
}

ParseResult mlir::hlo::assembly::parseWindowAttributes(
    OpAsmParser &parser, DenseI64ArrayAttr &strides,
    DenseIntElementsAttr &padding, DenseI64ArrayAttr &lhsDilation,
    DenseI64ArrayAttr &rhsDilation, DenseBoolArrayAttr &reversal) {
  auto parseInts = [&](DenseI64ArrayAttr &attr) -> ParseResult {
    SmallVector<int64_t> values;
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
          return parser.parseInteger(values.emplace_back());
        }))
      return failure();
    attr = parser.getBuilder().getDenseI64ArrayAttr(values);
    return success();
  };
  auto parseBools = [&](DenseBoolArrayAttr &attr) -> ParseResult {
    SmallVector<bool> values;
    auto parseBool = [&]() -> ParseResult {
      if (succeeded(parser.parseOptionalKeyword("true")))
        values.push_back(true);
      else if (succeeded(parser.parseOptionalKeyword("false")))
        values.push_back(false);
      else {
        int64_t value = 0;
        if (parser.parseInteger(value))
          return failure();
        values.push_back(value != 0);
      }
      return success();
    };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseBool))
      return failure();
    attr = parser.getBuilder().getDenseBoolArrayAttr(values);
    return success();
  };

  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  bool present = succeeded(parser.parseOptionalKeyword(
      &keyword, {"stride", "pad", "lhs_dilate", "rhs_dilate", "reverse"}));
  while (present) {
    if (parser.parseEqual())
      return failure();
    bool again = (keyword == "stride" && strides) ||
                 (keyword == "pad" && padding) ||
                 (keyword == "lhs_dilate" && lhsDilation) ||
                 (keyword == "rhs_dilate" && rhsDilation) ||
                 (keyword == "reverse" && reversal);
    if (again)
      return parser.emitError(loc) << keyword << " is given twice";
    ParseResult parsed = keyword == "stride" ? parseInts(strides)
                         : keyword == "pad"  ? parsePaddingList(parser, padding)
                         : keyword == "lhs_dilate" ? parseInts(lhsDilation)
                         : keyword == "rhs_dilate" ? parseInts(rhsDilation)
                                                   : parseBools(reversal);
    if (parsed)
      return failure();
    if (failed(parser.parseOptionalComma()))
      break;
    loc = parser.getCurrentLocation();
    if (failed(parser.parseOptionalKeyword(
            &keyword,
            {"stride", "pad", "lhs_dilate", "rhs_dilate", "reverse"})))
      return parser.emitError(
          loc, "expected stride, pad, lhs_dilate, rhs_dilate or reverse");
  }
  return success();
}

void mlir::hlo::assembly::printWindowAttributes(OpAsmPrinter &p, Operation *,
                                                DenseI64ArrayAttr strides,
                                                DenseIntElementsAttr padding,
                                                DenseI64ArrayAttr lhsDilation,
                                                DenseI64ArrayAttr rhsDilation,
                                                DenseBoolArrayAttr reversal) {
  StringRef separator = "";
  auto begin = [&](StringRef name) {
    p << separator << name << " = ";
    separator = ", ";
  };
  auto printInts = [&](StringRef name, DenseI64ArrayAttr attr) {
    if (!attr)
      return;
    begin(name);
    p << '[';
    llvm::interleaveComma(attr.asArrayRef(), p);
    p << ']';
  };
  printInts("stride", strides);
  if (padding) {
    begin("pad");
    p << '[';
    SmallVector<int64_t> values;
    for (APInt value : padding.getValues<APInt>())
      values.push_back(value.getSExtValue());
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      p << (i ? ", " : "") << '[' << values[i] << ", " << values[i + 1] << ']';
    p << ']';
  }
  printInts("lhs_dilate", lhsDilation);
  printInts("rhs_dilate", rhsDilation);
  if (reversal) {
    begin("reverse");
    p << '[';
    llvm::interleaveComma(reversal.asArrayRef(), p,
                          [&](bool value) { p << (value ? "true" : "false"); });
    p << ']';
  }
}
