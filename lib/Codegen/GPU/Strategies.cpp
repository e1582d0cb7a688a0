// The strategies in order, and what all of them share.
#include "shoal/Codegen/GPU/Strategy.h"

#include "Simt/Simt.h"
#include "TileStrategy.h"

#include "lib/Codegen/CPU/Scalar.h"

using namespace shoal;
using namespace shoal::gpu;

llvm::ArrayRef<const Strategy *> shoal::gpu::getStrategies() {
  // The most special ones first. The last one takes everything.
  static const Strategy *const strategies[] = {
      &getAttentionStrategy(), &getContractionStrategy(), &getFusedStrategy(),
      &getSimtStrategy()};
  return strategies;
}

llvm::GlobalVariable *shoal::gpu::getSharedMemory(llvm::Module &module) {
  constexpr llvm::StringLiteral name = "shoal_smem";
  if (llvm::GlobalVariable *known = module.getNamedGlobal(name))
    return known;
  auto *type =
      llvm::ArrayType::get(llvm::Type::getInt8Ty(module.getContext()), 0);
  auto *memory = new llvm::GlobalVariable(
      module, type, /*isConstant=*/false, llvm::GlobalValue::ExternalLinkage,
      /*Initializer=*/nullptr, name, /*InsertBefore=*/nullptr,
      llvm::GlobalValue::NotThreadLocal, /*AddressSpace=*/3);
  memory->setAlignment(llvm::Align(1024));
  return memory;
}

llvm::Function *shoal::gpu::declareLaunch(llvm::Module &module,
                                          const KernelSource &source,
                                          llvm::StringRef symbol,
                                          int64_t blockThreads,
                                          int64_t scratchBytes) {
  llvm::LLVMContext &context = module.getContext();
  llvm::Type *global = llvm::PointerType::get(context, 1);
  llvm::SmallVector<llvm::Type *> types;
  // Of each pointer its bytes, whether nothing is written by it, and whether
  // nothing is written to its memory.
  llvm::SmallVector<std::tuple<int64_t, bool, bool>> buffers;
  auto bytesOf = [](mlir::Type type) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    return tensor.getNumElements() *
           cpu::getElementBytes(tensor.getElementType());
  };
  mlir::Block &body = source.body->front();
  unsigned scalars = 0;
  for (mlir::BlockArgument argument : body.getArguments()) {
    unsigned i = argument.getArgNumber();
    if (i < source.scalarInputs.size() && source.scalarInputs[i]) {
      ++scalars;
      continue;
    }
    bool overwritten = llvm::any_of(
        source.mayOverwrite, [&](auto pair) { return pair.second == i; });
    buffers.push_back({bytesOf(argument.getType()), true, !overwritten});
  }
  for (mlir::Value output : body.getTerminator()->getOperands())
    buffers.push_back({bytesOf(output.getType()), false, false});
  if (scratchBytes > 0)
    buffers.push_back({scratchBytes, false, false});
  unsigned pointers = buffers.size() - (scratchBytes > 0);
  types.append(pointers, global);
  types.append(scalars, llvm::Type::getInt64Ty(context));
  if (scratchBytes > 0)
    types.push_back(global);

  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(llvm::Type::getVoidTy(context), types, false),
      llvm::GlobalValue::ExternalLinkage, symbol, module);
  function->setCallingConv(llvm::CallingConv::PTX_Kernel);
  function->setDoesNotThrow();
  function->addFnAttr("no-trapping-math", "true");
  function->addFnAttr("nvvm.maxntid", std::to_string(blockThreads));
  // 64 registers a thread; dropped where they do not suffice.
  function->addFnAttr("nvvm.minctasm", std::to_string(std::clamp<int64_t>(
                                           1024 / blockThreads, 1, 16)));
  for (auto [number, buffer] : llvm::enumerate(buffers)) {
    unsigned i = number < pointers ? number : number + scalars;
    auto [bytes, isReadOnly, isUnchanged] = buffer;
    if (bytes > 0)
      function->addParamAttr(
          i, llvm::Attribute::getWithDereferenceableBytes(context, bytes));
    if (isReadOnly)
      function->addParamAttr(i, llvm::Attribute::ReadOnly);
    if (isUnchanged)
      function->addParamAttr(i, llvm::Attribute::NoAlias);
  }
  return function;
}
