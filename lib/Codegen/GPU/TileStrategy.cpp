// Kernels as tile.func, then as LLVM IR. What the tile level turns out not to
// lower goes to the next strategy: it is slower then, not wrong.
#include "TileStrategy.h"

#include "dialects/Tile/Tile.h"
#include "shoal/Codegen/GPU/Contraction.h"
#include "shoal/Codegen/GPU/TileCompiler.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"

#include <thread>

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu;

namespace {
/// While it lives, diagnostics of this thread go nowhere.
class Silence {
public:
  explicit Silence(MLIRContext *context) : engine(context->getDiagEngine()) {
    std::thread::id mine = std::this_thread::get_id();
    handler = engine.registerHandler([mine](Diagnostic &) {
      return success(std::this_thread::get_id() == mine);
    });
  }
  ~Silence() { engine.eraseHandler(handler); }

private:
  DiagnosticEngine &engine;
  DiagnosticEngine::HandlerID handler;
};

using MakeFuncs = SmallVector<tile::FuncOp> (*)(const TileSource &,
                                                const TileTarget &, ModuleOp);

class TileStrategy : public Strategy {
public:
  TileStrategy(llvm::StringLiteral name, MakeFuncs make)
      : name(name), make(make) {}
  llvm::StringRef getName() const override { return name; }

  FailureOr<bool> emit(const KernelRequest &request, llvm::Module &module,
                       KernelCode &code) const override {
    const KernelSource &source = request.source;
    MLIRContext *context = source.body->getContext();
    TileTarget target;
    target.sm = request.chip.number;
    target.archSpecific = request.chip.variant != 0;
    target.multiprocessors = request.chip.multiprocessors;
    target.maxSharedBytes = request.chip.sharedBytes;
    target.allowTf32 = request.allowTf32;
    TileSource tiles;
    tiles.symbol = source.symbol;
    tiles.body = source.body;
    tiles.scalarInputs = source.scalarInputs;
    tiles.mayOverwrite = source.mayOverwrite;
    tiles.inputAlign.assign(request.inputAlign.begin(),
                            request.inputAlign.end());
    tiles.outputAlign.assign(request.outputAlign.begin(),
                             request.outputAlign.end());

    Silence silence(context);
    OwningOpRef<ModuleOp> holder =
        ModuleOp::create(UnknownLoc::get(context));
    SmallVector<tile::FuncOp> funcs = make(tiles, target, *holder);
    if (funcs.empty())
      return false;
    // On its own first: a failure half-way must leave nothing.
    auto own = std::make_unique<llvm::Module>(source.symbol,
                                              module.getContext());
    own->setTargetTriple(module.getTargetTriple());
    own->setDataLayout(module.getDataLayout());
    KernelCode made;
    for (tile::FuncOp func : funcs) {
      if (failed(assignTileLayouts(func)))
        return false;
      FailureOr<TileKernelInfo> info = lowerTileFunc(func, *own, target);
      if (failed(info) || info->sharedBytes > target.maxSharedBytes)
        return false;
      Launch &launch = made.launches.emplace_back();
      launch.symbol = func.getSymName().str();
      launch.grid = info->grid;
      launch.block = info->block;
      launch.cluster = info->cluster;
      launch.sharedBytes = info->sharedBytes;
      made.scratchBytes = std::max(made.scratchBytes, info->scratchBytes);
      made.scratchZeroed |= info->scratchZeroed;
    }
    if (llvm::verifyModule(*own))
      return false;
    made.strategy = name.str();
    if (tile::ConfigAttr config = funcs.front().getConfigAttr())
      made.strategy = config.getStrategy().str();
    if (llvm::Linker::linkModules(module, std::move(own)))
      return false;
    made.isPerformanceKernel = true;
    code = std::move(made);
    return true;
  }

private:
  llvm::StringLiteral name;
  MakeFuncs make;
};
} // namespace

const Strategy &shoal::gpu::getContractionStrategy() {
  static const TileStrategy strategy("contraction", makeContractionFuncs);
  return strategy;
}
const Strategy &shoal::gpu::getAttentionStrategy() {
  static const TileStrategy strategy("attention", makeAttentionFuncs);
  return strategy;
}
const Strategy &shoal::gpu::getFusedStrategy() {
  static const TileStrategy strategy("fused", makeTileFuncs);
  return strategy;
}
