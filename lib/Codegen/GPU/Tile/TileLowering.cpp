// The kernel's frame: function, arguments, dispatch over ops.

#include "TileLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

Lowering::Lowering(FuncOp func, llvm::Module &module, const TileTarget &target)
    : func(func), module(module), target(target), ir(module.getContext()) {}

void Lowering::setRegisters(Value tile, Registers values) {
  assert(int64_t(values.size()) == getLayout(tile).getNumRegisters() &&
         "as many values as registers of the layout");
  tiles[tile] = std::move(values);
}

FailureOr<TileKernelInfo> Lowering::run() {
  llvm::LLVMContext &context = module.getContext();
  LaunchAttr launch = func.getLaunch();
  TileKernelInfo info;
  llvm::copy(launch.getGrid(), info.grid.begin());
  if (!launch.getCluster().empty())
    llvm::copy(launch.getCluster(), info.cluster.begin());
  info.block = func.getNumThreads();

  llvm::Type *global = llvm::PointerType::get(context, 1);
  SmallVector<llvm::Type *> types;
  for (Type type : func.getArgumentTypes())
    types.push_back(isa<ViewType>(type) ? global : ir.getInt64Ty());
  kernel = llvm::Function::Create(
      llvm::FunctionType::get(ir.getVoidTy(), types, false),
      llvm::GlobalValue::ExternalLinkage, func.getSymName(), module);
  kernel->setCallingConv(llvm::CallingConv::PTX_Kernel);
  kernel->setDoesNotThrow();
  kernel->addFnAttr("nvvm.reqntid", std::to_string(info.block));
  // Said always: left to itself, ptxas spills rather than run fewer blocks.
  kernel->addFnAttr("nvvm.minctasm",
                    std::to_string(std::max<int64_t>(1, launch.getMinBlocks())));
  if (!launch.getCluster().empty())
    kernel->addFnAttr("nvvm.cluster_dim",
                      llvm::formatv("{0},{1},{2}", info.cluster[0],
                                    info.cluster[1], info.cluster[2])
                          .str());

  Block &body = func.getBody().front();
  for (auto [i, argument] : llvm::enumerate(body.getArguments())) {
    llvm::Argument *value = kernel->getArg(i);
    auto type = dyn_cast<ViewType>(argument.getType());
    if (!type) {
      setScalar(argument, value);
      continue;
    }
    View view;
    view.pointer = value;
    view.argument = i;
    view.align = tile::getElementBytes(type.getElementType());
    if (auto align = func.getArgAttrOfType<IntegerAttr>(
            i, FuncOp::getAlignAttrName()))
      view.align = std::max(view.align, align.getInt());
    view.readonly = bool(func.getArgAttr(i, FuncOp::getReadonlyAttrName()));
    kernel->addParamAttr(i, llvm::Attribute::getWithAlignment(
                                context, llvm::Align(view.align)));
    if (view.readonly) {
      kernel->addParamAttr(i, llvm::Attribute::ReadOnly);
      kernel->addParamAttr(i, llvm::Attribute::NoAlias);
    }
    int64_t size = tile::getElementBytes(type.getElementType());
    for (int64_t dim : type.getShape())
      size *= dim;
    kernel->addDereferenceableParamAttr(i, size);
    setView(argument, view);
    if (auto scratch = func.getArgAttrOfType<StringAttr>(
            i, FuncOp::getScratchAttrName())) {
      info.scratchBytes = tile::getElementBytes(type.getElementType());
      for (int64_t dim : type.getShape())
        info.scratchBytes *= dim;
      info.scratchZeroed = scratch.getValue() == "zeroed";
    }
  }

  // Explicit shared buffers lie first, each aligned for the widest swizzle.
  func.walk([&](AllocSharedOp op) {
    sharedBytes = llvm::alignTo(sharedBytes, 1024);
    setSharedOffset(op.getBuffer(), i32(sharedBytes));
    sharedBytes += op.getBuffer().getType().getBytes();
  });
  sharedBytes = llvm::alignTo(sharedBytes, 128);

  auto *entry = llvm::BasicBlock::Create(context, "entry", kernel);
  auto *start = llvm::BasicBlock::Create(context, "body", kernel);
  ir.SetInsertPoint(entry);
  entryEnd = ir.CreateBr(start);
  ir.SetInsertPoint(start);
  if (failed(lowerBlock(body)))
    return failure();
  ir.CreateRetVoid();

  info.sharedBytes = scratchBytes ? sharedBytes + scratchBytes : sharedBytes;
  if (info.sharedBytes > target.maxSharedBytes)
    return func.emitError()
           << "the kernel needs " << info.sharedBytes
           << " bytes of shared memory, the chip has " << target.maxSharedBytes;
  return info;
}

