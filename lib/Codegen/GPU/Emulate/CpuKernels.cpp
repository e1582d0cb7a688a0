// The CPU's kernels in the place of a GPU's: for each an entry that takes its
// arguments as a GPU's kernel does and runs all chunks.
#include "shoal/Codegen/GPU/Emulate.h"

#include "dialects/Plan/Plan.h"
#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace mlir;
using namespace shoal;

/// Bytes of a tensor in a buffer; 0 if its element type is not known here.
static int64_t bufferBytes(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  int64_t parts = 1;
  if (auto complex = dyn_cast<ComplexType>(element)) {
    element = complex.getElementType();
    parts = 2;
  }
  if (!element.isIntOrFloat())
    return 0;
  int64_t bytes = llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  return tensor.getNumElements() * parts * bytes;
}

/// void entry(buffers…, scalars…[, scratch]): fills a ShoalKernelArgs and
/// calls `symbol`.
static void addEntry(llvm::Module &module, plan::KernelOp kernel,
                     StringRef entry, const KernelInfo &info) {
  llvm::LLVMContext &context = module.getContext();
  llvm::Type *pointer = llvm::PointerType::getUnqual(context);
  llvm::Type *global = llvm::PointerType::get(context, 1);
  llvm::Type *i64 = llvm::Type::getInt64Ty(context);
  llvm::Type *none = llvm::Type::getVoidTy(context);
  SmallVector<Type> buffers;
  unsigned scalars = 0;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    if (kernel.isScalarArg(i)) {
      ++scalars;
      continue;
    }
    buffers.push_back(type);
  }
  size_t inputs = buffers.size();
  llvm::append_range(buffers, kernel.getResultTypes());
  SmallVector<llvm::Type *> types(buffers.size(), global);
  types.append(scalars, i64);
  if (info.info.scratchBytes)
    types.push_back(global);
  auto *function =
      llvm::Function::Create(llvm::FunctionType::get(none, types, false),
                             llvm::GlobalValue::ExternalLinkage, entry, module);
  function->setCallingConv(llvm::CallingConv::PTX_Kernel);
  for (auto [i, type] : llvm::enumerate(buffers)) {
    if (int64_t bytes = bufferBytes(type))
      function->addParamAttr(
          i, llvm::Attribute::getWithDereferenceableBytes(context, bytes));
    // (An output in an input's memory is written by the output's pointer.)
    if (i < inputs)
      function->addParamAttr(i, llvm::Attribute::ReadOnly);
  }

  llvm::IRBuilder<> builder(
      llvm::BasicBlock::Create(context, "entry", function));
  auto array = [&](llvm::Type *element, unsigned first, unsigned count) {
    llvm::Value *values =
        builder.CreateAlloca(element, builder.getInt32(std::max(count, 1u)));
    for (unsigned i = 0; i < count; ++i) {
      llvm::Value *value = function->getArg(first + i);
      if (element->isPointerTy())
        value = builder.CreateAddrSpaceCast(value, pointer);
      builder.CreateStore(
          value, builder.CreateConstInBoundsGEP1_32(element, values, i));
    }
    return values;
  };
  llvm::Value *arguments[] = {
      array(pointer, 0, buffers.size()), array(i64, buffers.size(), scalars),
      info.info.scratchBytes
          ? builder.CreateAddrSpaceCast(function->getArg(types.size() - 1),
                                        pointer)
          : llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0))};
  llvm::Value *args = builder.CreateAlloca(pointer, builder.getInt32(3));
  for (auto [i, value] : llvm::enumerate(arguments))
    builder.CreateStore(value,
                        builder.CreateConstInBoundsGEP1_32(pointer, args, i));
  llvm::FunctionCallee cpu =
      module.getOrInsertFunction(info.symbol, none, pointer, i64, i64);
  builder.CreateCall(
      cpu, {args, builder.getInt64(0), builder.getInt64(info.info.chunks)});
  builder.CreateRetVoid();
}

LogicalResult shoal::gpu::emulateByCpuKernels(ModuleOp module, StringRef chip) {
  auto cpu = compileKernels(module, KernelCompileOptions());
  if (failed(cpu))
    return failure();
  llvm::LLVMContext llvmContext;
  llvm::Module entries("entries", llvmContext);
  auto kernels = llvm::to_vector(module.getOps<plan::KernelOp>());
  for (auto [kernel, info] : llvm::zip_equal(kernels, cpu->kernels))
    addEntry(entries, kernel, info.symbol + "_gpu", info);
  SmallVector<ArrayRef<char>> objects(cpu->objects.begin(), cpu->objects.end());
  EmulateOptions options;
  options.checkAccesses = false;
  options.singleThread = true;
  options.objects = objects;
  llvm::Expected<std::vector<char>> image = emulateKernels(entries, options);
  if (!image)
    return module.emitError(llvm::toString(image.takeError()));

  MLIRContext *context = module.getContext();
  context->loadDialect<mlir::gpu::GPUDialect, NVVM::NVVMDialect>();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto target =
      NVVM::NVVMTargetAttr::get(context, /*O=*/2, "nvptx64-nvidia-cuda", chip);
  Attribute object = mlir::gpu::ObjectAttr::get(
      context, target, mlir::gpu::CompilationTarget::Binary,
      builder.getStringAttr(StringRef(image->data(), image->size())),
      builder.getDictionaryAttr(
          builder.getNamedAttr("shoal.host", builder.getUnitAttr())),
      nullptr);
  StringRef name = "shoal_cpu_images";
  mlir::gpu::BinaryOp::create(builder, module.getLoc(), name, Attribute(),
                              ArrayRef<Attribute>(object));
  for (auto [kernel, info] : llvm::zip_equal(kernels, cpu->kernels)) {
    std::string entry = info.symbol + "_gpu";
    SmallVector<int64_t> one(3, 1);
    Attribute launch = plan::GpuLaunchAttr::get(
        context, FlatSymbolRefAttr::get(context, name),
        builder.getStringAttr(entry), one, /*block=*/1, /*cluster=*/{},
        /*sharedBytes=*/0, info.info.scratchBytes, /*scratchZeroed=*/false,
        /*cooperative=*/false, /*registers=*/0, /*spillBytes=*/0);
    kernel.setSymbol(entry);
    kernel.setStrategy("cpu");
    kernel->setAttr(plan::GpuLaunchAttr::getAttrName(),
                    builder.getArrayAttr(launch));
  }
  return success();
}
