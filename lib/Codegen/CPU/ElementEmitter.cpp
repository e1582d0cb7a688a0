// Index arithmetic, loops, branches and locals: what every emitter uses.

#include "OpEmitter.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal::cpu;

ElementEmitter::ElementEmitter(llvm::Function *function, Splits &splits,
                               bool dryRun)
    : builder(function->getContext()), function(function), splits(splits),
      dryRun(dryRun) {
  pushScope();
}

llvm::Module &ElementEmitter::module() { return *function->getParent(); }

//===----------------------------------------------------------------------===//
// Memo
//===----------------------------------------------------------------------===//

static size_t memoHash(Value tensor, ArrayRef<IndexExpr> index) {
  return llvm::hash_combine(
      tensor.getAsOpaquePointer(),
      llvm::hash_combine_range(index.begin(), index.end()));
}

void ElementEmitter::remember(Value tensor, ArrayRef<IndexExpr> index,
                              Scalar result) {
  scopes.back().memo.insert({memoHash(tensor, index),
                             Memo{tensor, Index(index.begin(), index.end()),
                                  result}});
}

const Scalar *ElementEmitter::recall(Value tensor, ArrayRef<IndexExpr> index) {
  size_t hash = memoHash(tensor, index);
  for (Scope &scope : llvm::reverse(scopes)) {
    auto [first, last] = scope.memo.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if (it->second.tensor == tensor &&
          ArrayRef<IndexExpr>(it->second.index) == index)
        return &it->second.result;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

IndexVar *ElementEmitter::newVar(llvm::Value *value, int64_t lower,
                                 int64_t upper) {
  IndexVar &var = vars.emplace_back();
  var.value = value;
  var.lower = lower;
  var.upper = upper;
  var.id = vars.size();
  return &var;
}

IndexVar *ElementEmitter::part(IndexVar *whole, int64_t stride,
                               int64_t range) {
  if (whole->merged) {
    stride *= whole->mergedStride;
    whole = whole->merged;
  }
  int64_t size = whole->upper + 1;
  range = std::min<int64_t>(range, llvm::divideCeil(size, stride));
  if (stride == 1 && range >= size)
    return whole;
  IndexVar *&var = parts[{whole, stride, range}];
  if (!var) {
    var = newVar(nullptr, 0, range - 1);
    var->merged = whole;
    var->mergedStride = stride;
  }
  return var;
}

llvm::Value *ElementEmitter::materialize(IndexVar *var) {
  if (var->value)
    return var->value;
  IndexVar *whole = var->merged;
  int64_t size = whole->upper + 1, stride = var->mergedStride;
  int64_t range = var->upper + 1;
  if (whole->site) {
    if (stride > 1)
      splits[whole->site].insert(stride);
    if (stride * range < size)
      splits[whole->site].insert(stride * range);
  }
  // Beside the whole variable, so that it serves every use of the part.
  llvm::IRBuilderBase::InsertPointGuard guard(builder);
  if (auto *phi = dyn_cast<llvm::PHINode>(whole->value))
    builder.SetInsertPoint(phi->getParent(),
                           phi->getParent()->getFirstInsertionPt());
  else if (auto *inst = dyn_cast<llvm::Instruction>(whole->value))
    builder.SetInsertPoint(inst->getParent(), std::next(inst->getIterator()));
  else
    builder.SetInsertPoint(&function->getEntryBlock(),
                           function->getEntryBlock().getFirstInsertionPt());
  llvm::Value *value = whole->value;
  if (stride > 1)
    value = builder.CreateUDiv(value, builder.getInt64(stride));
  if (stride * range < size)
    value = builder.CreateURem(value, builder.getInt64(range));
  return var->value = value;
}

llvm::Value *ElementEmitter::value(const IndexExpr &expr) {
  llvm::Value *sum = nullptr;
  for (const IndexExpr::Term &t : expr.getTerms()) {
    llvm::Value *term = materialize(t.var);
    if (t.coeff != 1)
      term = builder.CreateMul(term, builder.getInt64(t.coeff), "", false, true);
    sum = sum ? builder.CreateAdd(sum, term, "", false, true) : term;
  }
  if (!sum)
    return builder.getInt64(expr.getConstant());
  if (expr.getConstant() != 0)
    sum = builder.CreateAdd(sum, builder.getInt64(expr.getConstant()), "",
                            false, true);
  return sum;
}

IndexExpr ElementEmitter::expr(llvm::Value *value, int64_t lower,
                               int64_t upper) {
  if (lower == upper)
    return IndexExpr(lower);
  if (auto *constant = dyn_cast<llvm::ConstantInt>(value))
    return IndexExpr(constant->getSExtValue());
  return IndexExpr(newVar(value, lower, upper));
}

llvm::Value *ElementEmitter::toIndex(Scalar integer, Type elementType) {
  llvm::Type *i64 = builder.getInt64Ty();
  return isUnsigned(elementType) ? builder.CreateZExtOrTrunc(integer.re, i64)
                                 : builder.CreateSExtOrTrunc(integer.re, i64);
}

IndexExpr ElementEmitter::simplify(IndexExpr expr) {
  bool changed = true;
  while (changed) {
    changed = false;
    ArrayRef<IndexExpr::Term> terms = expr.getTerms();
    for (const IndexExpr::Term &minor : terms) {
      if (!minor.var->merged)
        continue;
      int64_t range = minor.var->upper + 1;
      for (const IndexExpr::Term &major : terms) {
        if (major.var->merged != minor.var->merged ||
            major.var->mergedStride != minor.var->mergedStride * range ||
            major.coeff != minor.coeff * range)
          continue;
        IndexVar *joined =
            part(minor.var->merged, minor.var->mergedStride,
                 range * (major.var->upper + 1));
        IndexExpr a(minor.var), b(major.var), j(joined);
        expr = expr - a * minor.coeff - b * major.coeff + j * minor.coeff;
        changed = true;
        break;
      }
      if (changed)
        break;
    }
  }
  return expr;
}

IndexExpr ElementEmitter::linearize(ArrayRef<IndexExpr> index,
                                    ArrayRef<int64_t> shape) {
  IndexExpr linear;
  int64_t stride = 1;
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    linear = linear + index[i] * stride;
    stride *= shape[i];
  }
  return simplify(linear);
}

std::pair<IndexExpr, IndexExpr> ElementEmitter::divMod(const IndexExpr &expr,
                                                       int64_t divisor) {
  if (divisor == 1)
    return {expr, IndexExpr(0)};
  IndexExpr quotient, remainder;
  if (expr.splitBy(divisor, quotient, remainder))
    return {simplify(quotient), simplify(remainder)};
  // Terms that the divisor divides need no division; the others might.
  IndexExpr whole, rest(expr.getConstant());
  for (const IndexExpr::Term &t : expr.getTerms()) {
    if (t.coeff % divisor == 0)
      whole = whole + IndexExpr(t.var) * (t.coeff / divisor);
    else
      rest = rest + IndexExpr(t.var) * t.coeff;
  }
  if (rest.getLower() < 0) {
    whole = IndexExpr();
    rest = expr;
  }
  // coeff * var + (less than coeff): the division is one of var alone, and its
  // results are parts of var. A part that is itself cut off above by a
  // remainder divides into parts only where the divisor divides its range.
  for (const IndexExpr::Term &t : rest.getTerms()) {
    if (t.coeff <= 0 || divisor % t.coeff != 0 || t.var->lower != 0)
      continue;
    IndexExpr others = rest - IndexExpr(t.var) * t.coeff;
    int64_t by = divisor / t.coeff, range = t.var->upper + 1;
    if (others.getLower() < 0 || others.getUpper() >= t.coeff)
      continue;
    if (t.var->merged && range % by != 0 &&
        t.var->mergedStride * range <= t.var->merged->upper)
      continue;
    IndexExpr major(part(t.var, by, llvm::divideCeil(range, by)));
    IndexExpr minor(part(t.var, 1, by));
    return {simplify(whole + major), simplify(minor * t.coeff + others)};
  }
  llvm::Value *dividend = value(rest);
  llvm::Value *by = builder.getInt64(divisor);
  int64_t low = std::max<int64_t>(0, rest.getLower());
  return {whole + this->expr(builder.CreateUDiv(dividend, by), low / divisor,
                             std::max(low, rest.getUpper()) / divisor),
          this->expr(builder.CreateURem(dividend, by), 0, divisor - 1)};
}

Index ElementEmitter::delinearize(const IndexExpr &linear,
                                  ArrayRef<int64_t> shape) {
  Index index(shape.size());
  IndexExpr rest = linear;
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  for (unsigned i = 0; i < shape.size(); ++i) {
    size /= std::max<int64_t>(shape[i], 1);
    if (shape[i] == 1) {
      index[i] = IndexExpr(0);
      continue;
    }
    auto [quotient, remainder] = divMod(rest, std::max<int64_t>(size, 1));
    index[i] = quotient;
    rest = remainder;
  }
  return index;
}

Index ElementEmitter::splitVar(IndexVar *whole, ArrayRef<int64_t> shape) {
  Index index(shape.size());
  int64_t stride = 1;
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] != 1)
      index[i] = IndexExpr(part(whole, stride, shape[i]));
    stride *= shape[i];
  }
  return index;
}

