// Operations of the comm dialect: verifiers, bytes sent, assembly.
#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::comm;

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

static LogicalResult verifyGroups(Operation *op, GroupsAttr groups) {
  if (!groups.isTable()) {
    MeshAttr mesh = groups.getMesh(op);
    if (!mesh)
      return op->emitOpError() << "unknown mesh " << groups.getMeshOrRef();
    return verifyAxisList(groups.getAxes(), mesh,
                          [&] { return op->emitOpError(); });
  }
  llvm::DenseSet<int64_t> seen;
  size_t size = 0;
  for (const auto &group : groups.getDeviceGroups(op)) {
    if (group.empty())
      return op->emitOpError() << "has an empty group";
    if (size && group.size() != size)
      return op->emitOpError() << "has groups of different sizes, " << size
                               << " and " << group.size();
    size = group.size();
    for (int64_t id : group)
      if (id < 0 || id >= kMaxDevices || !seen.insert(id).second)
        return op->emitOpError()
               << "device id " << id
               << (id < 0 || id >= kMaxDevices ? " is out of range"
                                               : " is in two groups");
  }
  if (!size)
    return op->emitOpError() << "has no groups";
  return success();
}

/// Element types equal, ranks equal, all dimensions equal but those in `but`.
static LogicalResult verifySame(Operation *op, Type a, Type b,
                                ArrayRef<int64_t> but) {
  auto x = cast<RankedTensorType>(a), y = cast<RankedTensorType>(b);
  if (x.getElementType() != y.getElementType())
    return op->emitOpError() << "has element types " << x.getElementType()
                             << " and " << y.getElementType();
  if (x.getRank() != y.getRank())
    return op->emitOpError()
           << "has ranks " << x.getRank() << " and " << y.getRank();
  for (int64_t d : but)
    if (d < 0 || d >= x.getRank())
      return op->emitOpError() << "has no dimension " << d;
  for (int64_t d = 0; d < x.getRank(); ++d)
    if (!llvm::is_contained(but, d) && x.getDimSize(d) != y.getDimSize(d))
      return op->emitOpError()
             << "dimension " << d << " differs: " << x.getDimSize(d) << " and "
             << y.getDimSize(d);
  return success();
}

/// `whole` elements in `n` blocks of `block`.
static LogicalResult verifyBlocks(Operation *op, int64_t whole, int64_t block,
                                  int64_t n) {
  if (ShapedType::isDynamic(whole) || ShapedType::isDynamic(block))
    return success();
  if (whole > block * n)
    return op->emitOpError()
           << n << " blocks of " << block << " elements do not hold " << whole;
  return success();
}

static int64_t dimSize(Value value, int64_t dim) {
  return cast<RankedTensorType>(value.getType()).getDimSize(dim);
}

/// (n-1)/n of bytes; 0 for an unknown group.
static int64_t ringShare(int64_t bytes, int64_t n) {
  return n > 0 ? bytes / n * (n - 1) + bytes % n * (n - 1) / n : 0;
}

static LogicalResult verifyKind(Operation *op, ReductionKind kind, Type type) {
  Type element = getElementTypeOrSelf(type);
  bool bits = kind == ReductionKind::And || kind == ReductionKind::Or ||
              kind == ReductionKind::Xor;
  bool order = kind == ReductionKind::Min || kind == ReductionKind::Max;
  if ((bits && !element.isIntOrIndex()) || (order && isa<ComplexType>(element)))
    return op->emitOpError() << "cannot reduce " << element << " with '"
                             << stringifyReductionKind(kind) << "'";
  return success();
}

//===----------------------------------------------------------------------===//
// Gather, scatter, reduce, all-to-all
//===----------------------------------------------------------------------===//