llvm::Value *
Lowering::entryValue(llvm::function_ref<llvm::Value *()> make) {
  llvm::IRBuilderBase::InsertPointGuard guard(ir);
  ir.SetInsertPoint(entryEnd);
  return make();
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

llvm::Value *Lowering::threadId() {
  if (!tid)
    tid = entryValue([&] {
      auto *call = ir.CreateIntrinsic(
          ir.getInt32Ty(), llvm::Intrinsic::nvvm_read_ptx_sreg_tid_x, {});
      // The intrinsic's own range is the chip's; this one is the kernel's.
      call->addRangeRetAttr(
          llvm::ConstantRange(llvm::APInt(32, 0),
                              llvm::APInt(32, func.getNumThreads())));
      return call;
    });
  return tid;
}

llvm::Value *Lowering::lane() {
  llvm::Value *thread = threadId();
  if (!laneId)
    laneId = entryValue([&] { return ir.CreateAnd(thread, i32(31)); });
  return laneId;
}

llvm::Value *Lowering::warp() {
  llvm::Value *thread = threadId();
  if (!warpId)
    warpId = entryValue([&] { return ir.CreateLShr(thread, i32(5)); });
  return warpId;
}

llvm::Value *Lowering::isThreadZero() {
  llvm::Value *thread = threadId();
  if (!threadZero)
    threadZero = entryValue([&] { return ir.CreateICmpEQ(thread, i32(0)); });
  return threadZero;
}

/// XOR of the bases of the set bits of `index`. Runs of bits whose bases are
/// consecutive powers of two are moved together.
static llvm::Value *applyBases(IRBuilder &ir, llvm::Value *index,
                               ArrayRef<int64_t> bases) {
  llvm::Value *sum = nullptr;
  auto add = [&](llvm::Value *term) {
    // Bits of different runs may coincide; LLVM knows where they do not.
    sum = sum ? ir.CreateXor(sum, term) : term;
  };
  for (unsigned first = 0; first < bases.size();) {
    if (bases[first] == 0) {
      ++first;
      continue;
    }
    unsigned count = 1;
    bool power = llvm::isPowerOf2_64(bases[first]);
    while (power && first + count < bases.size() &&
           bases[first + count] == bases[first] << count)
      ++count;
    llvm::Value *bits = index;
    if (power) {
      int64_t mask = ((int64_t(1) << count) - 1) << first;
      bits = ir.CreateAnd(bits, ir.getInt32(mask));
      unsigned to = llvm::Log2_64(bases[first]);
      if (to > first)
        bits = ir.CreateShl(bits, to - first);
      else if (to < first)
        bits = ir.CreateLShr(bits, first - to);
    } else {
      bits = ir.CreateAnd(ir.CreateLShr(bits, first), ir.getInt32(1));
      bits = ir.CreateMul(bits, ir.getInt32(bases[first]));
    }
    add(bits);
    first += count;
  }
  return sum ? sum : ir.getInt32(0);
}

llvm::Value *Lowering::threadPart(const LinearLayout &map, StringRef out) {
  // Lane and warp are one number of consecutive bits, the thread's.
  SmallVector<int64_t> bases;
  for (unsigned bit = 0; bit < map.inBits(kLane); ++bit)
    bases.push_back(map.basisOut(kLane, bit, out));
  bases.resize(5);
  for (unsigned bit = 0; bit < map.inBits(kWarp); ++bit)
    bases.push_back(map.basisOut(kWarp, bit, out));
  llvm::Value *thread = threadId();
  return entryValue([&] { return applyBases(ir, thread, bases); });
}

ArrayRef<llvm::Value *> Lowering::threadCoordinates(LayoutAttr layout) {
  if (auto it = coordinates.find(layout); it != coordinates.end())
    return it->second;
  const LinearLayout &map = layout.getMap();
  Registers values;
  for (const LinearLayout::Dim &out : map.outs())
    values.push_back(threadPart(map, out.name));
  return coordinates[layout] = std::move(values);
}

SmallVector<int64_t> Lowering::registerCoordinates(LayoutAttr layout,
                                                   unsigned reg) {
  return layout.getMap().apply({{kRegister, int64_t(reg)}});
}

bool Lowering::isDisjoint(LayoutAttr layout, unsigned dim) {
  const LinearLayout &map = layout.getMap();
  std::string out = tensorDimName(dim);
  int64_t regs = 0, threads = 0;
  for (unsigned bit = 0; bit < map.inBits(kRegister); ++bit)
    regs |= map.basisOut(kRegister, bit, out);
  for (StringRef in : {StringRef(kLane), StringRef(kWarp)})
    for (unsigned bit = 0; bit < map.inBits(in); ++bit)
      threads |= map.basisOut(in, bit, out);
  return (regs & threads) == 0;
}

llvm::Value *Lowering::coordinate(LayoutAttr layout, unsigned dim,
                                  unsigned reg) {
  llvm::Value *thread = threadCoordinates(layout)[dim];
  int64_t constant = registerCoordinates(layout, reg)[dim];
  if (constant == 0)
    return thread;
  if (isDisjoint(layout, dim))
    return ir.CreateAdd(thread, i32(constant), "", true, true);
  return ir.CreateXor(thread, i32(constant));
}

llvm::Value *Lowering::isOwner(LayoutAttr layout, uint64_t &registerMask) {
  uint64_t laneMask = 0, warpMask = 0;
  registerMask = 0;
  for (auto &[name, mask] : layout.getMap().freeVariableMasks()) {
    if (name == kRegister)
      registerMask = mask;
    else if (name == kLane)
      laneMask = mask;
    else if (name == kWarp)
      warpMask = mask;
  }
  const LinearLayout &map = layout.getMap();
  // Threads that the layout does not mention hold copies too.
  laneMask |= 31u & ~((1u << map.inBits(kLane)) - 1);
  unsigned warpBits = llvm::Log2_64(func.getLaunch().getWarps());
  warpMask |= ((1u << warpBits) - 1) & ~((1u << map.inBits(kWarp)) - 1);
  uint64_t mask = laneMask | warpMask << 5;
  if (!mask)
    return nullptr;
  return ir.CreateICmpEQ(ir.CreateAnd(threadId(), i32(mask)), i32(0));
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult Lowering::lowerBlock(Block &block) {
  for (Operation &op : block)
    if (!op.hasTrait<OpTrait::IsTerminator>() && failed(lowerOp(&op)))
      return failure();
  return success();
}

LogicalResult Lowering::lowerOp(Operation *op) {
  for (Type type : op->getResultTypes())
    if (isa<RankedTensorType>(type) && !tile::getLayout(type))
      return op->emitOpError() << "has no layout (tile-assign-layouts gives it)";
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](ProgramIdOp id) {
        llvm::Intrinsic::ID ids[] = {
            llvm::Intrinsic::nvvm_read_ptx_sreg_ctaid_x,
            llvm::Intrinsic::nvvm_read_ptx_sreg_ctaid_y,
            llvm::Intrinsic::nvvm_read_ptx_sreg_ctaid_z};
        auto *call = ir.CreateIntrinsic(ir.getInt32Ty(), ids[id.getDim()], {});
        int64_t blocks = func.getLaunch().getGrid()[id.getDim()];
        call->addRangeRetAttr(
            llvm::ConstantRange(llvm::APInt(32, 0), llvm::APInt(32, blocks)));
        setScalar(id, call);
        return success();
      })
      .Case([&](ViewOp o) { return lowerView(*this, o); })
      .Case([&](LoadOp o) { return lowerLoad(*this, o); })
      .Case([&](StoreOp o) { return lowerStore(*this, o); })
      .Case([&](GatherOp o) { return lowerGather(*this, o); })
      .Case([&](ScatterOp o) { return lowerScatter(*this, o); })
      .Case([&](ArriveOp o) { return lowerArrive(*this, o); })
      .Case([&](MapOp o) { return lowerMap(*this, o); })
      .Case([&](BroadcastOp o) { return lowerBroadcast(*this, o); })
      .Case([&](IotaOp o) { return lowerIota(*this, o); })
      .Case([&](tile::ConstantOp o) { return lowerConstant(*this, o); })
      .Case([&](SplatOp o) {
        setRegisters(o, Registers(tile::getLayout(o).getNumRegisters(),
                                  scalar(o.getScalar())));
        return success();
      })
      .Case([&](ExtractOp o) {
        setScalar(o, registers(o.getInput()).front());
        return success();
      })
      .Case<ReshapeOp, TransposeOp>([&](auto o) {
        setRegisters(o, Registers(registers(o.getInput())));
        return success();
      })
      .Case([&](ReduceOp o) { return lowerReduce(*this, o); })
      .Case([&](ScanOp o) { return lowerScan(*this, o); })
      .Case([&](ConvertLayoutOp o) { return lowerConvertLayout(*this, o); })
      .Case([&](DotOp o) { return lowerDot(*this, o); })
      .Case([&](AllocSharedOp) { return success(); })
      .Case([&](SlotOp o) {
        int64_t bytes = o.getRing().getType().getStageBytes();
        llvm::Value *offset = ir.CreateAdd(
            sharedOffset(o.getRing()),
            ir.CreateMul(scalar(o.getIndex()), i32(bytes), "", true, true), "",
            true, true);
        setSharedOffset(o.getBuffer(), offset);
        return success();
      })
      .Case([&](LocalLoadOp o) { return lowerLocalLoad(*this, o); })
      .Case([&](LocalStoreOp o) { return lowerLocalStore(*this, o); })
      .Case([&](AsyncCopyOp o) { return lowerAsyncCopy(*this, o); })
      .Case([&](AsyncCommitOp o) { return lowerAsyncCommit(*this, o); })
      .Case([&](AsyncWaitOp o) { return lowerAsyncWait(*this, o); })
      .Case([&](BarrierOp) {
        barrier();
        return success();
      })
      .Case([&](scf::ForOp o) { return lowerFor(o); })
      .Case([&](scf::IfOp o) { return lowerIf(o); })
      .Default([&](Operation *o) { return lowerScalar(o); });
}

