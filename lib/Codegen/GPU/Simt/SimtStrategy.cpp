// Which form a kernel has at the SIMT level, and the emission of its launches.
#include "Simt.h"
#include "SimtEmitter.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OpTraits.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu;
using namespace shoal::gpu::simt;

const cpu::OpEmitters &shoal::gpu::simt::getElementEmitters() {
  static const cpu::OpEmitters *emitters = [] {
    auto *all = new cpu::OpEmitters(cpu::OpEmitters::get());
    registerWindowElements(*all);
    registerRandomElements(*all);
    registerFourierElements(*all);
    return all;
  }();
  return *emitters;
}

static const OpForms &getOpForms() {
  static const OpForms *forms = [] {
    auto *all = new OpForms;
    addUpdateForms(*all);
    addScatterForm(*all);
    addSortForms(*all);
    addScanForm(*all);
    addFactorForms(*all);
    addFourierForm(*all);
    addRandomForm(*all);
    addWindowForms(*all);
    return all;
  }();
  return *forms;
}

/// True if an element of an output needs elements of `input` at other indices
/// than its own.
static bool isReadElsewhere(BlockArgument input) {
  DenseSet<Operation *> seen;
  SmallVector<Value> todo{input};
  while (!todo.empty())
    for (Operation *user : todo.pop_back_val().getUsers()) {
      if (user->hasTrait<OpTrait::IsTerminator>() || !seen.insert(user).second)
        continue;
      if (classify(user) != OpClass::Elementwise)
        return true;
      llvm::append_range(todo, user->getResults());
    }
  return false;
}

/// Outputs of one shape share a loop. Several loops share a launch where no
/// output may lie in an input's memory; else the launches keep their order. An
/// output in the memory of an input that is also read elsewhere (by a reduction
/// that each element repeats) waits in scratch memory until all are computed.
static void makeLoops(const KernelSource &source, SimtKernel &kernel) {
  Block &body = source.body->front();
  OperandRange values = body.getTerminator()->getOperands();
  llvm::SmallDenseMap<unsigned, int64_t> staged; // output -> offset
  for (auto [output, input] : source.mayOverwrite)
    if (!staged.contains(output) && isReadElsewhere(body.getArgument(input))) {
      auto type = cast<RankedTensorType>(values[output].getType());
      staged[output] = kernel.reserve(
          type.getNumElements() * cpu::getElementBytes(type.getElementType()));
    }

  struct Nest {
    SmallVector<int64_t> shape;
    SmallVector<unsigned> direct, staged;
  };
  llvm::MapVector<ArrayRef<int64_t>, Nest> nests;
  for (auto [i, output] : llvm::enumerate(values)) {
    Nest &nest = nests[cpu::shapeOf(output)];
    nest.shape = llvm::to_vector(cpu::shapeOf(output));
    (staged.contains(i) ? nest.staged : nest.direct).push_back(i);
  }
  auto stagedArray = [staged](SimtEmitter &e, unsigned i) {
    return KernelEmitter::Array{
        e.scratch(staged.lookup(i)),
        cast<RankedTensorType>(e.outputValues()[i].getType()), -1};
  };
  auto emitNest = [stagedArray](SimtEmitter &e, const Nest &nest) {
    for (ArrayRef<unsigned> which :
         {ArrayRef(nest.direct), ArrayRef(nest.staged)})
      for (unsigned i : which)
        e.getFacts().flops +=
            cpu::elementCost(e.outputValues()[i], e.getEmitters()) *
            cpu::countElements(nest.shape);
    e.gridSpace(nest.shape, [&](ArrayRef<IndexExpr> index) {
      e.pushScope();
      for (unsigned i : nest.staged)
        e.storeArray(stagedArray(e, i), e.linearize(index, nest.shape),
                     e.element(e.outputValues()[i], index));
      e.storeOutputs(nest.direct, index);
      e.popScope();
    });
  };
  std::vector<Nest> all;
  for (auto &[shape, nest] : nests)
    all.push_back(std::move(nest));
  if (source.mayOverwrite.empty()) {
    kernel.steps.push_back({defaultBlock, [=](SimtEmitter &e) {
                              for (const Nest &nest : all)
                                emitNest(e, nest);
                            }});
    return;
  }
  for (const Nest &nest : all)
    kernel.steps.push_back(
        {defaultBlock, [=](SimtEmitter &e) { emitNest(e, nest); }});
  if (staged.empty())
    return;
  kernel.form = "staged loops";
  kernel.steps.push_back(
      {defaultBlock, [=](SimtEmitter &e) {
         for (const Nest &nest : all)
           for (unsigned i : nest.staged)
             e.gridSpace(nest.shape, [&](ArrayRef<IndexExpr> index) {
               IndexExpr at = e.linearize(index, nest.shape);
               e.storeArray(e.outputArray(i), at,
                            e.loadArray(stagedArray(e, i), at));
             });
       }});
}

