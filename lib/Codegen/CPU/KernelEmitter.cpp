#include "KernelEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace shoal::cpu {

int64_t countElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

KernelEmitter::KernelEmitter(llvm::Function *function,
                             const KernelSource &source, KernelFacts &facts,
                             bool dryRun, const OpEmitters &emitters)
    : ElementEmitter(function, facts.splits, dryRun), source(source),
      facts(facts), emitters(emitters) {
  llvm::LLVMContext &context = function->getContext();
  auto *entry = llvm::BasicBlock::Create(context, "entry", function);
  llvm::BasicBlock::Create(context, "body", function);
  builder.SetInsertPoint(entry);
}

void KernelEmitter::bind(llvm::function_ref<llvm::Value *(unsigned)> bufferAt,
                         llvm::function_ref<llvm::Value *(unsigned)> scalarAt) {
  llvm::LLVMContext &context = builder.getContext();
  int buffer = 0, scalar = 0;
  for (BlockArgument argument : source.body->front().getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    unsigned number = argument.getArgNumber();
    if (number < source.scalarInputs.size() && source.scalarInputs[number]) {
      llvm::Type *carrier = getCarrierType(type.getElementType(), context);
      scalarInputs[argument] = {
          builder.CreateTrunc(scalarAt(scalar++), carrier)};
      continue;
    }
    inputs[argument] = {bufferAt(buffer), type, buffer};
    facts.bytes +=
        type.getNumElements() * getElementBytes(type.getElementType());
    ++buffer;
  }
  numInputs = buffer;
  for (Value output : outputValues()) {
    auto type = cast<RankedTensorType>(output.getType());
    outputs.push_back({bufferAt(buffer), type, buffer});
    facts.bytes +=
        type.getNumElements() * getElementBytes(type.getElementType());
    ++buffer;
  }
  llvm::BasicBlock *body = function->getEntryBlock().getNextNode();
  builder.CreateBr(body);
  builder.SetInsertPoint(body);
  makeAliasScopes();
}

