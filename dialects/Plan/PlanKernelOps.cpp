// Operations of the `fused` level: kernels, launches, library calls, checks.
#include "dialects/Plan/Plan.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace shoal::plan;

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                     FunctionType type) {
  state.addAttribute(SymbolTable::getSymbolAttrName(),
                     builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  Region *body = state.addRegion();
  Block *block = new Block;
  body->push_back(block);
  SmallVector<Location> locs(type.getNumInputs(), state.location);
  block->addArguments(type.getInputs(), locs);
}

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> inputs,
                      ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag, std::string &) {
    return builder.getFunctionType(inputs, results);
  };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

bool KernelOp::isScalarArg(unsigned index) {
  return static_cast<bool>(getArgAttr(index, getScalarAttrName()));
}

SmallVector<bool> KernelOp::getScalarArgs() {
  SmallVector<bool> scalars;
  for (unsigned i = 0, e = getArgumentTypes().size(); i != e; ++i)
    scalars.push_back(isScalarArg(i));
  return scalars;
}

SmallVector<std::pair<unsigned, unsigned>> KernelOp::getOverwritePairs() {
  SmallVector<std::pair<unsigned, unsigned>> list;
  if (auto pairs = getMayOverwrite())
    for (size_t i = 0; i + 1 < pairs->size(); i += 2)
      list.push_back({(*pairs)[i], (*pairs)[i + 1]});
  return list;
}

SmallVector<unsigned> KernelOp::getOverwritable(unsigned result) {
  SmallVector<unsigned> args;
  for (auto [output, argument] : getOverwritePairs())
    if (output == result)
      args.push_back(argument);
  return args;
}

