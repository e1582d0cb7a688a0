#include "SimtEmitter.h"

#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu;
using namespace shoal::gpu::simt;

/// Blocks per multiprocessor that a grid-stride loop uses: enough to fill it.
static constexpr int64_t blocksPerMultiprocessor = 16;
/// Scratch memory that the threads of one launch take at most, if each has more
/// than its stack.
static constexpr int64_t mostThreadScratch = int64_t(64) << 20;

SimtEmitter::SimtEmitter(llvm::Function *function, const KernelSource &source,
                         cpu::KernelFacts &facts, bool dryRun, const Chip &chip,
                         Launch &launch)
    : KernelEmitter(function, source, facts, dryRun, getElementEmitters()),
      chip(chip), launch(launch) {
  unsigned scalars = 0;
  for (unsigned i = 0; i < source.body->getNumArguments(); ++i)
    scalars += i < source.scalarInputs.size() && source.scalarInputs[i];
  numBuffers = source.body->getNumArguments() - scalars +
               source.body->front().getTerminator()->getNumOperands();
  // Pointers of no particular space: LLVM finds the space again
  // (InferAddressSpaces), and shared code needs not know of any.
  auto generic = [&](unsigned i) {
    return builder.CreateAddrSpaceCast(function->getArg(i),
                                       builder.getPtrTy());
  };
  bind(generic, [&](unsigned i) { return function->getArg(numBuffers + i); });
  if (function->arg_size() > numBuffers + scalars) {
    llvm::IRBuilderBase::InsertPointGuard guard(builder);
    builder.SetInsertPoint(function->getEntryBlock().getTerminator());
    scratchBase = generic(numBuffers + scalars);
  }
}