llvm::Value *ElementEmitter::inBounds(const IndexExpr &expr, int64_t bound) {
  int64_t lower = expr.getLower(), upper = expr.getUpper();
  if (lower >= 0 && upper < bound)
    return builder.getTrue();
  if (upper < 0 || lower >= bound)
    return builder.getFalse();
  llvm::Value *v = value(expr);
  if (upper < bound)
    return builder.CreateICmpSGE(v, builder.getInt64(0));
  return builder.CreateICmpULT(v, builder.getInt64(bound));
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void ElementEmitter::forLoop(int64_t count,
                             llvm::function_ref<void(IndexExpr)> body) {
  if (count <= 0)
    return;
  if (count == 1)
    return body(IndexExpr(0));
  forLoop(builder.getInt64(0), builder.getInt64(count), count, body);
}

void ElementEmitter::forLoop(llvm::Value *lower, llvm::Value *upper,
                             int64_t maxUpper,
                             llvm::function_ref<void(IndexExpr)> body) {
  llvm::LLVMContext &context = builder.getContext();
  auto *loop = llvm::BasicBlock::Create(context, "loop", function);
  auto *exit = llvm::BasicBlock::Create(context, "exit");
  auto *low = dyn_cast<llvm::ConstantInt>(lower);
  auto *high = dyn_cast<llvm::ConstantInt>(upper);
  llvm::BasicBlock *before = builder.GetInsertBlock();
  if (low && high) {
    if (low->getSExtValue() >= high->getSExtValue()) {
      loop->eraseFromParent();
      delete exit;
      return;
    }
    builder.CreateBr(loop);
  } else {
    builder.CreateCondBr(builder.CreateICmpSLT(lower, upper), loop, exit);
  }
  builder.SetInsertPoint(loop);
  llvm::PHINode *iv = builder.CreatePHI(builder.getInt64Ty(), 2);
  iv->addIncoming(lower, before);
  pushScope();
  body(IndexExpr(newVar(iv, low ? low->getSExtValue() : 0,
                        std::max<int64_t>(maxUpper - 1, 0))));
  popScope();
  llvm::Value *next =
      builder.CreateAdd(iv, builder.getInt64(1), "", true, true);
  iv->addIncoming(next, builder.GetInsertBlock());
  lastLatch =
      builder.CreateCondBr(builder.CreateICmpSLT(next, upper), loop, exit);
  exit->insertInto(function);
  builder.SetInsertPoint(exit);
}

static void
shapeNest(ElementEmitter &e, ArrayRef<int64_t> shape, Index &index,
          llvm::function_ref<void(ArrayRef<IndexExpr>)> body) {
  if (index.size() == shape.size())
    return body(index);
  e.forLoop(shape[index.size()], [&](IndexExpr i) {
    index.push_back(i);
    shapeNest(e, shape, index, body);
    index.pop_back();
  });
}

void ElementEmitter::forShape(
    ArrayRef<int64_t> shape,
    llvm::function_ref<void(ArrayRef<IndexExpr>)> body) {
  Index index;
  shapeNest(*this, shape, index, body);
}

SmallVector<std::pair<unsigned, unsigned>>
ElementEmitter::loopGroups(ArrayRef<int64_t> shape, const void *site) {
  SmallVector<std::pair<unsigned, unsigned>> groups;
  const std::set<int64_t> &cuts = splits[site];
  int64_t stride = 1;
  unsigned last = shape.size();
  for (unsigned i = shape.size(); i-- > 0;) {
    // The boundary between i and the dimensions after it has this stride.
    if (i + 1 < last && cuts.count(stride)) {
      groups.push_back({i + 1, last - 1});
      last = i + 1;
    }
    stride *= shape[i];
  }
  if (last > 0)
    groups.push_back({0, last - 1});
  std::reverse(groups.begin(), groups.end());
  return groups;
}

void ElementEmitter::forSpace(
    ArrayRef<int64_t> shape, const void *site,
    llvm::function_ref<void(ArrayRef<IndexExpr>)> body, bool parallel) {
  auto groups = loopGroups(shape, site);
  SmallVector<int64_t> counts;
  for (auto [first, last] : groups) {
    int64_t count = 1;
    for (unsigned i = first; i <= last; ++i)
      count *= shape[i];
    counts.push_back(count);
  }
  auto inner = [&](ArrayRef<IndexExpr> loops) {
    Index index(shape.size());
    for (unsigned g = 0; g < groups.size(); ++g) {
      auto [first, last] = groups[g];
      if (loops[g].isConstant())
        continue;
      IndexVar *var = loops[g].getTerms()[0].var;
      if (g + 1 == groups.size())
        var->site = site;
      llvm::copy(splitVar(var, shape.slice(first, last - first + 1)),
                 index.begin() + first);
    }
    body(index);
  };
  if (!parallel || counts.empty() || counts.back() <= 1)
    return forShape(counts, inner);
  forShape(ArrayRef(counts).drop_back(), [&](ArrayRef<IndexExpr> outer) {
    parallelLoop(builder.getInt64(0), builder.getInt64(counts.back()),
                 counts.back(), [&](IndexExpr i) {
                   SmallVector<IndexExpr> loops(outer);
                   loops.push_back(i);
                   inner(loops);
                 });
  });
}

void ElementEmitter::whileLoop(llvm::function_ref<llvm::Value *()> cond,
                               llvm::function_ref<void()> body) {
  llvm::LLVMContext &context = builder.getContext();
  auto *test = llvm::BasicBlock::Create(context, "while", function);
  auto *loop = llvm::BasicBlock::Create(context, "do", function);
  auto *exit = llvm::BasicBlock::Create(context, "done", function);
  builder.CreateBr(test);
  builder.SetInsertPoint(test);
  pushScope();
  llvm::Value *again = cond();
  builder.CreateCondBr(again, loop, exit);
  builder.SetInsertPoint(loop);
  body();
  popScope();
  builder.CreateBr(test);
  builder.SetInsertPoint(exit);
}

void ElementEmitter::ifThenElse(llvm::Value *cond,
                                llvm::function_ref<void()> then,
                                llvm::function_ref<void()> otherwise) {
  if (auto *known = dyn_cast<llvm::ConstantInt>(cond)) {
    if (known->isOne())
      then();
    else if (otherwise)
      otherwise();
    return;
  }
  llvm::LLVMContext &context = builder.getContext();
  auto *yes = llvm::BasicBlock::Create(context, "then", function);
  auto *no =
      otherwise ? llvm::BasicBlock::Create(context, "else", function) : nullptr;
  auto *join = llvm::BasicBlock::Create(context, "join", function);
  builder.CreateCondBr(cond, yes, no ? no : join);
  builder.SetInsertPoint(yes);
  pushScope();
  then();
  popScope();
  builder.CreateBr(join);
  if (no) {
    builder.SetInsertPoint(no);
    pushScope();
    otherwise();
    popScope();
    builder.CreateBr(join);
  }
  builder.SetInsertPoint(join);
}

Scalar ElementEmitter::branch(llvm::Value *cond, Type elementType,
                              llvm::function_ref<Scalar()> then,
                              llvm::function_ref<Scalar()> otherwise) {
  if (auto *known = dyn_cast<llvm::ConstantInt>(cond))
    return known->isOne() ? then() : otherwise();
  Variable result = variable(elementType);
  ifThenElse(
      cond, [&] { set(result, then()); }, [&] { set(result, otherwise()); });
  return get(result);
}

//===----------------------------------------------------------------------===//
// Locals
//===----------------------------------------------------------------------===//

Variable ElementEmitter::variable(Type elementType) {
  llvm::IRBuilderBase::InsertPointGuard guard(builder);
  builder.SetInsertPoint(&function->getEntryBlock(),
                         function->getEntryBlock().begin());
  llvm::Type *type = getCarrierType(elementType, builder.getContext());
  Variable result;
  result.elementType = elementType;
  result.re = builder.CreateAlloca(type);
  if (isComplex(elementType))
    result.im = builder.CreateAlloca(type);
  return result;
}

Scalar ElementEmitter::get(const Variable &variable) {
  llvm::Type *type =
      getCarrierType(variable.elementType, builder.getContext());
  Scalar result;
  result.re = builder.CreateLoad(type, variable.re);
  if (variable.im)
    result.im = builder.CreateLoad(type, variable.im);
  return result;
}

void ElementEmitter::set(const Variable &variable, Scalar value) {
  builder.CreateStore(value.re, variable.re);
  if (variable.im)
    builder.CreateStore(value.im, variable.im);
}

llvm::Value *ElementEmitter::localBuffer(int64_t bytes) {
  constexpr int64_t stackLimit = 4096;
  if (bytes <= stackLimit) {
    llvm::IRBuilderBase::InsertPointGuard guard(builder);
    builder.SetInsertPoint(&function->getEntryBlock(),
                           function->getEntryBlock().begin());
    llvm::AllocaInst *memory = builder.CreateAlloca(llvm::ArrayType::get(
        builder.getInt8Ty(), std::max<int64_t>(bytes, 1)));
    memory->setAlignment(llvm::Align(64));
    return memory;
  }
  llvm::Value *memory = builder.CreateConstInBoundsGEP1_64(
      builder.getInt8Ty(), scratchBase, scratchBytes);
  scratchBytes += llvm::alignTo(bytes, 64);
  return memory;
}

ElementEmitter::Reassociate::Reassociate(ElementEmitter &e)
    : emitter(e), saved(e.builder.getFastMathFlags()) {
  llvm::FastMathFlags flags = saved;
  flags.setAllowReassoc();
  // Which zero a maximum of both gives depends on the order, too; saying so
  // halves the code of a vector maximum.
  flags.setNoSignedZeros();
  e.builder.setFastMathFlags(flags);
}

ElementEmitter::Reassociate::~Reassociate() {
  emitter.builder.setFastMathFlags(saved);
}

SmallVector<Scalar> ElementEmitter::inlineRegion(Region &region,
                                                 ArrayRef<Scalar> arguments) {
  SmallVector<Scalar> results;
  Block &block = region.front();
  pushScope();
  for (auto [argument, value] : llvm::zip_equal(block.getArguments(), arguments))
    remember(argument, {}, value);
  for (Value operand : block.getTerminator()->getOperands())
    results.push_back(element(operand, {}));
  popScope();
  return results;
}

llvm::CallInst *ElementEmitter::call(StringRef name, llvm::Type *result,
                                     ArrayRef<llvm::Value *> arguments,
                                     bool readNone) {
  SmallVector<llvm::Type *> types;
  for (llvm::Value *argument : arguments)
    types.push_back(argument->getType());
  llvm::FunctionCallee callee = module().getOrInsertFunction(
      name, llvm::FunctionType::get(result, types, false));
  if (auto *declared = dyn_cast<llvm::Function>(callee.getCallee())) {
    declared->setDoesNotThrow();
    if (readNone) {
      declared->setDoesNotAccessMemory();
      declared->setWillReturn();
    }
  }
  return builder.CreateCall(callee, arguments);
}

Scalar ElementEmitter::fail(Operation *op, const Twine &message) {
  if (!failed && !dryRun)
    op->emitError() << "no CPU code for this op: " << message.str();
  failed = true;
  Type type = op->getNumResults() ? getElementType(op->getResult(0))
                                  : IntegerType::get(op->getContext(), 32);
  return poisonScalar(builder, type);
}
