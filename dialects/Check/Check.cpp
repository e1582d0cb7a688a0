// The dialect, and the assembly of the ops whose attributes stand in it as
// `name = value`, in any order.
#include "dialects/Check/Check.h"

using namespace mlir;
using namespace mlir::check;

#include "dialects/Check/CheckDialect.cpp.inc"

void CheckDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Check/Check.cpp.inc"
      >();
}

ParseResult ExpectCloseOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::UnresolvedOperand actual, expected;
  SmallVector<Type, 2> types;
  Type ui64 = parser.getBuilder().getIntegerType(64, /*isSigned=*/false);
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOperand(actual) || parser.parseComma() ||
      parser.parseOperand(expected))
    return failure();
  while (succeeded(parser.parseOptionalComma())) {
    StringRef name;
    uint64_t value;
    SMLoc nameLoc = parser.getCurrentLocation();
    if (parser.parseKeyword(&name) || parser.parseEqual() ||
        parser.parseInteger(value))
      return failure();
    if ((name != "max_ulp_difference" && name != "min_ulp_difference") ||
        result.attributes.get(name))
      return parser.emitError(nameLoc, "unknown or repeated attribute '")
             << name << "'";
    result.addAttribute(name, IntegerAttr::get(ui64, APInt(64, value)));
  }
  if (parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonTypeList(types))
    return failure();
  if (types.size() == 1)
    types.push_back(types.front());
  return parser.resolveOperands({actual, expected}, types, loc,
                                result.operands);
}

void ExpectCloseOp::print(OpAsmPrinter &printer) {
  printer << " " << getActual() << ", " << getExpected();
  if (getMaxUlpDifference() != 1)
    printer << ", max_ulp_difference = " << getMaxUlpDifference();
  if (getMinUlpDifference() != 0)
    printer << ", min_ulp_difference = " << getMinUlpDifference();
  printer.printOptionalAttrDict((*this)->getAttrs(),
                                {"max_ulp_difference", "min_ulp_difference"});
  printer << " : " << getActual().getType() << ", " << getExpected().getType();
}

ParseResult ExpectSerializedEqOp::parse(OpAsmParser &parser,
                                        OperationState &result) {
  OpAsmParser::UnresolvedOperand expected;
  Type type;
  std::string probe;
  if (parser.parseOperand(expected) || parser.parseComma() ||
      parser.parseKeyword("probe_id") || parser.parseEqual() ||
      parser.parseString(&probe))
    return failure();
  result.addAttribute("probe_id", parser.getBuilder().getStringAttr(probe));
  if (succeeded(parser.parseOptionalComma())) {
    int32_t iteration;
    if (failed(parser.parseOptionalKeyword("iteration")) &&
        parser.parseKeyword("iterations"))
      return failure();
    if (parser.parseEqual() || parser.parseInteger(iteration))
      return failure();
    result.addAttribute("iteration",
                        parser.getBuilder().getI32IntegerAttr(iteration));
  }
  if (parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonType(type))
    return failure();
  return parser.resolveOperand(expected, type, result.operands);
}

void ExpectSerializedEqOp::print(OpAsmPrinter &printer) {
  printer << " " << getExpected() << ", probe_id = ";
  printer.printString(getProbeId());
  if (getIteration() != 1)
    printer << ", iteration = " << getIteration();
  printer.printOptionalAttrDict((*this)->getAttrs(), {"probe_id", "iteration"});
  printer << " : " << getExpected().getType();
}

#define GET_OP_CLASSES
#include "dialects/Check/Check.cpp.inc"
