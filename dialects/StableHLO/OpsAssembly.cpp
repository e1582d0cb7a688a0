// Assembly of ops that no declarative format can express: constant, reduce
// and while; and the names that printed values get.
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace mlir::stablehlo;

//===----------------------------------------------------------------------===//
// constant
//===----------------------------------------------------------------------===//

void ConstantOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (type && isa<IntegerType>(type.getElementType()))
    setNameFn(getResult(), "c");
  else
    setNameFn(getResult(), "cst");
}

// Values of a type other than the result's (integers that stand for quantized
// numbers) have both types, in the generic form without quotes:
// `stablehlo.constant() <{value = …}> : () -> type`.
ParseResult ConstantOp::parse(OpAsmParser &parser, OperationState &result) {
  if (succeeded(parser.parseOptionalLParen())) {
    if (parser.parseRParen())
      return failure();
    if (succeeded(parser.parseOptionalLess()) &&
        (parser.parseAttribute(result.propertiesAttr) || parser.parseGreater()))
      return failure();
    Type type;
    if (parser.parseOptionalAttrDict(result.attributes) ||
        parser.parseColon() || parser.parseLParen() || parser.parseRParen() ||
        parser.parseArrow() || parser.parseType(type))
      return failure();
    result.addTypes(type);
    return success();
  }
  ElementsAttr value;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(result.attributes))
    return failure();
  loc = parser.getCurrentLocation();
  if (parser.parseCustomAttributeWithFallback(value, Type{}))
    return failure();
  if (result.attributes.get("value"))
    return parser.emitError(loc, "the value of a constant is given twice");
  result.getOrAddProperties<ConstantOp::Properties>().value = value;
  result.addTypes(value.getType());
  return success();
}

void ConstantOp::print(OpAsmPrinter &p) {
  if (getValue().getType() != getType()) {
    p.printGenericOp(*this, /*printOpName=*/false);
    return;
  }
  p.printOptionalAttrDict((*this)->getAttrs(), {"value"});
  p << ' ';
  p.printStrippedAttrOrType(getValue());
}

void ConstantOp::build(OpBuilder &, OperationState &result, Attribute value) {
  auto elements = cast<ElementsAttr>(value);
  result.getOrAddProperties<ConstantOp::Properties>().value = elements;
  result.addTypes(elements.getType());
}

OpFoldResult ConstantOp::fold(FoldAdaptor) {
  // A folder's attribute has to have the result's type.
  return getValue().getType() == getType() ? OpFoldResult(getValue())
                                           : OpFoldResult();
}

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

/// The op that a body consists of, if `applies NAME` can stand for it: one op
/// of two scalar arguments in order, whose result is returned, with nothing
/// else to print.
static Operation *getCompactReducer(ReduceOp op) {
  if (op.getInputs().size() != 1 || !op.getBody().hasOneBlock())
    return nullptr;
  Block &block = op.getBody().front();
  if (block.getNumArguments() != 2 || !llvm::hasNItems(block, 2))
    return nullptr;
  Operation &inner = block.front();
  auto ret = dyn_cast<ReturnOp>(block.back());
  if (!ret || ret->getNumOperands() != 1 || inner.getNumResults() != 1 ||
      ret->getOperand(0) != inner.getResult(0) || inner.getNumOperands() != 2 ||
      inner.getNumRegions() != 0 || inner.getNumSuccessors() != 0 ||
      !inner.hasTrait<hlo::OpTrait::IsCommutative>())
    return nullptr;
  if (inner.getOperand(0) != block.getArgument(0) ||
      inner.getOperand(1) != block.getArgument(1))
    return nullptr;
  if (!inner.getAttrs().empty() || !ret->getDiscardableAttrs().empty())
    return nullptr;
  // What is read back gets these types. (And all one location, which is lost
  // here as it is in what JAX prints.)
  auto input = dyn_cast<RankedTensorType>(op.getInputs().front().getType());
  if (!input)
    return nullptr;
  Type scalar = RankedTensorType::get({}, input.getElementType());
  if (block.getArgument(0).getType() != scalar ||
      block.getArgument(1).getType() != scalar ||
      inner.getResult(0).getType() != scalar)
    return nullptr;
  return &inner;
}