LogicalResult AllGatherOp::verify() {
  int64_t d = getDim();
  if (failed(verifyGroups(*this, getGroups())) ||
      failed(
          verifySame(*this, getInput().getType(), getResult().getType(), {d})))
    return failure();
  return verifyBlocks(*this, dimSize(getResult(), d), dimSize(getInput(), d),
                      getGroups().getGroupSize(*this));
}
int64_t AllGatherOp::getBytesSentPerDevice() {
  int64_t n = getGroups().getGroupSize(*this);
  return ringShare(getTensorBytes(getInput().getType()) * n, n);
}

LogicalResult ReduceScatterOp::verify() {
  int64_t d = getDim();
  if (failed(verifyGroups(*this, getGroups())) ||
      failed(verifyKind(*this, getKind(), getInput().getType())) ||
      failed(
          verifySame(*this, getInput().getType(), getResult().getType(), {d})))
    return failure();
  return verifyBlocks(*this, dimSize(getInput(), d), dimSize(getResult(), d),
                      getGroups().getGroupSize(*this));
}
int64_t ReduceScatterOp::getBytesSentPerDevice() {
  int64_t n = getGroups().getGroupSize(*this);
  return ringShare(getTensorBytes(getResult().getType()) * n, n);
}

LogicalResult AllReduceOp::verify() {
  if (failed(verifyGroups(*this, getGroups())))
    return failure();
  return verifyKind(*this, getKind(), getInput().getType());
}
int64_t AllReduceOp::getBytesSentPerDevice() {
  return ringShare(2 * getTensorBytes(getInput().getType()),
                   getGroups().getGroupSize(*this));
}

LogicalResult AllToAllOp::verify() {
  int64_t split = getSplitDim(), concat = getConcatDim();
  if (failed(verifyGroups(*this, getGroups())) ||
      failed(verifySame(*this, getInput().getType(), getResult().getType(),
                        {split, concat})))
    return failure();
  int64_t n = getGroups().getGroupSize(*this);
  if (split == concat) {
    if (dimSize(getInput(), split) != dimSize(getResult(), split) ||
        (!ShapedType::isDynamic(dimSize(getInput(), split)) &&
         dimSize(getInput(), split) % n))
      return emitOpError() << "dimension " << split
                           << " must keep its size and divide by " << n
                           << " when it is both split and concatenated";
    return success();
  }
  if (failed(verifyBlocks(*this, dimSize(getInput(), split),
                          dimSize(getResult(), split), n)))
    return failure();
  return verifyBlocks(*this, dimSize(getResult(), concat),
                      dimSize(getInput(), concat), n);
}
int64_t AllToAllOp::getBytesSentPerDevice() {
  int64_t n = getGroups().getGroupSize(*this);
  int64_t split = getSplitDim(), local = dimSize(getInput(), split);
  int64_t bytes = getTensorBytes(getInput().getType());
  // What is sent is padded to whole blocks.
  if (split != static_cast<int64_t>(getConcatDim()) && local > 0)
    bytes = bytes / local * dimSize(getResult(), split) * n;
  return ringShare(bytes, n);
}

LogicalResult AllSliceOp::verify() {
  int64_t d = getDim();
  if (failed(verifyGroups(*this, getGroups())) ||
      failed(
          verifySame(*this, getInput().getType(), getResult().getType(), {d})))
    return failure();
  return verifyBlocks(*this, dimSize(getInput(), d), dimSize(getResult(), d),
                      getGroups().getGroupSize(*this));
}

//===----------------------------------------------------------------------===//
// Halo, reblock
//===----------------------------------------------------------------------===//

/// Bytes that cross, on average over n devices, when device i holds
/// [i·block, (i+1)·block) ∩ [0, size) and gets [first + i·step, + length).
static int64_t windowBytes(int64_t bytesPerIndex, int64_t n, int64_t size,
                           int64_t block, int64_t first, int64_t step,
                           int64_t length, bool wrap) {
  int64_t crossing = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t begin = first + i * step, end = begin + length;
    int64_t ownBegin = std::min(i * block, size);
    int64_t ownEnd = std::min((i + 1) * block, size);
    auto count = [&](int64_t from, int64_t to) {
      return std::max<int64_t>(0, std::min(end, to) - std::max(begin, from));
    };
    int64_t existing = wrap ? length : count(0, size);
    crossing += existing - count(ownBegin, ownEnd);
  }
  return n > 0 ? crossing * bytesPerIndex / n : 0;
}

