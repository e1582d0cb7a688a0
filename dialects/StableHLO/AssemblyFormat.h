// Custom directives in the assembly formats of StableHLO and chlo ops. Those
// that leave out types print a full function type where they cannot.

#ifndef SHOAL_DIALECTS_STABLEHLO_ASSEMBLYFORMAT_H
#define SHOAL_DIALECTS_STABLEHLO_ASSEMBLYFORMAT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

namespace mlir::stablehlo {
class ConvDimensionNumbersAttr;
class DotAlgorithmAttr;
class DotDimensionNumbersAttr;
} // namespace mlir::stablehlo

namespace mlir::hlo {

/// `[1, ?, 3]`: a list of sizes, `?` for an unknown one.
void printDimSizes(AsmPrinter &p, ArrayRef<int64_t> sizes);
FailureOr<SmallVector<int64_t>> parseDimSizes(AsmParser &parser);

/// `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`
void printConvolutionDimensions(AsmPrinter &p,
                                stablehlo::ConvDimensionNumbersAttr dims);
ParseResult parseConvolutionDimensions(AsmParser &parser,
                                       stablehlo::ConvDimensionNumbersAttr &dims);

namespace assembly {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

ParseResult parseSameOperandsAndResultTypeList(OpAsmParser &parser,
                                               ArrayRef<Type *> types);
void printSameOperandsAndResultTypeList(OpAsmPrinter &p, ArrayRef<Type> types);

/// One type for all of them, or a function type; the last is the result's.
template <typename... Types>
ParseResult parseSameOperandsAndResultType(OpAsmParser &parser, Types &...types) {
  return parseSameOperandsAndResultTypeList(parser, {&types...});
}
template <typename... Types>
void printSameOperandsAndResultType(OpAsmPrinter &p, Operation *, Types... types) {
  printSameOperandsAndResultTypeList(p, {types...});
}

ParseResult parseVariadicSameOperandsAndResultType(
    OpAsmParser &parser, ArrayRef<OpAsmParser::UnresolvedOperand> operands,
    SmallVectorImpl<Type> &operandTypes, Type &result);
void printVariadicSameOperandsAndResultType(OpAsmPrinter &p, Operation *,
                                            OperandRange operands,
                                            TypeRange operandTypes, Type result);

/// The result's type, if it is the complex one of the operands' type.
ParseResult parseComplexOpType(OpAsmParser &parser, Type &lhs, Type &rhs,
                               Type &result);
void printComplexOpType(OpAsmPrinter &p, Operation *, Type lhs, Type rhs,
                        Type result);

/// The predicate's type and the one of everything else.
ParseResult parseSelectOpType(OpAsmParser &parser, Type &pred, Type &onTrue,
                              Type &onFalse, Type &result);
void printSelectOpType(OpAsmPrinter &p, Operation *, Type pred, Type onTrue,
                       Type onFalse, Type result);

/// The tuple's type, which says the operands' types.
ParseResult parseTupleOpType(OpAsmParser &parser, SmallVectorImpl<Type> &operands,
                             Type &result);
void printTupleOpType(OpAsmPrinter &p, Operation *, TypeRange operands,
                      Type result);

/// A list of types, of operands and results alike.
ParseResult parsePairwiseOpType(OpAsmParser &parser,
                                SmallVectorImpl<Type> &operands,
                                SmallVectorImpl<Type> &results);
void printPairwiseOpType(OpAsmPrinter &p, Operation *, TypeRange operands,
                         TypeRange results);

//===----------------------------------------------------------------------===//
// Operands and attributes
//===----------------------------------------------------------------------===//

/// Operands, a comma after each.
ParseResult parseVariadicOperandWithAttribute(
    OpAsmParser &parser,
    SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands);
void printVariadicOperandWithAttribute(OpAsmPrinter &p, Operation *,
                                       OperandRange operands);

/// `[0:4, 1:8:2]`: start, limit and, where it is not 1, stride.
ParseResult parseSliceRanges(OpAsmParser &parser, DenseI64ArrayAttr &starts,
                             DenseI64ArrayAttr &limits,
                             DenseI64ArrayAttr &strides);
void printSliceRanges(OpAsmPrinter &p, Operation *, DenseI64ArrayAttr starts,
                      DenseI64ArrayAttr limits, DenseI64ArrayAttr strides);

/// `e5m10`
ParseResult parseExponentMantissa(OpAsmParser &parser, IntegerAttr &exponent,
                                  IntegerAttr &mantissa);
void printExponentMantissa(OpAsmPrinter &p, Operation *, IntegerAttr exponent,
                           IntegerAttr mantissa);

/// `@name`
ParseResult parseCustomCallTarget(OpAsmParser &parser, StringAttr &target);
void printCustomCallTarget(OpAsmPrinter &p, Operation *, StringAttr target);

/// `batching_dims = [0] x [0], contracting_dims = [2] x [1]`
ParseResult
parseDotDimensionNumbers(OpAsmParser &parser,
                         stablehlo::DotDimensionNumbersAttr &dims);
void printDotDimensionNumbers(OpAsmPrinter &p, Operation *,
                              stablehlo::DotDimensionNumbersAttr dims);

/// `, precision = [HIGH, DEFAULT]`
ParseResult parsePrecisionConfig(OpAsmParser &parser, ArrayAttr &precision);
void printPrecisionConfig(OpAsmPrinter &p, Operation *, ArrayAttr precision);

/// The same, and `, algorithm = <…>`
ParseResult
parsePrecisionConfigAndAlgorithm(OpAsmParser &parser, ArrayAttr &precision,
                                 stablehlo::DotAlgorithmAttr &algorithm);
void printPrecisionConfigAndAlgorithm(OpAsmPrinter &p, Operation *,
                                      ArrayAttr precision,
                                      stablehlo::DotAlgorithmAttr algorithm);

ParseResult parseConvolutionDimensions(OpAsmParser &parser,
                                       stablehlo::ConvDimensionNumbersAttr &dims);
void printConvolutionDimensions(OpAsmPrinter &p, Operation *,
                                stablehlo::ConvDimensionNumbersAttr dims);

/// `stride = [2, 2], pad = [[0, 1], [1, 0]], …`, in any order.
ParseResult parseWindowAttributes(OpAsmParser &parser, DenseI64ArrayAttr &strides,
                                  DenseIntElementsAttr &padding,
                                  DenseI64ArrayAttr &lhsDilation,
                                  DenseI64ArrayAttr &rhsDilation,
                                  DenseBoolArrayAttr &reversal);
void printWindowAttributes(OpAsmPrinter &p, Operation *, DenseI64ArrayAttr strides,
                           DenseIntElementsAttr padding,
                           DenseI64ArrayAttr lhsDilation,
                           DenseI64ArrayAttr rhsDilation,
                           DenseBoolArrayAttr reversal);

} // namespace assembly
} // namespace mlir::hlo

#endif // SHOAL_DIALECTS_STABLEHLO_ASSEMBLYFORMAT_H