KernelEmitter::KernelEmitter(llvm::Function *function,
                             const KernelSource &source, KernelFacts &facts,
                             bool dryRun)
    : KernelEmitter(function, source, facts, dryRun, OpEmitters::get()) {
  begin = function->getArg(1);
  end = function->getArg(2);
  llvm::MDNode *empty = llvm::MDNode::get(builder.getContext(), {});
  auto loadField = [&](llvm::Type *type, llvm::Value *base, int64_t i) {
    llvm::LoadInst *load = builder.CreateAlignedLoad(
        type, builder.CreateConstInBoundsGEP1_64(builder.getInt64Ty(), base, i),
        llvm::Align(8));
    load->setMetadata(llvm::LLVMContext::MD_invariant_load, empty);
    return load;
  };
  llvm::Type *pointer = builder.getPtrTy();
  llvm::Value *buffers = loadField(pointer, function->getArg(0), 0);
  llvm::Value *scalars = nullptr;
  scratchBase = loadField(pointer, function->getArg(0), 2);
  bind([&](unsigned i) { return loadField(pointer, buffers, i); },
       [&](unsigned i) {
         if (!scalars)
           scalars = loadField(pointer, function->getArg(0), 1);
         return loadField(builder.getInt64Ty(), scalars, i);
       });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void KernelEmitter::makeAliasScopes() {
  llvm::LLVMContext &context = builder.getContext();
  llvm::MDBuilder md(context);
  llvm::MDNode *domain = md.createAnonymousAliasScopeDomain("kernel");
  unsigned count = numInputs + outputs.size() + 1; // the last one: scratch
  SmallVector<llvm::Metadata *> scopes;
  for (unsigned i = 0; i < count; ++i)
    scopes.push_back(md.createAnonymousAliasScope(domain));

  // Buffer numbers of arguments, for the pairs that may be one buffer.
  SmallVector<int> bufferOf;
  for (BlockArgument argument : source.body->front().getArguments()) {
    auto it = inputs.find(argument);
    bufferOf.push_back(it == inputs.end() ? -1 : it->second.buffer);
  }
  auto mayShare = [&](unsigned a, unsigned b) {
    for (auto [output, argument] : source.mayOverwrite) {
      int in = bufferOf[argument], out = numInputs + output;
      if ((int(a) == in && int(b) == out) || (int(b) == in && int(a) == out))
        return true;
    }
    return false;
  };
  for (unsigned i = 0; i < count; ++i) {
    SmallVector<llvm::Metadata *> others;
    for (unsigned j = 0; j < count; ++j)
      // Inputs may overlap each other, but only writes matter.
      if (i != j && !mayShare(i, j) && (i >= numInputs || j >= numInputs))
        others.push_back(scopes[j]);
    aliasScopes.push_back({llvm::MDNode::get(context, {scopes[i]}),
                           llvm::MDNode::get(context, others)});
  }
}

void KernelEmitter::addMetadata(ArrayRef<llvm::Instruction *> accesses,
                                int buffer) {
  auto [scope, noAlias] =
      buffer < 0 ? aliasScopes.back() : aliasScopes[buffer];
  for (llvm::Instruction *access : accesses) {
    access->setMetadata(llvm::LLVMContext::MD_alias_scope, scope);
    access->setMetadata(llvm::LLVMContext::MD_noalias, noAlias);
    if (accessGroup)
      access->setMetadata(llvm::LLVMContext::MD_access_group, accessGroup);
  }
}

Scalar KernelEmitter::loadArray(const Array &array, const IndexExpr &linear) {
  SmallVector<llvm::Instruction *> accesses;
  Scalar result = loadElement(builder, array.type.getElementType(), array.base,
                              value(linear), &accesses);
  addMetadata(accesses, array.buffer);
  return result;
}

void KernelEmitter::storeArray(const Array &array, const IndexExpr &linear,
                               Scalar stored) {
  SmallVector<llvm::Instruction *> accesses;
  storeElement(builder, array.type.getElementType(), stored, array.base,
               value(linear), &accesses);
  addMetadata(accesses, array.buffer);
}

KernelEmitter::Array KernelEmitter::localArray(Type elementType,
                                               int64_t elements) {
  // Narrow floats are kept as their carriers: no conversions in between.
  if (isNarrowFloat(elementType))
    elementType = Float32Type::get(elementType.getContext());
  return {localBuffer(elements * getElementBytes(elementType)),
          RankedTensorType::get({elements}, elementType), -1};
}

const KernelEmitter::Array *KernelEmitter::inputArray(Value value) const {
  auto it = inputs.find(value);
  return it == inputs.end() ? nullptr : &it->second;
}

/// The bytes in memory of an integer or float constant's elements.
static std::string constantBytes(DenseElementsAttr constant) {
  std::string bytes;
  Type type = constant.getElementType();
  Type component = getComponentType(type);
  int64_t width = getElementBytes(component);
  auto append = [&](APInt bits) {
    bits = isUnsigned(component) || isa<FloatType>(component)
               ? bits.zextOrTrunc(width * 8)
               : bits.sextOrTrunc(width * 8);
    bytes.append(reinterpret_cast<const char *>(bits.getRawData()), width);
  };
  if (isComplex(type)) {
    for (std::complex<APFloat> v : constant.getValues<std::complex<APFloat>>()) {
      append(v.real().bitcastToAPInt());
      append(v.imag().bitcastToAPInt());
    }
  } else if (isa<FloatType>(type)) {
    for (APFloat v : constant.getValues<APFloat>())
      append(v.bitcastToAPInt());
  } else {
    for (APInt v : constant.getValues<APInt>())
      append(v);
  }
  return bytes;
}

llvm::GlobalVariable *KernelEmitter::constantArray(ElementsAttr constant) {
  llvm::GlobalVariable *&global = constants[constant];
  if (global)
    return global;
  std::string bytes;
  if (auto dense = dyn_cast<DenseElementsAttr>(constant)) {
    bytes = constantBytes(dense);
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return nullptr;
    bytes.assign(blob->getData().begin(), blob->getData().end());
  } else {
    return nullptr;
  }
  llvm::Type *memory =
      getMemoryType(constant.getElementType(), builder.getContext());
  int64_t count =
      bytes.size() / getElementBytes(getComponentType(constant.getElementType()));
  llvm::Constant *data =
      llvm::ConstantDataArray::getRaw(bytes, count, memory);
  global = new llvm::GlobalVariable(module(), data->getType(), true,
                                    llvm::GlobalValue::PrivateLinkage, data);
  global->setAlignment(llvm::Align(64));
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Loads it once, before all loops.
Scalar KernelEmitter::rankZeroInput(Value tensor, const Array &array) {
  auto [it, isNew] = rankZeroValues.try_emplace(tensor);
  if (isNew) {
    llvm::IRBuilderBase::InsertPointGuard guard(builder);
    builder.SetInsertPoint(function->getEntryBlock().getTerminator());
    llvm::MDNode *group = std::exchange(accessGroup, nullptr);
    Scalar loaded = loadArray(array, IndexExpr(0));
    accessGroup = group;
    it->second = loaded;
  }
  return it->second;
}

Scalar KernelEmitter::element(Value tensor, ArrayRef<IndexExpr> index) {
  if (const Scalar *known = recall(tensor, index))
    return *known;
  if (auto it = scalarInputs.find(tensor); it != scalarInputs.end())
    return it->second;
  Type elementType = getElementType(tensor);
  Operation *op = tensor.getDefiningOp();
  Scalar result;
  if (const Array *array = inputArray(tensor)) {
    if (index.empty())
      return rankZeroInput(tensor, *array);
    result = loadArray(*array, linearize(index, shapeOf(tensor)));
  } else if (!op) {
    failed = true; // an argument of a region that nobody bound
    return poisonScalar(builder, elementType);
  } else if (auto constant = dyn_cast<stablehlo::ConstantOp>(op)) {
    auto value = cast<ElementsAttr>(constant.getValue());
    auto dense = dyn_cast<DenseElementsAttr>(value);
    if (dense && (dense.isSplat() || dense.getNumElements() == 1)) {
      result = constantElement(builder, dense, 0);
    } else if (llvm::GlobalVariable *global = constantArray(value)) {
      IndexExpr linear = linearize(index, shapeOf(tensor));
      SmallVector<llvm::Instruction *> loads;
      result =
          loadElement(builder, elementType, global, this->value(linear), &loads);
      for (llvm::Instruction *load : loads)
        load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                          llvm::MDNode::get(builder.getContext(), {}));
    } else {
      return fail(op, "its value is not available");
    }
  } else {
    const OpEmitter *emitter = emitters.lookup(op);
    if (!emitter)
      return fail(op, "'" + op->getName().getStringRef() +
                          "' is not supported by the CPU target");
    switch (emitter->kind) {
    case OpEmitter::Kind::Scalar: {
      SmallVector<Scalar> operands;
      for (Value operand : op->getOperands()) {
        bool isScalar = shapeOf(operand).empty();
        operands.push_back(
            element(operand, isScalar ? ArrayRef<IndexExpr>() : index));
      }
      result = emitter->scalar(op, operands, *this);
      break;
    }
    case OpEmitter::Kind::Element:
      result = emitter->element(op, cast<OpResult>(tensor).getResultNumber(),
                                index, *this);
      // A multi-result emitter may have remembered it already.
      if (recall(tensor, index))
        return result;
      break;
    case OpEmitter::Kind::Buffer:
      return fail(op, "it makes its whole result at once and cannot be fused "
                      "into other ops");
    }
  }
  if (!result.re)
    return fail(op, "its emitter gave no value");
  remember(tensor, index, result);
  return result;
}

void KernelEmitter::storeOutputs(ArrayRef<unsigned> which,
                                 ArrayRef<IndexExpr> index) {
  SmallVector<Scalar> values;
  OperandRange results = outputValues();
  for (unsigned i : which)
    values.push_back(element(results[i], index));
  for (auto [i, value] : llvm::zip_equal(which, values))
    storeArray(outputs[i], linearize(index, shapeOf(results[i])), value);
}

//===----------------------------------------------------------------------===//
// Loops over chunks
//===----------------------------------------------------------------------===//

/// Work of one chunk in simple scalar operations: some tens of microseconds
/// vectorized, against about one for handing a chunk to a thread.
static constexpr int64_t chunkCost = 1 << 19;

void KernelEmitter::parallelRange(
    int64_t total, int64_t unitCost, int64_t multiple,
    llvm::function_ref<void(llvm::Value *, llvm::Value *)> body) {
  if (total <= 0)
    return;
  int64_t units = std::max<int64_t>(1, chunkCost / std::max<int64_t>(1, unitCost));
  units = llvm::alignTo(units, multiple);
  int64_t chunks = serial ? 1 : llvm::divideCeil(total, units);
  facts.chunks = std::max(facts.chunks, chunks);
  if (chunks == 1)
    return body(builder.getInt64(0), builder.getInt64(total));
  llvm::Value *size = builder.getInt64(units);
  llvm::Value *first = builder.CreateMul(begin, size, "", true, true);
  llvm::Value *last = builder.CreateMul(end, size, "", true, true);
  last = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smin, last,
                                       builder.getInt64(total));
  body(first, last);
}