static LogicalResult verifyWindow(Operation *op, Value input, Value fill,
                                  Value result, int64_t d, int64_t size,
                                  GroupsAttr groups) {
  if (failed(verifyGroups(op, groups)) ||
      failed(verifySame(op, input.getType(), result.getType(), {d})))
    return failure();
  auto type = cast<RankedTensorType>(input.getType());
  if (fill) {
    auto fillType = cast<RankedTensorType>(fill.getType());
    if (fillType.getRank() != 0 ||
        fillType.getElementType() != type.getElementType())
      return op->emitOpError()
             << "fill must be a scalar tensor of " << type.getElementType();
  }
  if (size < 0)
    return op->emitOpError() << "size must not be negative";
  return verifyBlocks(op, size, type.getDimSize(d), groups.getGroupSize(op));
}

static int64_t bytesPerIndex(Value value, int64_t dim) {
  int64_t size = dimSize(value, dim);
  return size > 0 ? getTensorBytes(value.getType()) / size : 0;
}

LogicalResult HaloOp::verify() {
  int64_t d = getDim();
  if (failed(verifyWindow(*this, getInput(), getFill(), getResult(), d,
                          getSize(), getGroups())))
    return failure();
  int64_t block = dimSize(getInput(), d);
  int64_t expected =
      block + static_cast<int64_t>(getLow()) + static_cast<int64_t>(getHigh());
  if (expected < 0 || dimSize(getResult(), d) != expected)
    return emitOpError() << "a block of " << block << " with low "
                         << static_cast<int64_t>(getLow()) << " and high "
                         << static_cast<int64_t>(getHigh()) << " gives "
                         << expected << " elements, not "
                         << dimSize(getResult(), d);
  if (getWrap() && getFill())
    return emitOpError() << "'wrap' leaves nothing to fill";
  return success();
}
int64_t HaloOp::getBytesSentPerDevice() {
  int64_t d = getDim(), block = dimSize(getInput(), d);
  return windowBytes(bytesPerIndex(getInput(), d),
                     getGroups().getGroupSize(*this), getSize(), block,
                     -static_cast<int64_t>(getLow()), block,
                     dimSize(getResult(), d), getWrap());
}

LogicalResult ReblockOp::verify() {
  return verifyWindow(*this, getInput(), getFill(), getResult(), getDim(),
                      getSize(), getGroups());
}
int64_t ReblockOp::getBytesSentPerDevice() {
  int64_t d = getDim();
  return windowBytes(bytesPerIndex(getInput(), d),
                     getGroups().getGroupSize(*this), getSize(),
                     dimSize(getInput(), d), getOffset(), getStepOrDefault(),
                     dimSize(getResult(), d), /*wrap=*/false);
}

//===----------------------------------------------------------------------===//
// Permute, broadcast, send, receive
//===----------------------------------------------------------------------===//

static ParseResult parsePairs(OpAsmParser &p, DenseI64ArrayAttr &sources,
                              DenseI64ArrayAttr &targets) {
  SmallVector<int64_t> from, to;
  if (p.parseCommaSeparatedList(
          AsmParser::Delimiter::Square, [&]() -> ParseResult {
            return failure(
                p.parseLSquare() || p.parseInteger(from.emplace_back()) ||
                p.parseComma() || p.parseInteger(to.emplace_back()) ||
                p.parseRSquare());
          }))
    return failure();
  sources = DenseI64ArrayAttr::get(p.getContext(), from);
  targets = DenseI64ArrayAttr::get(p.getContext(), to);
  return success();
}
static void printPairs(OpAsmPrinter &p, Operation *, DenseI64ArrayAttr sources,
                       DenseI64ArrayAttr targets) {
  p << '[';
  llvm::interleaveComma(
      llvm::zip(sources.asArrayRef(), targets.asArrayRef()), p, [&](auto pair) {
        p << '[' << std::get<0>(pair) << ", " << std::get<1>(pair) << ']';
      });
  p << ']';
}

