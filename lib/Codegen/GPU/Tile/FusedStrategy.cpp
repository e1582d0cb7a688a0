// The fused strategies (elementwise, rows, columns) as GPU code generation asks
// for them.

#include "shoal/Codegen/GPU/TileStrategy.h"

#include "BufferAlignment.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace shoal;

namespace {
class FusedStrategy : public gpu::Strategy {
public:
  StringRef getName() const override { return "tile"; }

  bool matches(const KernelSource &source,
               const gpu::Chip &chip) const override {
    // Not from the threads that emit.
    source.body->getContext()
        ->loadDialect<tile::TileDialect, arith::ArithDialect,
                      scf::SCFDialect>();
    return canBeTileFuncs(toTileSource(source));
  }

  LogicalResult emit(const KernelSource &source, const gpu::Chip &chip,
                     llvm::Module &module,
                     gpu::KernelCode &code) const override {
    TileSource tileSource = toTileSource(source);
    findBufferAlignments(source, tileSource);
    TileTarget target = toTileTarget(chip);
    OwningOpRef<ModuleOp> tiles = ModuleOp::create(source.body->getLoc());
    SmallVector<tile::FuncOp> functions =
        makeTileFuncs(tileSource, target, *tiles);
    if (functions.empty())
      return emitError(source.body->getLoc())
             << "internal error: no tile kernel for this kernel";
    return emitTileFuncs(functions, target, module, code);
  }
};
} // namespace

TileSource shoal::toTileSource(const KernelSource &source) {
  TileSource result;
  result.symbol = source.symbol;
  result.body = source.body;
  result.scalarInputs = source.scalarInputs;
  result.mayOverwrite = source.mayOverwrite;
  return result;
}

TileTarget shoal::toTileTarget(const gpu::Chip &chip) {
  TileTarget target;
  target.sm = chip.number;
  target.archSpecific = chip.variant == 'a';
  target.multiprocessors = chip.multiprocessors;
  target.maxSharedBytes = chip.sharedBytes;
  return target;
}

LogicalResult shoal::emitTileFuncs(ArrayRef<tile::FuncOp> functions,
                                   const TileTarget &target,
                                   llvm::Module &module,
                                   gpu::KernelCode &code) {
  for (tile::FuncOp func : functions) {
    if (failed(assignTileLayouts(func)) || failed(verify(func)))
      return failure();
    FailureOr<TileKernelInfo> info = lowerTileFunc(func, module, target);
    if (failed(info))
      return failure();
    gpu::Launch launch;
    launch.symbol = func.getSymName().str();
    launch.grid = info->grid;
    launch.block = info->block;
    launch.cluster = info->cluster;
    launch.sharedBytes = info->sharedBytes;
    code.launches.push_back(std::move(launch));
    code.scratchBytes = std::max(code.scratchBytes, info->scratchBytes);
    code.scratchZeroed |= info->scratchZeroed;
  }
  code.isPerformanceKernel = true;
  tile::FuncOp first = functions.front();
  if (tile::ConfigAttr config = first.getConfigAttr()) {
    llvm::raw_string_ostream os(code.strategy);
    os << "tile " << config;
  }
  return success();
}

const gpu::Strategy &shoal::getFusedTileStrategy() {
  static const FusedStrategy strategy;
  return strategy;
}
