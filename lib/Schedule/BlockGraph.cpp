#include "BlockGraph.h"

#include "BufferPlan.h"
#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OpCosts.h"

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {

unsigned BlockGraph::ownerOf(Value value) {
  auto [it, isNew] = memory.try_emplace(value, bytes.size());
  if (!isNew)
    return it->second;
  if (Operation *op = value.getDefiningOp(); op && op->getBlock() == &block)
    if (auto view = getView(op, scalars)) {
      memory.erase(value);
      unsigned base = ownerOf(view->first);
      return memory[value] = base;
    }
  auto type = dyn_cast<RankedTensorType>(value.getType());
  bool holds = type && !scalars.contains(value) &&
               !value.getDefiningOp<shlo::ConstantOp>() &&
               !plan::isOnHost(type); // the host does
  bytes.push_back(holds ? std::max<int64_t>(plan::getTensorBytes(type), 0) : 0);
  numReaders.push_back(0);
  isLocal.push_back(value.getParentBlock() == &block &&
                    !isa<BlockArgument>(value));
  return memory[value] = bytes.size() - 1;
}

BlockGraph::BlockGraph(Block &block, const HostScalars &scalars)
    : block(block), scalars(scalars) {
  DenseMap<Operation *, unsigned> index;
  int lastEffect = -1;
  DenseMap<int64_t, unsigned> marks;
  for (Operation &op : block) {
    unsigned id = nodes.size();
    index[&op] = id;
    if (auto mark = op.getAttrOfType<IntegerAttr>(kMarkAttr))
      marks[mark.getInt()] = id;
    nodes.push_back({&op, {}, 0, {}, {}, 0});
    for (Region &region : op.getRegions())
      nodes[id].inner = std::max(nodes[id].inner, peakBytesOf(region));
    llvm::SmallDenseSet<unsigned> deps, reads;
    op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands()) {
        Operation *def = operand.getDefiningOp();
        if (operand.getParentBlock() != &block)
          continue;
        reads.insert(ownerOf(operand));
        if (def)
          deps.insert(index.lookup(def));
      }
    });
    // What has effects stays in order. Collectives that only compute a value
    // may come in any order: it is the same one on every rank.
    bool ordered = op.hasTrait<OpTrait::IsTerminator>();
    op.walk([&](Operation *nested) {
      bool isControl = isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(nested);
      ordered |= !isControl && !nested->hasTrait<OpTrait::IsTerminator>() &&
                 !isMemoryEffectFree(nested);
    });
    if (op.hasTrait<OpTrait::IsTerminator>())
      for (unsigned i = 0; i < id; ++i)
        deps.insert(i);
    else if (ordered) {
      if (lastEffect >= 0)
        deps.insert(lastEffect);
      lastEffect = id;
    }
    if (auto after = op.getAttrOfType<IntegerAttr>(kAfterAttr))
      if (auto mark = marks.find(after.getInt()); mark != marks.end())
        deps.insert(mark->second);
    deps.erase(id);
    for (unsigned dep : deps)
      nodes[dep].users.push_back(id);
    nodes[id].numDeps = deps.size();
    for (unsigned owner : reads) {
      ++numReaders[owner];
      nodes[id].reads.push_back(owner);
    }
    llvm::sort(nodes[id].reads);
    if (!getView(&op, scalars))
      for (Value result : op.getResults())
        nodes[id].defines.push_back(ownerOf(result));
  }
  for (Node &node : nodes)
    llvm::sort(node.users);
}

/// Bytes that executing the node adds to what is held, minus what it frees.
int64_t BlockGraph::growth(const Node &node, ArrayRef<unsigned> readers) const {
  int64_t change = 0;
  for (unsigned owner : node.defines)
    if (readers[owner] > 0)
      change += bytes[owner];
  for (unsigned owner : node.reads)
    if (isLocal[owner] && readers[owner] == 1)
      change -= bytes[owner];
  return change;
}

SmallVector<int64_t> BlockGraph::heldAt(ArrayRef<unsigned> order) const {
  SmallVector<unsigned> readers(numReaders);
  SmallVector<int64_t> result(nodes.size(), 0);
  int64_t held = 0;
  for (unsigned id : order) {
    const Node &node = nodes[id];
    int64_t filled = 0;
    for (unsigned owner : node.defines)
      filled += bytes[owner];
    result[id] = held + filled;
    held += growth(node, readers);
    for (unsigned owner : node.reads)
      --readers[owner];
  }
  return result;
}

int64_t BlockGraph::peakOf(ArrayRef<unsigned> order) const {
  SmallVector<int64_t> held = heldAt(order);
  int64_t peak = 0;
  for (auto [bytes, node] : llvm::zip_equal(held, nodes))
    peak = std::max(peak, bytes + node.inner);
  return peak;
}

void BlockGraph::apply(ArrayRef<unsigned> order) {
  Operation *terminator = block.getTerminator();
  for (unsigned id : order)
    if (nodes[id].op != terminator)
      nodes[id].op->moveBefore(terminator);
}

} // namespace shoal
