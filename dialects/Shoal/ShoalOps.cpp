// Operations of the shoal dialect: assembly of shoal.manual, verifiers.
#include "dialects/Shoal/Shoal.h"
#include "dialects/Shoal/Sharding.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace shoal;

#define GET_OP_CLASSES
#include "dialects/Shoal/Shoal.cpp.inc"

LogicalResult MeshOp::verify() {
  return verifyMesh(getMesh(), [&] { return emitOpError(); });
}

static LogicalResult verifyHeld(Operation *op, ShardingAttr sharding,
                                Type type) {
  if (failed(verifySharding(sharding, type, op,
                            [&] { return op->emitOpError(); })))
    return failure();
  return success();
}

LogicalResult ConstraintOp::verify() {
  return verifyHeld(*this, getSharding(), getType());
}
LogicalResult ReshardOp::verify() {
  return verifyHeld(*this, getSharding(), getType());
}

//===----------------------------------------------------------------------===//
// ManualOp
//===----------------------------------------------------------------------===//

bool ManualOp::isManualAxis(StringRef name) {
  return llvm::any_of(getManualAxes(), [&](Attribute axis) {
    return cast<StringAttr>(axis).getValue() == name;
  });
}

Type ManualOp::getLocalType(Type type, ShardingAttr sharding) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!shaped)
    return type;
  MeshAttr mesh = sharding.getMesh(*this);
  if (!mesh || sharding.getRank() != shaped.getRank())
    return mesh && sharding.getRank() == 0 && mesh.getAxes().empty() ? type
                                                                   : Type();
  SmallVector<int64_t> shape(shaped.getShape());
  for (auto [size, dim] : llvm::zip(shape, sharding.getDims())) {
    for (AxisRefAttr axis : dim.getAxes()) {
      if (!isManualAxis(axis.getName()) || ShapedType::isDynamic(size))
        continue;
      int64_t parts = axis.getSize(mesh);
      if (!parts || size % parts)
        return {};
      size /= parts;
    }
  }
  return shaped.clone(shape);
}

ShardingAttr ManualOp::getFreeSharding(ShardingAttr sharding) {
  auto free = [&](AxisListRef axes) {
    AxisList result(axes);
    llvm::erase_if(result,
                   [&](AxisRefAttr a) { return isManualAxis(a.getName()); });
    return result;
  };
  SmallVector<DimShardingAttr> dims;
  for (DimShardingAttr dim : sharding.getDims())
    dims.push_back(dim.withAxes(free(dim.getAxes())));
  return ShardingAttr::get(sharding.getMeshOrRef(), dims,
                           free(sharding.getReplicated()),
                           sharding.getPartialKind(),
                           free(sharding.getPartialAxes()));
}

static LogicalResult verifyManualSide(ManualOp op, StringRef what,
                                      ValueRange outer, TypeRange inner,
                                      ShardingPerValueAttr shardings) {
  if (shardings.size() != outer.size())
    return op.emitOpError() << "has " << shardings.size() << " " << what
                            << " shardings for " << outer.size() << " values";
  if (inner.size() != outer.size())
    return op.emitOpError() << "has " << outer.size() << " " << what
                            << " values, but its region has " << inner.size();
  for (size_t i = 0; i < outer.size(); ++i) {
    ShardingAttr sharding = shardings.getShardings()[i];
    Type type = outer[i].getType();
    auto emitError = [&] {
      return op.emitOpError() << what << " sharding " << i << ": ";
    };
    if (failed(verifySharding(sharding, type, op, emitError)))
      return failure();
    for (auto [d, dim] : llvm::enumerate(sharding.getDims())) {
      bool free = false;
      for (AxisRefAttr axis : dim.getAxes()) {
        bool manual = op.isManualAxis(axis.getName());
        if (manual && free)
          return emitError() << "dimension " << d
                             << " has the manual axis \"" << axis.getName()
                             << "\" after a free one";
        free |= !manual;
      }
      if (dim.getBlock())
        return emitError() << "a block cannot be given here";
    }
    Type local = op.getLocalType(type, sharding);
    if (!local)
      return emitError() << "type " << type
                         << " does not divide evenly along the manual axes";
    if (local != inner[i])
      return emitError() << "the region's type " << inner[i]
                         << " should be " << local << ", the local shape of "
                         << type;
  }
  return success();
}