/// The chunks of an op that only the CPU's emitter knows, a chunk per thread.
static void makeChunks(Operation *op, const cpu::OpEmitter &emitter,
                       SimtKernel &kernel) {
  kernel.form = "chunks";
  kernel.steps.push_back(
      {32, [op, &emitter](SimtEmitter &e) {
         int64_t chunks = emitter.chunks ? emitter.chunks(op) : 1;
         e.gridLoop(std::max<int64_t>(chunks, 1),
                    [&](IndexVar *chunk) { e.emitChunks(op, emitter, chunk); });
       }});
}

static SimtKernel makeKernel(const KernelSource &source) {
  SimtKernel kernel;
  for (Value output : source.body->front().getTerminator()->getOperands()) {
    Operation *op = output.getDefiningOp();
    if (!op)
      continue;
    auto form = getOpForms().forms.find(op->getName().getStringRef());
    if (form != getOpForms().forms.end()) {
      form->second(op, source, kernel);
      if (!kernel.steps.empty())
        return kernel;
    }
    const cpu::OpEmitter *emitter = getElementEmitters().lookup(op);
    if (emitter && emitter->kind == cpu::OpEmitter::Kind::Buffer) {
      makeChunks(op, *emitter, kernel);
      return kernel;
    }
  }
  if (!makeRowKernel(source, kernel))
    makeLoops(source, kernel);
  return kernel;
}

namespace {
class SimtStrategy : public Strategy {
public:
  llvm::StringRef getName() const override { return "simt"; }

  FailureOr<bool> emit(const KernelRequest &request, llvm::Module &module,
                       KernelCode &code) const override {
    const KernelSource &source = request.source;
    const Chip &chip = request.chip;
    SimtKernel kernel = makeKernel(source);
    // The dry run is silent about errors: the real one meets them again. It
    // finds which loops have to be cut, and whether there is scratch memory.
    std::vector<cpu::KernelFacts> dry(kernel.steps.size());
    int64_t scratchBytes = kernel.scratchBytes;
    {
      llvm::Module trial("dry-run", module.getContext());
      trial.setTargetTriple(module.getTargetTriple());
      trial.setDataLayout(module.getDataLayout());
      for (auto [step, facts] : llvm::zip_equal(kernel.steps, dry)) {
        Launch launch;
        launch.block = step.block;
        facts.scratchBytes = kernel.scratchBytes;
        llvm::Function *function =
            declareLaunch(trial, source, "dry_run", step.block, 0);
        SimtEmitter(function, source, facts, /*dryRun=*/true, chip, launch)
            .run(step.emit);
        scratchBytes = std::max(scratchBytes, facts.scratchBytes);
        function->eraseFromParent();
      }
    }
    for (auto [i, step] : llvm::enumerate(kernel.steps)) {
      Launch &launch = code.launches.emplace_back();
      launch.block = step.block;
      launch.symbol = source.symbol;
      if (i > 0)
        launch.symbol += "_then" + std::to_string(i);
      cpu::KernelFacts facts;
      facts.splits = std::move(dry[i].splits);
      facts.scratchBytes = kernel.scratchBytes;
      llvm::Function *function = declareLaunch(module, source, launch.symbol,
                                               step.block, scratchBytes);
      if (!SimtEmitter(function, source, facts, /*dryRun=*/false, chip, launch)
               .run(step.emit))
        return failure();
      code.flops += facts.flops;
    }
    if (kernel.flops >= 0)
      code.flops = kernel.flops;
    code.scratchBytes = scratchBytes;
    code.scratchZeroed = kernel.scratchZeroed;
    code.strategy = std::string("simt ") + kernel.form;
    return true;
  }
};
} // namespace

const Strategy &shoal::gpu::getSimtStrategy() {
  static const SimtStrategy strategy;
  return strategy;
}