void ReduceOp::print(OpAsmPrinter &p) {
  size_t inputs = getInputs().size();
  llvm::interleaveComma(
      llvm::zip_equal(getInputs(), getInitValues()), p, [&](auto pair) {
        p << '(' << std::get<0>(pair) << " init: " << std::get<1>(pair) << ')';
      });
  Operation *compact = getCompactReducer(*this);
  if (compact)
    p << " applies " << compact->getName();
  p << " across dimensions = [";
  llvm::interleaveComma(getDimensions(), p);
  p << ']';
  p.printOptionalAttrDict((*this)->getAttrs(), {"dimensions"});
  p << " : ";
  p.printFunctionalType(*this);
  if (compact)
    return;
  p.printNewline();
  p << " reducer";
  // Each input's two arguments together.
  Block *block = getBody().empty() ? nullptr : &getBody().front();
  for (size_t i = 0; block && i < inputs; ++i) {
    if (i + inputs >= block->getNumArguments())
      break;
    p << '(';
    p.printRegionArgument(block->getArgument(i));
    p << ", ";
    p.printRegionArgument(block->getArgument(i + inputs));
    p << ") ";
  }
  p << ' ';
  p.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

/// The body that `applies NAME` stands for.
static ParseResult buildCompactBody(OpAsmParser &parser, SMLoc loc,
                                    OperationName name, FunctionType type,
                                    Location bodyLoc, Region &body) {
  auto input = type.getNumInputs() == 2
                   ? dyn_cast<RankedTensorType>(type.getInput(0))
                   : RankedTensorType();
  if (!input)
    return parser.emitError(loc, "`applies` takes one ranked input and its "
                                 "initial value; use the reducer form");
  Type scalar = RankedTensorType::get({}, input.getElementType());
  Block &block = body.emplaceBlock();
  block.addArguments({scalar, scalar}, {bodyLoc, bodyLoc});
  // The region has no parent yet to take the context from.
  OpBuilder builder(parser.getContext());
  builder.setInsertionPointToStart(&block);
  OperationState state(bodyLoc, name);
  state.addOperands(block.getArguments());
  state.addTypes(scalar);
  Operation *inner = builder.create(state);
  ReturnOp::create(builder, bodyLoc, inner->getResults());
  return success();
}

ParseResult ReduceOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> inputs, inits;
  SMLoc operandLoc = parser.getCurrentLocation();
  do {
    if (parser.parseLParen() || parser.parseOperand(inputs.emplace_back()) ||
        parser.parseKeyword("init") || parser.parseColon() ||
        parser.parseOperand(inits.emplace_back()) || parser.parseRParen())
      return failure();
  } while (succeeded(parser.parseOptionalComma()));

  std::optional<OperationName> compact;
  SMLoc nameLoc = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("applies"))) {
    nameLoc = parser.getCurrentLocation();
    FailureOr<OperationName> name = parser.parseCustomOperationName();
    if (failed(name))
      return failure();
    if (!name->isRegistered() || !name->hasTrait<hlo::OpTrait::IsCommutative>())
      return parser.emitError(nameLoc)
             << "expected a commutative op of two scalars, got " << *name;
    compact = *name;
  }

  SmallVector<int64_t> dimensions;
  if (parser.parseKeyword("across") || parser.parseKeyword("dimensions") ||
      parser.parseEqual() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parser.parseInteger(dimensions.emplace_back());
      }))
    return failure();
  result.getOrAddProperties<ReduceOp::Properties>().dimensions =
      parser.getBuilder().getDenseI64ArrayAttr(dimensions);

  FunctionType type;
  if (parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonType(type))
    return failure();
  result.addTypes(type.getResults());
  llvm::append_range(inputs, inits);
  if (parser.resolveOperands(inputs, type.getInputs(), operandLoc,
                             result.operands))
    return failure();

  Region *body = result.addRegion();
  if (compact) {
    // The op and its body share one location.
    std::optional<Location> loc;
    if (parser.parseOptionalLocationSpecifier(loc))
      return failure();
    if (loc)
      result.location = *loc;
    return buildCompactBody(parser, nameLoc, *compact, type, result.location,
                            *body);
  }

  if (parser.parseKeyword("reducer"))
    return failure();
  SmallVector<OpAsmParser::Argument> lhs, rhs;
  while (succeeded(parser.parseOptionalLParen())) {
    if (parser.parseArgument(lhs.emplace_back(), /*allowType=*/true) ||
        parser.parseComma() ||
        parser.parseArgument(rhs.emplace_back(), /*allowType=*/true) ||
        parser.parseRParen())
      return failure();
  }
  llvm::append_range(lhs, rhs);
  return parser.parseRegion(*body, lhs);
}

//===----------------------------------------------------------------------===//
// while
//===----------------------------------------------------------------------===//

void WhileOp::getAsmBlockArgumentNames(Region &region,
                                       OpAsmSetValueNameFn setNameFn) {
  for (BlockArgument arg : region.getArguments())
    setNameFn(arg, "iterArg");
}

void WhileOp::print(OpAsmPrinter &p) {
  Region &cond = getCond();
  p << '(';
  llvm::interleaveComma(llvm::zip(cond.getArguments(), getOperands()), p,
                        [&](auto pair) {
                          p.printOperand(std::get<0>(pair));
                          p << " = ";
                          p.printOperand(std::get<1>(pair));
                        });
  p << ')';
  if (getNumOperands()) {
    p << " : ";
    llvm::interleaveComma(getOperandTypes(), p);
  }
  p.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  p.printNewline();
  p << "cond ";
  p.printRegion(cond, /*printEntryBlockArgs=*/false);
  p << " do ";
  // The body's arguments are printed under the names that the condition's have.
  if (getBody().getNumArguments() == cond.getNumArguments())
    p.shadowRegionArgs(getBody(), cond.getArguments());
  p.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

ParseResult WhileOp::parse(OpAsmParser &parser, OperationState &result) {
  SMLoc loc = parser.getCurrentLocation();
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<OpAsmParser::Argument> args;
  auto parsePair = [&]() -> ParseResult {
    return failure(parser.parseArgument(args.emplace_back()) ||
                   parser.parseEqual() ||
                   parser.parseOperand(operands.emplace_back()));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parsePair))
    return failure();
  SmallVector<Type> types;
  if (!operands.empty() && (parser.parseColon() || parser.parseTypeList(types)))
    return failure();
  if (types.size() != operands.size())
    return parser.emitError(loc)
           << "expected " << operands.size() << " types, got " << types.size();
  for (auto [arg, type] : llvm::zip(args, types))
    arg.type = type;
  if (parser.resolveOperands(operands, types, loc, result.operands) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseKeyword("cond") ||
      parser.parseRegion(*result.addRegion(), args) ||
      parser.parseKeyword("do") ||
      parser.parseRegion(*result.addRegion(), args))
    return failure();
  result.addTypes(types);
  return success();
}