LogicalResult KernelOp::verify() {
  if (getBody().empty())
    return emitOpError("needs a body");
  Block &block = getBody().front();
  auto yield = dyn_cast<YieldOp>(block.empty() ? nullptr : &block.back());
  if (!yield)
    return emitOpError("must end in plan.yield");
  if (yield.getOperandTypes() != TypeRange(getResultTypes()))
    return yield.emitOpError("types differ from the kernel's results");
  for (Type type :
       llvm::concat<const Type>(getArgumentTypes(), getResultTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape())
      return emitOpError("takes and gives tensors of static shape, not ")
             << type;
  }
  for (unsigned i = 0, e = getArgumentTypes().size(); i != e; ++i)
    if (isScalarArg(i)) {
      auto type = cast<RankedTensorType>(getArgumentTypes()[i]);
      if (type.getRank() != 0 || !type.getElementType().isInteger())
        return emitOpError("argument ")
               << i << " is a host scalar, but not a rank-0 integer";
    }
  if (auto pairs = getMayOverwrite()) {
    if (pairs->size() % 2)
      return emitOpError("'may_overwrite' must hold pairs of result and "
                         "argument");
    for (size_t i = 0; i < pairs->size(); i += 2) {
      int64_t result = (*pairs)[i], arg = (*pairs)[i + 1];
      if (result < 0 || result >= (int64_t)getResultTypes().size() || arg < 0 ||
          arg >= (int64_t)getArgumentTypes().size())
        return emitOpError("'may_overwrite' names a result or argument that "
                           "does not exist");
      if (getTensorBytes(cast<ShapedType>(getResultTypes()[result])) !=
          getTensorBytes(cast<ShapedType>(getArgumentTypes()[arg])))
        return emitOpError("'may_overwrite' pairs result ")
               << result << " with argument " << arg << " of another size";
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// LaunchOp
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel =
      symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("launches unknown kernel ") << getKernelAttr();
  if (TypeRange(kernel.getArgumentTypes()) != getInputs().getTypes() ||
      TypeRange(kernel.getResultTypes()) != getOutputs().getTypes())
    return emitOpError("types differ from those of kernel ") << getKernelAttr();
  return success();
}

//===----------------------------------------------------------------------===//
// Library calls
//===----------------------------------------------------------------------===//

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

/// On tensors a library call is pure; on buffers it reads and writes.
static void addBufferEffects(Operation *op, Effects &effects) {
  if (llvm::none_of(op->getOperandTypes(), llvm::IsaPred<BufferType>))
    return;
  effects.emplace_back(MemoryEffects::Read::get());
  effects.emplace_back(MemoryEffects::Write::get());
}

void MatmulOp::getEffects(Effects &effects) {
  addBufferEffects(*this, effects);
}
void ConvolutionOp::getEffects(Effects &effects) {
  addBufferEffects(*this, effects);
}
void CustomCallOp::getEffects(Effects &effects) {
  addBufferEffects(*this, effects);
  if (getHasSideEffect())
    effects.emplace_back(MemoryEffects::Write::get());
}
void CheckOp::getEffects(Effects &effects) {
  // A check without a verdict acts on the outcome of the run.
  effects.emplace_back(MemoryEffects::Write::get());
}

/// The tensor type of an operand on either level.
static RankedTensorType tensorOf(Value value) {
  if (auto buffer = dyn_cast<BufferType>(value.getType()))
    return buffer.getTensorType();
  return cast<RankedTensorType>(value.getType());
}

/// Tensors come with a result, buffers with an `out` operand.
static LogicalResult verifyLevel(Operation *op, Value lhs, Value rhs, Value out,
                                 Value result) {
  bool buffers = isa<BufferType>(lhs.getType());
  if (isa<BufferType>(rhs.getType()) != buffers || !!out != buffers ||
      !!result == buffers)
    return op->emitOpError("works either on tensors with a result, or on "
                           "buffers with an output buffer");
  return success();
}

void MatmulOp::getDims(SmallVectorImpl<Dim> &batch, SmallVectorImpl<Dim> &m,
                       SmallVectorImpl<Dim> &n, SmallVectorImpl<Dim> &k) {
  RankedTensorType lhs = tensorOf(getLhs()), rhs = tensorOf(getRhs());
  for (auto [l, r] : llvm::zip_equal(getLhsBatch(), getRhsBatch()))
    batch.push_back({lhs.getDimSize(l), l, r, -1});
  for (auto [l, r] : llvm::zip_equal(getLhsContract(), getRhsContract()))
    k.push_back({lhs.getDimSize(l), l, r, -1});
  for (int64_t d = 0; d < lhs.getRank(); ++d)
    if (!llvm::is_contained(getLhsBatch(), d) &&
        !llvm::is_contained(getLhsContract(), d))
      m.push_back({lhs.getDimSize(d), d, -1, -1});
  for (int64_t d = 0; d < rhs.getRank(); ++d)
    if (!llvm::is_contained(getRhsBatch(), d) &&
        !llvm::is_contained(getRhsContract(), d))
      n.push_back({rhs.getDimSize(d), -1, d, -1});
  int64_t natural = 0;
  for (auto *dims : {&batch, &m, &n})
    for (Dim &dim : *dims) {
      dim.out = natural++;
      if (auto permutation = getPermutation())
        dim.out = llvm::find(*permutation, dim.out) - permutation->begin();
    }
}

LogicalResult MatmulOp::verify() {
  if (failed(verifyLevel(*this, getLhs(), getRhs(), getOut(), getResult())))
    return failure();
  RankedTensorType lhs = tensorOf(getLhs()), rhs = tensorOf(getRhs());
  auto checkDims = [&](ArrayRef<int64_t> l, ArrayRef<int64_t> r,
                       StringRef what) -> LogicalResult {
    if (l.size() != r.size())
      return emitOpError("has unlike numbers of ") << what << " dimensions";
    for (auto [a, b] : llvm::zip_equal(l, r)) {
      if (a < 0 || a >= lhs.getRank() || b < 0 || b >= rhs.getRank())
        return emitOpError("has a ") << what << " dimension out of range";
      if (lhs.getDimSize(a) != rhs.getDimSize(b))
        return emitOpError("has ") << what << " dimensions of unlike size";
    }
    return success();
  };
  if (failed(checkDims(getLhsBatch(), getRhsBatch(), "batch")) ||
      failed(checkDims(getLhsContract(), getRhsContract(), "contracted")))
    return failure();
  auto unique = [](ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
    llvm::SmallDenseSet<int64_t> seen;
    for (int64_t d : llvm::concat<const int64_t>(a, b))
      if (!seen.insert(d).second)
        return false;
    return true;
  };
  if (!unique(getLhsBatch(), getLhsContract()) ||
      !unique(getRhsBatch(), getRhsContract()))
    return emitOpError("uses a dimension twice");
  int64_t rank = lhs.getRank() + rhs.getRank() - getLhsBatch().size() -
                 2 * getLhsContract().size();
  RankedTensorType out =
      tensorOf(getOut() ? Value(getOut()) : Value(getResult()));
  if (out.getRank() != rank)
    return emitOpError("result must have rank ") << rank;
  if (auto permutation = getPermutation()) {
    SmallVector<bool> seen(rank, false);
    if ((int64_t)permutation->size() != rank)
      return emitOpError("'permutation' must have ") << rank << " entries";
    for (int64_t d : *permutation) {
      if (d < 0 || d >= rank || seen[d])
        return emitOpError("'permutation' is not one");
      seen[d] = true;
    }
  }
  SmallVector<Dim> batch, m, n, k;
  getDims(batch, m, n, k);
  for (auto *dims : {&batch, &m, &n})
    for (Dim &dim : *dims)
      if (out.getDimSize(dim.out) != dim.size)
        return emitOpError("result dimension ")
               << dim.out << " must be " << dim.size;
  return success();
}

LogicalResult ConvolutionOp::verify() {
  if (failed(verifyLevel(*this, getLhs(), getRhs(), getOut(), getResult())))
    return failure();
  RankedTensorType lhs = tensorOf(getLhs()), rhs = tensorOf(getRhs()),
                   out = tensorOf(getOut() ? Value(getOut())
                                           : Value(getResult()));
  int64_t rank = lhs.getRank(), spatial = rank - 2;
  if (rank < 2 || rhs.getRank() != rank || out.getRank() != rank)
    return emitOpError("needs operands and result of one rank, at least 2");
  for (ArrayRef<int64_t> dims : {getLhsDims(), getRhsDims(), getOutDims()}) {
    SmallVector<bool> seen(rank, false);
    if ((int64_t)dims.size() != rank)
      return emitOpError("dimension lists must name every dimension once");
    for (int64_t d : dims) {
      if (d < 0 || d >= rank || seen[d])
        return emitOpError("dimension lists must name every dimension once");
      seen[d] = true;
    }
  }
  if ((int64_t)getStrides().size() != spatial ||
      (int64_t)getPadding().size() != 2 * spatial ||
      (int64_t)getLhsDilation().size() != spatial ||
      (int64_t)getRhsDilation().size() != spatial ||
      (int64_t)getReversal().size() != spatial)
    return emitOpError("window attributes must have an entry (padding two) per "
                       "spatial dimension");
  return success();
}

LogicalResult CheckOp::verify() {
  bool needsExpected =
      getKind() != CheckKind::True && getKind() != CheckKind::SerializedEq;
  if (needsExpected != !!getExpected())
    return emitOpError(needsExpected ? "needs an expected value"
                                     : "takes no expected value");
  return success();
}

/// `(types of inputs) -> (types of outputs)`; both may be empty.
static ParseResult parseBufferTypes(OpAsmParser &parser,
                                    SmallVectorImpl<Type> &inputs,
                                    SmallVectorImpl<Type> &outputs) {
  auto parseList = [&](SmallVectorImpl<Type> &types) {
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, [&] {
      return parser.parseType(types.emplace_back());
    });
  };
  return failure(parseList(inputs) || parser.parseArrow() || parseList(outputs));
}

static void printBufferTypes(OpAsmPrinter &printer, Operation *,
                             TypeRange inputs, TypeRange outputs) {
  printer << "(";
  llvm::interleaveComma(inputs, printer);
  printer << ") -> (";
  llvm::interleaveComma(outputs, printer);
  printer << ")";
}

#define GET_OP_CLASSES
#include "dialects/Plan/Plan.cpp.inc"
