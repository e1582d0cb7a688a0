// shoal-order: see Passes.td.
#include "BufferPlan.h"
#include "shoal/Schedule/Passes.h"

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_ORDER
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// The ops of one block as a graph over the memory they hold.
class BlockOrder {
public:
  BlockOrder(Block &block, const HostScalars &scalars);

  /// Reorders the block if that lowers the modelled peak.
  void improve();

private:
  struct Node {
    Operation *op;
    SmallVector<unsigned> users; // nodes that must come later
    unsigned numDeps = 0;
    SmallVector<unsigned> reads;   // memory it needs, each once
    SmallVector<unsigned> defines; // memory it fills
  };
  unsigned ownerOf(Value value);
  int64_t peakOf(ArrayRef<unsigned> order) const;
  SmallVector<unsigned> greedy() const;
  int64_t growth(const Node &node, ArrayRef<unsigned> readers) const;

  Block &block;
  const HostScalars &scalars;
  SmallVector<Node> nodes;
  DenseMap<Value, unsigned> memory; // value -> memory, through views
  SmallVector<int64_t> bytes;
  SmallVector<unsigned> numReaders; // ops of this block, and its terminator
  SmallVector<bool> isLocal;        // defined in this block
};

/// Beyond this, the order as written is taken: the search is quadratic.
constexpr size_t kMaxOps = 20000;

unsigned BlockOrder::ownerOf(Value value) {
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
               !value.getDefiningOp<shlo::ConstantOp>();
  bytes.push_back(holds ? std::max<int64_t>(plan::getTensorBytes(type), 0) : 0);
  numReaders.push_back(0);
  isLocal.push_back(value.getParentBlock() == &block &&
                    !isa<BlockArgument>(value));
  return memory[value] = bytes.size() - 1;
}

BlockOrder::BlockOrder(Block &block, const HostScalars &scalars)
    : block(block), scalars(scalars) {
  DenseMap<Operation *, unsigned> index;
  int lastEffect = -1;
  for (Operation &op : block) {
    unsigned id = nodes.size();
    index[&op] = id;
    nodes.push_back({&op, {}, 0, {}, {}});
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
    // Collectives, checks and calls with effects stay in order.
    bool ordered = op.getName().getDialectNamespace() == "comm" ||
                   op.hasTrait<OpTrait::IsTerminator>() ||
                   (!isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(op) &&
                    !isMemoryEffectFree(&op));
    if (isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(op))
      op.walk([&](Operation *nested) {
        ordered |= nested->getName().getDialectNamespace() == "comm" ||
                   isa<plan::CheckOp, plan::CustomCallOp>(nested);
      });
    if (op.hasTrait<OpTrait::IsTerminator>())
      for (unsigned i = 0; i < id; ++i)
        deps.insert(i);
    else if (ordered) {
      if (lastEffect >= 0)
        deps.insert(lastEffect);
      lastEffect = id;
    }
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
int64_t BlockOrder::growth(const Node &node, ArrayRef<unsigned> readers) const {
  int64_t change = 0;
  for (unsigned owner : node.defines)
    if (readers[owner] > 0)
      change += bytes[owner];
  for (unsigned owner : node.reads)
    if (isLocal[owner] && readers[owner] == 1)
      change -= bytes[owner];
  return change;
}

int64_t BlockOrder::peakOf(ArrayRef<unsigned> order) const {
  SmallVector<unsigned> readers(numReaders);
  int64_t held = 0, peak = 0;
  for (unsigned id : order) {
    const Node &node = nodes[id];
    int64_t filled = 0;
    for (unsigned owner : node.defines)
      filled += bytes[owner];
    peak = std::max(peak, held + filled);
    held += growth(node, readers);
    for (unsigned owner : node.reads)
      --readers[owner];
  }
  return peak;
}

SmallVector<unsigned> BlockOrder::greedy() const {
  SmallVector<unsigned> order, readers(numReaders), deps;
  SmallVector<unsigned> ready;
  for (auto [id, node] : llvm::enumerate(nodes)) {
    deps.push_back(node.numDeps);
    if (node.numDeps == 0)
      ready.push_back(id);
  }
  while (!ready.empty()) {
    auto best = ready.begin();
    int64_t bestGrowth = INT64_MAX;
    for (auto it = ready.begin(); it != ready.end(); ++it) {
      int64_t change = growth(nodes[*it], readers);
      // What frees memory or costs none goes first; else as written.
      change = std::max<int64_t>(change, 0) == 0 ? std::min<int64_t>(change, 0)
                                                 : change;
      if (change < bestGrowth || (change == bestGrowth && *it < *best)) {
        best = it;
        bestGrowth = change;
      }
    }
    unsigned id = *best;
    ready.erase(best);
    order.push_back(id);
    for (unsigned owner : nodes[id].reads)
      --readers[owner];
    for (unsigned user : nodes[id].users)
      if (--deps[user] == 0)
        ready.push_back(user);
  }
  return order;
}

void BlockOrder::improve() {
  if (nodes.size() < 3 || nodes.size() > kMaxOps)
    return;
  SmallVector<unsigned> written =
      llvm::to_vector(llvm::seq<unsigned>(0, nodes.size()));
  SmallVector<unsigned> candidate = greedy();
  if (candidate.size() != nodes.size() || peakOf(candidate) >= peakOf(written))
    return;
  Operation *terminator = block.getTerminator();
  for (unsigned id : candidate)
    if (nodes[id].op != terminator)
      nodes[id].op->moveBefore(terminator);
}

struct Order : impl::OrderBase<Order> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      HostScalars scalars(func);
      SmallVector<Block *> blocks;
      func.walk([&](Block *block) { blocks.push_back(block); });
      for (Block *block : blocks) {
        Operation *parent = block->getParentOp();
        if (isa<func::FuncOp, shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(parent))
          BlockOrder(*block, scalars).improve();
      }
    }
  }
};
} // namespace
} // namespace shoal