LogicalResult Lowering::lowerScalar(Operation *op) {
  SmallVector<llvm::Value *> in;
  for (Value operand : op->getOperands()) {
    in.push_back(scalar(operand));
    if (!in.back())
      return op->emitOpError() << "is not a scalar op of tile kernels";
  }
  auto intType = [&](Type type) -> llvm::Type * {
    return ir.getIntNTy(type.isIndex() ? 64 : type.getIntOrFloatBitWidth());
  };
  auto result =
      llvm::TypeSwitch<Operation *, llvm::Value *>(op)
          .Case([&](arith::ConstantOp o) -> llvm::Value * {
            auto value = dyn_cast<IntegerAttr>(o.getValue());
            if (!value)
              return nullptr;
            return llvm::ConstantInt::get(intType(o.getType()),
                                          value.getValue().getSExtValue(),
                                          /*IsSigned=*/true);
          })
          .Case([&](arith::AddIOp) { return ir.CreateAdd(in[0], in[1]); })
          .Case([&](arith::SubIOp) { return ir.CreateSub(in[0], in[1]); })
          .Case([&](arith::MulIOp) { return ir.CreateMul(in[0], in[1]); })
          .Case([&](arith::DivSIOp) { return ir.CreateSDiv(in[0], in[1]); })
          .Case([&](arith::DivUIOp) { return ir.CreateUDiv(in[0], in[1]); })
          .Case([&](arith::RemSIOp) { return ir.CreateSRem(in[0], in[1]); })
          .Case([&](arith::RemUIOp) { return ir.CreateURem(in[0], in[1]); })
          .Case([&](arith::AndIOp) { return ir.CreateAnd(in[0], in[1]); })
          .Case([&](arith::OrIOp) { return ir.CreateOr(in[0], in[1]); })
          .Case([&](arith::XOrIOp) { return ir.CreateXor(in[0], in[1]); })
          .Case([&](arith::ShLIOp) { return ir.CreateShl(in[0], in[1]); })
          .Case([&](arith::ShRUIOp) { return ir.CreateLShr(in[0], in[1]); })
          .Case([&](arith::MinSIOp) {
            return ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, in[0], in[1]);
          })
          .Case([&](arith::MaxSIOp) {
            return ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, in[0], in[1]);
          })
          .Case([&](arith::MinUIOp) {
            return ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, in[0], in[1]);
          })
          .Case([&](arith::SelectOp) {
            return ir.CreateSelect(in[0], in[1], in[2]);
          })
          .Case<arith::ExtSIOp, arith::IndexCastOp, arith::TruncIOp>(
              [&](Operation *o) {
                return ir.CreateSExtOrTrunc(in[0],
                                            intType(o->getResult(0).getType()));
              })
          .Case<arith::ExtUIOp, arith::IndexCastUIOp>([&](Operation *o) {
            return ir.CreateZExtOrTrunc(in[0],
                                        intType(o->getResult(0).getType()));
          })
          .Case([&](arith::CmpIOp o) -> llvm::Value * {
            static constexpr llvm::CmpInst::Predicate predicates[] = {
                llvm::CmpInst::ICMP_EQ,  llvm::CmpInst::ICMP_NE,
                llvm::CmpInst::ICMP_SLT, llvm::CmpInst::ICMP_SLE,
                llvm::CmpInst::ICMP_SGT, llvm::CmpInst::ICMP_SGE,
                llvm::CmpInst::ICMP_ULT, llvm::CmpInst::ICMP_ULE,
                llvm::CmpInst::ICMP_UGT, llvm::CmpInst::ICMP_UGE};
            return ir.CreateICmp(predicates[unsigned(o.getPredicate())], in[0],
                                 in[1]);
          })
          .Default([](Operation *) -> llvm::Value * { return nullptr; });
  if (!result)
    return op->emitOpError() << "is not an op of tile kernels";
  setScalar(op->getResult(0), result);
  return success();
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// All LLVM values of a tile, shared buffer or scalar.
static Registers flatten(Lowering &l, Value value) {
  if (isa<RankedTensorType>(value.getType()))
    return l.registers(value);
  if (isa<SharedType>(value.getType()))
    return {l.sharedOffset(value)};
  return {l.scalar(value)};
}