static LogicalResult verifyPairs(Operation *op, GroupsAttr groups,
                                 ArrayRef<int64_t> sources,
                                 ArrayRef<int64_t> targets) {
  if (failed(verifyGroups(op, groups)))
    return failure();
  int64_t n = groups.getGroupSize(op);
  if (sources.size() != targets.size())
    return op->emitOpError() << "has " << sources.size() << " sources and "
                             << targets.size() << " targets";
  auto check = [&](ArrayRef<int64_t> list, StringRef what) -> LogicalResult {
    llvm::DenseSet<int64_t> seen;
    for (int64_t position : list)
      if (position < 0 || position >= n || !seen.insert(position).second)
        return op->emitOpError()
               << what << " " << position
               << (position < 0 || position >= n ? " is not in a group of "
                                                 : " occurs twice; group of ")
               << n;
    return success();
  };
  return success(succeeded(check(sources, "source")) &&
                 succeeded(check(targets, "target")));
}

static int64_t pairBytes(Operation *op, GroupsAttr groups, Type type,
                         ArrayRef<int64_t> sources, ArrayRef<int64_t> targets) {
  int64_t n = groups.getGroupSize(op), moved = 0;
  for (auto [source, target] : llvm::zip(sources, targets))
    moved += source != target;
  return n > 0 ? getTensorBytes(type) * moved / n : 0;
}

LogicalResult PermuteOp::verify() {
  return verifyPairs(*this, getGroups(), getSources(), getTargets());
}
int64_t PermuteOp::getBytesSentPerDevice() {
  return pairBytes(*this, getGroups(), getInput().getType(), getSources(),
                   getTargets());
}
LogicalResult SendOp::verify() {
  return verifyPairs(*this, getGroups(), getSources(), getTargets());
}
int64_t SendOp::getBytesSentPerDevice() {
  return pairBytes(*this, getGroups(), getInput().getType(), getSources(),
                   getTargets());
}
LogicalResult RecvOp::verify() {
  return verifyPairs(*this, getGroups(), getSources(), getTargets());
}
// The sender counts.
int64_t RecvOp::getBytesSentPerDevice() { return 0; }

LogicalResult BroadcastOp::verify() {
  if (failed(verifyGroups(*this, getGroups())))
    return failure();
  if (getInput().getType() != getResult().getType())
    return emitOpError() << "operand and result types differ";
  if ((getRootIndex() != nullptr) == getRoot().has_value())
    return emitOpError() << "needs a root, as an attribute or as an operand";
  if (Value index = getRootIndex()) {
    auto type = cast<RankedTensorType>(index.getType());
    if (type.getRank() != 0 || !isa<IntegerType>(type.getElementType()))
      return emitOpError() << "the root must be a scalar integer tensor";
    return success();
  }
  int64_t root = *getRoot(), n = getGroups().getGroupSize(*this);
  if (root < 0 || root >= n)
    return emitOpError() << "root " << root << " is not in a group of " << n;
  return success();
}
int64_t BroadcastOp::getBytesSentPerDevice() {
  return ringShare(getTensorBytes(getInput().getType()),
                   getGroups().getGroupSize(*this));
}