void KernelEmitter::parallelUnits(int64_t total, int64_t unitCost,
                                  llvm::function_ref<void(IndexVar *)> body) {
  parallelRange(total, unitCost, 1, [&](llvm::Value *first, llvm::Value *last) {
    if (total == 1)
      return body(newVar(builder.getInt64(0), 0, 0));
    forLoop(first, last, total, [&](IndexExpr unit) {
      body(unit.getTerms()[0].var);
    });
  });
}

void KernelEmitter::parallelLoop(llvm::Value *lower, llvm::Value *upper,
                                 int64_t maxUpper,
                                 llvm::function_ref<void(IndexExpr)> body) {
  llvm::LLVMContext &context = builder.getContext();
  llvm::MDNode *saved = accessGroup;
  // An access may belong to several loops' groups; one level is enough here.
  accessGroup = llvm::MDNode::getDistinct(context, {});
  lastLatch = nullptr;
  forLoop(lower, upper, maxUpper, body);
  if (lastLatch) {
    llvm::Metadata *accesses[] = {
        llvm::MDString::get(context, "llvm.loop.parallel_accesses"),
        accessGroup};
    llvm::Metadata *operands[] = {nullptr,
                                  llvm::MDNode::get(context, accesses)};
    llvm::MDNode *loop = llvm::MDNode::getDistinct(context, operands);
    loop->replaceOperandWith(0, loop);
    lastLatch->setMetadata(llvm::LLVMContext::MD_loop, loop);
  }
  accessGroup = saved;
}