bool SimtEmitter::run(llvm::function_ref<void(SimtEmitter &)> body) {
  body(*this);
  builder.CreateRetVoid();
  launch.grid[0] = std::max<int64_t>(1, wantedBlocks);
  placeLocals();
  return !failed;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

llvm::Value *SimtEmitter::readRegister(llvm::Intrinsic::ID id) {
  llvm::Value *&value = registers[id];
  if (!value) {
    llvm::IRBuilderBase::InsertPointGuard guard(builder);
    llvm::BasicBlock &entry = function->getEntryBlock();
    builder.SetInsertPoint(&entry, entry.getFirstInsertionPt());
    value = builder.CreateIntrinsic(id, {});
  }
  return value;
}
llvm::Value *SimtEmitter::threadInBlock() {
  return readRegister(llvm::Intrinsic::nvvm_read_ptx_sreg_tid_x);
}
llvm::Value *SimtEmitter::blockNumber() {
  return readRegister(llvm::Intrinsic::nvvm_read_ptx_sreg_ctaid_x);
}
llvm::Value *SimtEmitter::numBlocks() {
  return readRegister(llvm::Intrinsic::nvvm_read_ptx_sreg_nctaid_x);
}

void SimtEmitter::barrier() {
  builder.CreateIntrinsic(
      llvm::Intrinsic::nvvm_barrier_cta_sync_aligned_all,
      {builder.getInt32(0)});
}

void SimtEmitter::strideLoop(llvm::Value *first, llvm::Value *step,
                             int64_t total,
                             llvm::function_ref<void(IndexVar *)> body) {
  if (total <= 0)
    return;
  // In 32 bits where that is enough, which LLVM then sees in divisions too.
  bool narrow = total < (int64_t(1) << 30);
  llvm::Type *type = narrow ? builder.getInt32Ty() : builder.getInt64Ty();
  first = builder.CreateZExtOrTrunc(first, type);
  step = builder.CreateZExtOrTrunc(step, type);
  llvm::Value *end = llvm::ConstantInt::get(type, total);
  llvm::LLVMContext &context = builder.getContext();
  auto *loop = llvm::BasicBlock::Create(context, "loop", function);
  auto *exit = llvm::BasicBlock::Create(context, "exit");
  llvm::BasicBlock *before = builder.GetInsertBlock();
  builder.CreateCondBr(builder.CreateICmpULT(first, end), loop, exit);
  builder.SetInsertPoint(loop);
  llvm::PHINode *iv = builder.CreatePHI(type, 2);
  iv->addIncoming(first, before);
  pushScope();
  llvm::Value *index =
      narrow ? builder.CreateZExt(iv, builder.getInt64Ty(), "", true) : iv;
  body(newVar(index, 0, total - 1));
  popScope();
  llvm::Value *next = builder.CreateAdd(iv, step, "", true, true);
  iv->addIncoming(next, builder.GetInsertBlock());
  builder.CreateCondBr(builder.CreateICmpULT(next, end), loop, exit);
  exit->insertInto(function);
  builder.SetInsertPoint(exit);
}

void SimtEmitter::needThreads(int64_t threads) {
  int64_t blocks = llvm::divideCeil(threads, launch.block);
  int64_t most = blocksPerMultiprocessor * int64_t(chip.multiprocessors);
  wantedBlocks = std::max(wantedBlocks, std::min(blocks, most));
}

void SimtEmitter::gridLoop(int64_t total,
                           llvm::function_ref<void(IndexVar *)> body) {
  needThreads(total);
  llvm::Value *block = builder.getInt32(launch.block);
  llvm::Value *thread = builder.CreateAdd(
      builder.CreateMul(blockNumber(), block, "", true, true), threadInBlock(),
      "", true, true);
  llvm::Value *threads =
      builder.CreateMul(numBlocks(), block, "", true, true);
  strideLoop(builder.CreateZExt(thread, builder.getInt64Ty()),
             builder.CreateZExt(threads, builder.getInt64Ty()), total, body);
}

void SimtEmitter::gridSpace(
    ArrayRef<int64_t> shape,
    llvm::function_ref<void(ArrayRef<IndexExpr>)> body) {
  gridLoop(cpu::countElements(shape), [&](IndexVar *element) {
    body(splitVar(element, shape));
  });
}

void SimtEmitter::blockLoop(int64_t total,
                            llvm::function_ref<void(IndexVar *)> body) {
  int64_t most = blocksPerMultiprocessor * int64_t(chip.multiprocessors);
  wantedBlocks = std::max(wantedBlocks, std::min(total, most));
  llvm::Type *i64 = builder.getInt64Ty();
  strideLoop(builder.CreateZExt(blockNumber(), i64),
             builder.CreateZExt(numBlocks(), i64), total, body);
}

void SimtEmitter::once(llvm::function_ref<void()> body) {
  ifThenElse(builder.CreateICmpEQ(builder.CreateOr(blockNumber(),
                                                   threadInBlock()),
                                  builder.getInt32(0)),
             body);
}

void SimtEmitter::emitChunks(Operation *op, const cpu::OpEmitter &emitter,
                             IndexVar *chunk) {
  begin = value(IndexExpr(chunk));
  end = builder.CreateAdd(begin, builder.getInt64(1), "", true, true);
  emitBufferOp(op, emitter);
}

void SimtEmitter::parallelUnits(int64_t total, int64_t,
                                llvm::function_ref<void(IndexVar *)> body) {
  gridLoop(total, body);
}

void SimtEmitter::parallelSpace(
    ArrayRef<int64_t> shape, const void *, int64_t,
    llvm::function_ref<void(ArrayRef<IndexExpr>)> body) {
  gridSpace(shape, body);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

llvm::Value *SimtEmitter::localBuffer(int64_t bytes) {
  constexpr int64_t stackLimit = 2048;
  if (bytes <= stackLimit)
    return ElementEmitter::localBuffer(bytes);
  if (!scratchBase) {
    // In the dry run only: the signature is not known yet.
    scratchBase = llvm::PoisonValue::get(builder.getPtrTy());
  }
  llvm::Type *i64 = builder.getInt64Ty();
  llvm::IRBuilderBase::InsertPointGuard guard(builder);
  builder.SetInsertPoint(function->getEntryBlock().getTerminator());
  if (!localBase) {
    llvm::FunctionCallee known = module().getOrInsertFunction(
        "shoal.known_later", llvm::FunctionType::get(i64, {}, false));
    localBase = builder.CreateCall(known);
    localStride = builder.CreateCall(known);
  }
  llvm::Value *thread = builder.CreateAdd(
      builder.CreateMul(blockNumber(), builder.getInt32(launch.block)),
      threadInBlock());
  llvm::Value *at = builder.CreateAdd(
      localBase,
      builder.CreateMul(builder.CreateZExt(thread, i64), localStride));
  at = builder.CreateAdd(at, builder.getInt64(localBytes));
  localBytes += llvm::alignTo(bytes, 64);
  return builder.CreateInBoundsGEP(builder.getInt8Ty(), scratchBase, at);
}

void SimtEmitter::placeLocals() {
  if (!localBase)
    return;
  // Fewer threads where each needs much.
  int64_t most = std::max<int64_t>(
      1, mostThreadScratch / (localBytes * launch.block));
  launch.grid[0] = std::min(launch.grid[0], most);
  int64_t base = getFacts().scratchBytes;
  getFacts().scratchBytes += localBytes * launch.block * launch.grid[0];
  localBase->replaceAllUsesWith(builder.getInt64(base));
  localStride->replaceAllUsesWith(builder.getInt64(localBytes));
  llvm::Function *known = localBase->getCalledFunction();
  localBase->eraseFromParent();
  localStride->eraseFromParent();
  if (known->use_empty())
    known->eraseFromParent();
}

llvm::Value *SimtEmitter::shared(int64_t offset, int64_t bytes) {
  launch.sharedBytes = std::max(launch.sharedBytes, offset + bytes);
  return builder.CreateConstInBoundsGEP1_64(
      builder.getInt8Ty(), getSharedMemory(module()), offset);
}

llvm::Value *SimtEmitter::scratch(int64_t offset) {
  if (!scratchBase)
    scratchBase = llvm::PoisonValue::get(builder.getPtrTy());
  return builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), scratchBase,
                                            offset);
}

const KernelEmitter::Array *
shoal::gpu::simt::resultArray(SimtEmitter &e, Operation *op, unsigned i) {
  OperandRange yielded = e.outputValues();
  auto it = llvm::find(yielded, op->getResult(i));
  return it == yielded.end() ? nullptr : &e.outputArray(it - yielded.begin());
}

bool shoal::gpu::simt::isAlone(Operation *op, const KernelSource &source) {
  return llvm::all_of(source.body->front().getTerminator()->getOperands(),
                      [&](Value value) { return value.getDefiningOp() == op; });
}