LogicalResult RaggedAllToAllOp::verify() {
  if (failed(verifyGroups(*this, getGroups())))
    return failure();
  auto input = cast<RankedTensorType>(getInput().getType());
  auto output = cast<RankedTensorType>(getOutput().getType());
  if (output != getResult().getType())
    return emitOpError() << "the result has the type of 'output'";
  if (input.getRank() == 0 || failed(verifySame(*this, input, output, {0})))
    return failure();
  int64_t n = getGroups().getGroupSize(*this);
  for (Value list : {getInputOffsets(), getSendSizes(), getOutputOffsets(),
                     getRecvSizes()}) {
    auto type = cast<RankedTensorType>(list.getType());
    if (type.getRank() != 1 || !isa<IntegerType>(type.getElementType()) ||
        type.getDimSize(0) != n)
      return emitOpError() << "offsets and sizes must be integer tensors of "
                           << n << " elements, one per member";
  }
  return success();
}
int64_t RaggedAllToAllOp::getBytesSentPerDevice() {
  return ringShare(getTensorBytes(getInput().getType()),
                   getGroups().getGroupSize(*this));
}

LogicalResult AxisIndexOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (type.getRank() != 0 || !isa<IntegerType>(type.getElementType()))
    return emitOpError() << "gives a scalar integer tensor, not " << type;
  return verifyGroups(*this, getGroups());
}

//===----------------------------------------------------------------------===//
// Start and done
//===----------------------------------------------------------------------===//

CollectiveOpInterface StartOp::getCollective() {
  return cast<CollectiveOpInterface>(&getBody().front().front());
}

LogicalResult StartOp::verify() {
  Block &block = getBody().front();
  if (block.getOperations().size() != 2 ||
      !isa<CollectiveOpInterface>(block.front()) || !isa<YieldOp>(block.back()))
    return emitOpError() << "must hold one collective and comm.yield";
  if (getInputs().getTypes() != block.getArgumentTypes())
    return emitOpError() << "operands and block arguments differ in type";
  if (block.back().getOperandTypes() !=
      TypeRange(cast<FutureType>(getFuture().getType()).getTypes()))
    return emitOpError() << "the future does not hold what is yielded";
  for (Operation *user : getFuture().getUsers())
    if (!isa<DoneOp>(user) || user->getBlock() != (*this)->getBlock())
      return emitOpError() << "its future may only go to a comm.done in the "
                              "same block";
  if (!getFuture().hasOneUse())
    return emitOpError() << "needs exactly one comm.done";
  return success();
}

LogicalResult DoneOp::verify() {
  if (!getFuture().getDefiningOp<StartOp>())
    return emitOpError() << "takes the result of a comm.start";
  if (TypeRange(cast<FutureType>(getFuture().getType()).getTypes()) !=
      getResultTypes())
    return emitOpError() << "the future does not hold these types";
  return success();
}

ParseResult StartOp::parse(OpAsmParser &p, OperationState &state) {
  SmallVector<OpAsmParser::Argument> args;
  SmallVector<OpAsmParser::UnresolvedOperand> inputs;
  SmallVector<Type> types;
  FutureType future;
  SMLoc loc = p.getCurrentLocation();
  if (p.parseCommaSeparatedList(
          AsmParser::Delimiter::Paren, [&]() -> ParseResult {
            OpAsmParser::Argument &arg = args.emplace_back();
            return failure(p.parseArgument(arg) || p.parseEqual() ||
                           p.parseOperand(inputs.emplace_back()) ||
                           p.parseColonType(arg.type));
          }))
    return failure();
  for (auto &arg : args)
    types.push_back(arg.type);
  if (p.resolveOperands(inputs, types, loc, state.operands) ||
      p.parseRegion(*state.addRegion(), args) ||
      p.parseOptionalAttrDict(state.attributes) || p.parseColonType(future))
    return failure();
  state.addTypes(future);
  return success();
}

void StartOp::print(OpAsmPrinter &p) {
  p << '(';
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), p,
                        [&](auto it) {
                          p << std::get<0>(it) << " = " << std::get<1>(it)
                            << " : " << std::get<1>(it).getType();
                        });
  p << ") ";
  p.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  p.printOptionalAttrDict((*this)->getAttrs());
  p << " : " << getFuture().getType();
}

#define GET_OP_CLASSES
#include "dialects/Comm/Comm.cpp.inc"