static void bind(Lowering &l, Value value, Registers values) {
  if (isa<RankedTensorType>(value.getType()))
    l.setRegisters(value, std::move(values));
  else if (isa<SharedType>(value.getType()))
    l.setSharedOffset(value, values.front());
  else
    l.setScalar(value, values.front());
}

LogicalResult Lowering::lowerFor(Operation *op) {
  auto loop = cast<scf::ForOp>(op);
  llvm::LLVMContext &context = ir.getContext();
  llvm::Value *lower = scalar(loop.getLowerBound());
  llvm::Value *upper = scalar(loop.getUpperBound());
  llvm::Value *step = scalar(loop.getStep());
  auto *before = ir.GetInsertBlock();
  auto *body = llvm::BasicBlock::Create(context, "loop", kernel);
  auto *exit = llvm::BasicBlock::Create(context, "exit", kernel);
  SmallVector<Registers> inits;
  for (Value init : loop.getInitArgs())
    inits.push_back(flatten(*this, init));
  llvm::Value *runs = ir.CreateICmpSLT(lower, upper);
  ir.CreateCondBr(runs, body, exit);

  ir.SetInsertPoint(body);
  llvm::PHINode *iv = ir.CreatePHI(lower->getType(), 2);
  iv->addIncoming(lower, before);
  setScalar(loop.getInductionVar(), iv);
  SmallVector<SmallVector<llvm::PHINode *>> phis;
  for (auto [argument, init] :
       llvm::zip_equal(loop.getRegionIterArgs(), inits)) {
    Registers values;
    for (llvm::Value *value : init) {
      llvm::PHINode *phi = ir.CreatePHI(value->getType(), 2);
      phi->addIncoming(value, before);
      values.push_back(phi);
    }
    phis.emplace_back();
    for (llvm::Value *value : values)
      phis.back().push_back(cast<llvm::PHINode>(value));
    bind(*this, argument, std::move(values));
  }
  ++loopDepth;
  if (failed(lowerBlock(*loop.getBody())))
    return failure();
  --loopDepth;
  SmallVector<Registers> next;
  for (Value value : loop.getBody()->getTerminator()->getOperands())
    next.push_back(flatten(*this, value));
  llvm::Value *increased = ir.CreateAdd(iv, step, "", false, true);
  auto *latch = ir.GetInsertBlock();
  ir.CreateCondBr(ir.CreateICmpSLT(increased, upper), body, exit);
  iv->addIncoming(increased, latch);
  for (auto [list, values] : llvm::zip_equal(phis, next))
    for (auto [phi, value] : llvm::zip_equal(list, values))
      phi->addIncoming(value, latch);

  ir.SetInsertPoint(exit);
  for (auto [result, init, values] :
       llvm::zip_equal(loop.getResults(), inits, next)) {
    Registers merged;
    for (auto [a, b] : llvm::zip_equal(init, values)) {
      llvm::PHINode *phi = ir.CreatePHI(a->getType(), 2);
      phi->addIncoming(a, before);
      phi->addIncoming(b, latch);
      merged.push_back(phi);
    }
    bind(*this, result, std::move(merged));
  }
  return success();
}