LogicalResult ManualOp::verify() {
  for (auto [i, axis] : llvm::enumerate(getManualAxes())) {
    if (llvm::is_contained(getManualAxes().getValue().take_front(i), axis))
      return emitOpError() << "names manual axis " << axis << " twice";
    for (auto outer = (*this)->getParentOfType<ManualOp>(); outer;
         outer = outer->getParentOfType<ManualOp>())
      if (outer.isManualAxis(cast<StringAttr>(axis).getValue()))
        return emitOpError() << "axis " << axis
                             << " is already manual in the enclosing region";
  }
  auto shardingsUse = [&](ShardingPerValueAttr shardings,
                          Attribute axis) -> LogicalResult {
    for (ShardingAttr sharding : shardings.getShardings()) {
      MeshAttr mesh = sharding.getMesh(*this);
      if (mesh && !mesh.hasAxis(cast<StringAttr>(axis).getValue()))
        return emitOpError() << "manual axis " << axis << " is not in mesh "
                             << sharding.getMeshOrRef();
    }
    return success();
  };
  for (Attribute axis : getManualAxes())
    if (failed(shardingsUse(getInShardings(), axis)) ||
        failed(shardingsUse(getOutShardings(), axis)))
      return failure();
  auto terminator = dyn_cast<ReturnOp>(getReturn());
  if (!terminator)
    return emitOpError() << "must end in shoal.return";
  if (failed(verifyManualSide(*this, "in", getInputs(),
                              getBody().getArgumentTypes(),
                              getInShardings())))
    return failure();
  return verifyManualSide(*this, "out", getResults(),
                          terminator.getOperandTypes(), getOutShardings());
}

ParseResult ManualOp::parse(OpAsmParser &p, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> inputs;
  SmallVector<OpAsmParser::Argument> args;
  SMLoc loc = p.getCurrentLocation();
  if (p.parseOperandList(inputs, AsmParser::Delimiter::Paren))
    return failure();
  MLIRContext *context = p.getContext();
  auto parseShardings = [&](StringRef keyword, StringAttr name) -> ParseResult {
    SmallVector<ShardingAttr> list;
    if (p.parseKeyword(keyword) || p.parseEqual() ||
        p.parseCommaSeparatedList(
            AsmParser::Delimiter::Square, [&]() -> ParseResult {
              auto s = cast_if_present<ShardingAttr>(
                  ShardingAttr::parse(p, Type()));
              list.push_back(s);
              return success(s != nullptr);
            }))
      return failure();
    state.addAttribute(name, ShardingPerValueAttr::get(context, list));
    return success();
  };
  SmallVector<Attribute> axes;
  if (parseShardings("in_shardings", getInShardingsAttrName(state.name)) ||
      parseShardings("out_shardings", getOutShardingsAttrName(state.name)) ||
      p.parseKeyword("manual_axes") || p.parseEqual() ||
      p.parseCommaSeparatedList(
          AsmParser::Delimiter::Braces, [&]() -> ParseResult {
            std::string name;
            if (p.parseString(&name))
              return failure();
            axes.push_back(StringAttr::get(context, name));
            return success();
          }))
    return failure();
  state.addAttribute(getManualAxesAttrName(state.name),
                     ArrayAttr::get(context, axes));
  FunctionType type;
  if (p.parseArgumentList(args, AsmParser::Delimiter::Paren,
                          /*allowType=*/true) ||
      p.parseRegion(*state.addRegion(), args) ||
      p.parseOptionalAttrDict(state.attributes) || p.parseColon() ||
      p.parseType(type) ||
      p.resolveOperands(inputs, type.getInputs(), loc, state.operands))
    return failure();
  state.addTypes(type.getResults());
  return success();
}

void ManualOp::print(OpAsmPrinter &p) {
  p << '(';
  p.printOperands(getInputs());
  p << ')';
  auto printShardings = [&](StringRef keyword, ShardingPerValueAttr list) {
    p << ' ' << keyword << "=[";
    llvm::interleaveComma(list.getShardings(), p,
                          [&](ShardingAttr s) { s.print(p); });
    p << ']';
  };
  printShardings("in_shardings", getInShardings());
  printShardings("out_shardings", getOutShardings());
  p << " manual_axes={";
  llvm::interleaveComma(getManualAxes(), p);
  p << "} (";
  llvm::interleaveComma(getBody().getArguments(), p,
                        [&](BlockArgument arg) { p.printRegionArgument(arg); });
  p << ") ";
  p.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  p.printOptionalAttrDict((*this)->getAttrs(),
                          {getInShardingsAttrName(), getOutShardingsAttrName(),
                           getManualAxesAttrName()});
  p << " : ";
  p.printFunctionalType(getInputs().getTypes(), getResultTypes());
}