void KernelEmitter::parallelSpace(
    ArrayRef<int64_t> shape, const void *site, int64_t elementCost,
    llvm::function_ref<void(ArrayRef<IndexExpr>)> body) {
  int64_t total = countElements(shape);
  if (total == 0)
    return;
  if (total == 1)
    return body(Index(shape.size()));
  auto groups = loopGroups(shape, site);
  SmallVector<int64_t> counts;
  for (auto [first, last] : groups)
    counts.push_back(countElements(shape.slice(first, last - first + 1)));
  // Loops of one iteration are no loops.
  for (unsigned g = groups.size(); g-- > 0;)
    if (counts[g] == 1 && groups.size() > 1) {
      counts.erase(counts.begin() + g);
      groups.erase(groups.begin() + g);
    }
  int64_t inner = counts.back(), outer = total / inner;
  auto indexOf = [&](ArrayRef<IndexExpr> loops) {
    Index index(shape.size());
    for (auto [group, loop] : llvm::zip_equal(groups, loops)) {
      auto [first, last] = group;
      if (!loop.isConstant())
        llvm::copy(splitVar(loop.getTerms()[0].var,
                            shape.slice(first, last - first + 1)),
                   index.begin() + first);
    }
    return index;
  };
  auto innerLoop = [&](llvm::Value *lower, llvm::Value *upper,
                       ArrayRef<IndexExpr> outerLoops) {
    parallelLoop(lower, upper, inner, [&](IndexExpr i) {
      i.getTerms()[0].var->site = site;
      SmallVector<IndexExpr> loops(outerLoops);
      loops.push_back(i);
      body(indexOf(loops));
    });
  };
  if (outer == 1) {
    parallelRange(inner, elementCost, 64,
                  [&](llvm::Value *lower, llvm::Value *upper) {
                    innerLoop(lower, upper, {});
                  });
    return;
  }
  // Long rows are cut into blocks, so that there is enough to share out.
  int64_t rowCost = inner * elementCost;
  int64_t blocks = rowCost > 2 * chunkCost && outer < 64
                       ? llvm::divideCeil(rowCost, chunkCost)
                       : 1;
  int64_t block = llvm::alignTo(llvm::divideCeil(inner, blocks), 64);
  if (blocks == 1)
    block = inner;
  blocks = llvm::divideCeil(inner, block);
  SmallVector<int64_t> unitShape(ArrayRef(counts).drop_back());
  unitShape.push_back(blocks);
  parallelUnits(outer * blocks, block * elementCost, [&](IndexVar *unit) {
    Index units = splitVar(unit, unitShape);
    IndexExpr at = units.pop_back_val();
    llvm::Value *lower = value(at * block);
    llvm::Value *upper = builder.getInt64(inner);
    if (blocks > 1)
      upper = builder.CreateBinaryIntrinsic(
          llvm::Intrinsic::smin, upper,
          builder.CreateAdd(lower, builder.getInt64(block)));
    innerLoop(lower, upper, units);
  });
}

