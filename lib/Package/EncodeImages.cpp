// Device code and launch data of the program table: the module's gpu.binary ops
// and the kernels' attribute `plan.gpu`.
#include "ProgramEncoder.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace shoal;
using program::ImageKind;
using program::kNone;

uint32_t ProgramEncoder::addImage(ImageKind kind, StringRef chip,
                                  StringRef bytes) {
  imageBytes.resize((imageBytes.size() + program::kImageAlignment - 1) /
                    program::kImageAlignment * program::kImageAlignment);
  program::Image image = {};
  image.kind = kind;
  image.fallback = kNone;
  image.chip = table.str(chip);
  image.offset = imageBytes.size();
  image.bytes = bytes.size();
  imageBytes.insert(imageBytes.end(), bytes.begin(), bytes.end());
  table.images.push_back(image);
  return table.images.size() - 1;
}

/// The image to load first of the named gpu.binary. Its objects are all that
/// hold the same kernels: a cubin with PTX beside it, or a host image.
FailureOr<uint32_t> ProgramEncoder::encodeImages(Operation *at,
                                                 FlatSymbolRefAttr name) {
  auto [it, isNew] = imageIndices.try_emplace(name.getValue(), kNone);
  if (!isNew)
    return it->second;
  auto binary = module.lookupSymbol<gpu::BinaryOp>(name.getAttr());
  if (!binary) {
    at->emitOpError("names the device code ")
        << name << ", and there is no such gpu.binary";
    return failure();
  }
  uint32_t ptx = kNone, best = kNone;
  for (Attribute attribute : binary.getObjects()) {
    auto object = cast<gpu::ObjectAttr>(attribute);
    auto target = dyn_cast<NVVM::NVVMTargetAttr>(object.getTarget());
    if (!target || object.getObject().empty()) {
      binary.emitOpError("holds an object that is not for an NVIDIA chip");
      return failure();
    }
    StringRef bytes = object.getObject().getValue();
    bool isHost = object.getProperties() &&
                  object.getProperties().contains("shoal.host");
    ImageKind kind = isHost ? ImageKind::Host
                     : object.getFormat() == gpu::CompilationTarget::Assembly
                         ? ImageKind::Ptx
                         : ImageKind::Cubin;
    uint32_t index = addImage(kind, target.getChip(), bytes);
    if (kind == ImageKind::Ptx)
      ptx = index;
    else
      best = index;
  }
  if (best == kNone)
    best = ptx;
  else if (table.images[best].kind == ImageKind::Cubin)
    table.images[best].fallback = ptx;
  imageIndices[name.getValue()] = best;
  return best;
}

LogicalResult ProgramEncoder::encodeGpuKernel(plan::KernelOp kernel) {
  auto launches =
      kernel->getAttrOfType<ArrayAttr>(plan::GpuLaunchAttr::getAttrName());
  if (!launches || launches.empty())
    return kernel.emitOpError("has no GPU code");
  SmallVector<program::GpuKernel> records;
  for (Attribute attribute : launches) {
    auto launch = dyn_cast<plan::GpuLaunchAttr>(attribute);
    if (!launch)
      return kernel.emitOpError("has GPU code without launch data");
    FailureOr<uint32_t> image = encodeImages(kernel, launch.getImage());
    if (failed(image))
      return failure();
    program::GpuKernel record = {};
    record.symbol = table.str(launch.getSymbol());
    record.image = *image;
    record.next = kNone;
    for (unsigned d = 0; d < 3; ++d) {
      record.grid[d] = d < launch.getGrid().size() ? launch.getGrid()[d] : 1;
      record.cluster[d] =
          d < launch.getCluster().size() ? launch.getCluster()[d] : 1;
    }
    record.block = launch.getBlock();
    record.sharedBytes = launch.getSharedBytes();
    record.registers = launch.getRegisters();
    record.spillBytes = launch.getSpillBytes();
    record.flags = (launch.getScratchZeroed() ? program::kScratchZeroed : 0u) |
                   (launch.getCooperative() ? program::kCooperative : 0u);
    record.scratchBytes = launch.getScratchBytes();
    records.push_back(record);
  }
  table.gpuKernels.push_back(records.front());
  // The others find their place when all kernels have theirs.
  moreLaunches.push_back({records.begin() + 1, records.end()});
  return success();
}

void ProgramEncoder::appendLaunches() {
  for (auto [kernel, more] : llvm::enumerate(moreLaunches)) {
    uint32_t previous = kernel;
    for (const program::GpuKernel &record : more) {
      table.gpuKernels[previous].next = table.gpuKernels.size();
      previous = table.gpuKernels.size();
      table.gpuKernels.push_back(record);
    }
  }
}