LogicalResult Lowering::lowerIf(Operation *op) {
  auto branch = cast<scf::IfOp>(op);
  llvm::LLVMContext &context = ir.getContext();
  auto *then = llvm::BasicBlock::Create(context, "then", kernel);
  auto *otherwise = llvm::BasicBlock::Create(context, "else", kernel);
  auto *after = llvm::BasicBlock::Create(context, "after", kernel);
  ir.CreateCondBr(scalar(branch.getCondition()), then, otherwise);
  SmallVector<Registers> values[2];
  llvm::BasicBlock *ends[2];
  Region *regions[] = {&branch.getThenRegion(), &branch.getElseRegion()};
  llvm::BasicBlock *starts[] = {then, otherwise};
  // The condition is the same in all threads, so barriers are legal inside; but
  // whether scratch was used there is known at run time only.
  bool used = scratchUsed;
  for (unsigned i = 0; i < 2; ++i) {
    ir.SetInsertPoint(starts[i]);
    scratchUsed = used;
    if (!regions[i]->empty()) {
      if (failed(lowerBlock(regions[i]->front())))
        return failure();
      for (Value value : regions[i]->front().getTerminator()->getOperands())
        values[i].push_back(flatten(*this, value));
    }
    ends[i] = ir.GetInsertBlock();
    ir.CreateBr(after);
  }
  scratchUsed = true;
  ir.SetInsertPoint(after);
  for (auto [i, result] : llvm::enumerate(branch.getResults())) {
    Registers merged;
    for (auto [a, b] : llvm::zip_equal(values[0][i], values[1][i])) {
      llvm::PHINode *phi = ir.CreatePHI(a->getType(), 2);
      phi->addIncoming(a, ends[0]);
      phi->addIncoming(b, ends[1]);
      merged.push_back(phi);
    }
    bind(*this, result, std::move(merged));
  }
  return success();
}

FailureOr<TileKernelInfo> shoal::lowerTileFunc(FuncOp func,
                                               llvm::Module &module,
                                               const TileTarget &target) {
  Lowering lowering(func, module, target);
  FailureOr<TileKernelInfo> info = lowering.run();
  if (failed(info) && lowering.kernel)
    lowering.kernel->eraseFromParent();
  return info;
}

//===----------------------------------------------------------------------===//
// Scratch
//===----------------------------------------------------------------------===//

int64_t Lowering::beginScratch(int64_t bytes) {
  if (scratchUsed || loopDepth > 0)
    barrier();
  scratchUsed = true;
  scratchBytes = std::max<int64_t>(scratchBytes, llvm::alignTo(bytes, 16));
  return sharedBytes;
}