//===----------------------------------------------------------------------===//
// Strategies
//===----------------------------------------------------------------------===//

void KernelEmitter::emitLoops() {
  // Outputs of one shape share a nest. Usually all do; if not, the nests
  // follow each other in one chunk.
  llvm::MapVector<ArrayRef<int64_t>, SmallVector<unsigned>> nests;
  OperandRange results = outputValues();
  for (unsigned i = 0; i < results.size(); ++i)
    nests[shapeOf(results[i])].push_back(i);
  if (nests.size() > 1)
    setSerial();
  for (auto &[shape, which] : nests) {
    int64_t cost = 0;
    for (unsigned i : which)
      cost += elementCost(results[i], emitters);
    facts.flops += cost * countElements(shape);
    cost = std::max(cost, minElementCost);
    parallelSpace(shape, results[which.front()].getAsOpaquePointer(), cost,
                  [&, which = ArrayRef<unsigned>(which)](
                      ArrayRef<IndexExpr> index) {
                    pushScope();
                    storeOutputs(which, index);
                    popScope();
                  });
  }
}

namespace {
class KernelBufferEmitter : public BufferEmitter {
public:
  KernelBufferEmitter(KernelEmitter &k, Operation *op)
      : BufferEmitter(k, k.chunkBegin(), k.chunkEnd()), k(k) {
    OperandRange yielded = k.outputValues();
    for (Value result : op->getResults()) {
      auto it = llvm::find(yielded, result);
      if (it != yielded.end()) {
        arrays.push_back(k.outputArray(it - yielded.begin()));
        continue;
      }
      auto type = cast<RankedTensorType>(result.getType());
      KernelEmitter::Array local = k.localArray(
          type.getElementType(), std::max<int64_t>(1, type.getNumElements()));
      local.type = type.clone(local.type.getElementType());
      arrays.push_back(local);
    }
  }
  llvm::Value *pointer(Value operand) override {
    const KernelEmitter::Array *array = k.inputArray(operand);
    return array ? array->base : nullptr;
  }
  llvm::Value *result(unsigned i) override { return arrays[i].base; }
  Scalar load(unsigned result, ArrayRef<IndexExpr> index) override {
    return k.loadArray(arrays[result],
                       k.linearize(index, arrays[result].type.getShape()));
  }
  void store(unsigned result, ArrayRef<IndexExpr> index,
             Scalar value) override {
    k.storeArray(arrays[result],
                 k.linearize(index, arrays[result].type.getShape()), value);
  }
  void copyOperand(unsigned result, Value operand) override {
    KernelEmitter::Array &to = arrays[result];
    const KernelEmitter::Array *from = k.inputArray(operand);
    int64_t bytes = to.type.getNumElements() *
                    getElementBytes(to.type.getElementType());
    if (from) {
      e.ifThenElse(e.ir().CreateICmpNE(from->base, to.base), [&] {
        e.ir().CreateMemCpy(to.base, llvm::MaybeAlign(), from->base,
                            llvm::MaybeAlign(), bytes);
      });
      return;
    }
    e.forSpace(to.type.getShape(), operand.getAsOpaquePointer(),
               [&](ArrayRef<IndexExpr> index) {
                 store(result, index, e.element(operand, index));
               });
  }

private:
  KernelEmitter &k;
  SmallVector<KernelEmitter::Array> arrays;
};
} // namespace

void KernelEmitter::emitBufferOp(Operation *op, const OpEmitter &emitter) {
  for (Value output : outputValues())
    if (output.getDefiningOp() != op) {
      fail(op, "ops after it cannot be in the same kernel");
      return;
    }
  if (emitter.operandsInMemory)
    for (Value operand : op->getOperands())
      if (!inputArray(operand)) {
        fail(op, "its operands must be arrays in memory");
        return;
      }
  if (emitter.chunks)
    facts.chunks = std::max<int64_t>(1, emitter.chunks(op));
  int64_t cost = 0;
  for (Value result : op->getResults())
    cost += countElements(shapeOf(result));
  facts.flops += emitter.flops ? emitter.flops(op) : cost * int(emitter.cost);
  KernelBufferEmitter buffers(*this, op);
  emitter.buffer(op, buffers);
}

bool KernelEmitter::run() {
  Operation *terminator = source.body->front().getTerminator();
  for (Type type : source.body->front().getArgumentTypes())
    if (!isSupportedElementType(getElementType(type))) {
      std::string name;
      llvm::raw_string_ostream(name) << getElementType(type);
      fail(terminator, "elements of type " + name + " are not supported");
      return false;
    }
  Operation *bufferOp = nullptr;
  for (Value output : outputValues())
    if (Operation *op = output.getDefiningOp())
      if (const OpEmitter *emitter = emitters.lookup(op))
        if (emitter->kind == OpEmitter::Kind::Buffer)
          bufferOp = op;
  if (bufferOp)
    emitBufferOp(bufferOp, *emitters.lookup(bufferOp));
  else if (!emitDotKernel(*this) && !emitColumnReduction(*this) &&
           !emitRowKernel(*this) && !emitTransposeKernel(*this))
    emitLoops();
  builder.CreateRetVoid();
  facts.scratchBytes = scratchBytes;
  return !failed;
}

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

static void addCost(Value value, const OpEmitters &emitters,
                    llvm::SmallPtrSetImpl<Operation *> &seen, int64_t &cost) {
  Operation *op = value.getDefiningOp();
  if (!op || !seen.insert(op).second)
    return;
  const OpEmitter *emitter = emitters.lookup(op);
  if (!emitter)
    return;
  int64_t repeat = 1;
  if (auto reduce = dyn_cast<stablehlo::ReduceOp>(op)) {
    repeat = countElements(shapeOf(reduce.getInputs().front())) /
             std::max<int64_t>(1, countElements(shapeOf(op->getResult(0))));
    cost += repeat;
  } else if (auto dot = dyn_cast<stablehlo::DotGeneralOp>(op)) {
    for (int64_t d : dot.getDotDimensionNumbers().getLhsContractingDimensions())
      repeat *= shapeOf(dot.getLhs())[d];
    cost += 2 * repeat;
  } else {
    cost += int64_t(emitter->cost);
  }
  int64_t inner = 0;
  for (Value operand : op->getOperands())
    addCost(operand, emitters, seen, inner);
  cost += inner * std::max<int64_t>(1, repeat);
}

int64_t elementCost(Value value, const OpEmitters &emitters) {
  llvm::SmallPtrSet<Operation *, 16> seen;
  int64_t cost = 1;
  addCost(value, emitters, seen, cost);
  return cost;
}

} // namespace shoal::cpu
