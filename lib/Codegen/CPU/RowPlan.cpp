#include "RowPlan.h"

using namespace mlir;
using namespace shoal::cpu;

namespace {
/// The values of the full shape and which pass needs which, as small numbers:
/// the greedy choice below prices all passes again for every candidate.
class Passes {
public:
  Passes(KernelEmitter &e, const ReductionGroup &group) {
    numPasses = group.numLevels + 1;
    for (BlockArgument argument : e.getSource().body->getArguments())
      if (shapeOf(argument) == group.fullShape)
        addNode(argument, {}, /*cost=*/1, /*computed=*/false);
    for (Operation &op : e.getSource().body->front().without_terminator())
      for (Value result : op.getResults())
        if (shapeOf(result) == group.fullShape) {
          const OpEmitter *emitter = e.getEmitters().lookup(&op);
          bool scalar = emitter && emitter->kind == OpEmitter::Kind::Scalar &&
                        op.getNumResults() == 1;
          addNode(result, scalar ? ValueRange(op.getOperands()) : ValueRange(),
                  emitter ? int64_t(emitter->cost) : 0, scalar);
        }
    roots.resize(numPasses + 1);
    auto addRoot = [&](Value value, unsigned pass) {
      auto it = numbers.find(value);
      if (it != numbers.end())
        roots[pass].push_back(it->second);
    };
    for (auto [reduction, level] :
         llvm::zip_equal(group.reductions, group.levels))
      for (Value input : reduction.op.getInputs())
        addRoot(input, level);
    for (unsigned i : group.fullOutputs)
      addRoot(e.outputValues()[i], numPasses);

    SmallVector<bool> needed;
    for (unsigned pass = numPasses; pass >= 1; --pass) {
      price(pass, needed);
      for (auto [node, isNeeded] : llvm::zip_equal(nodes, needed))
        if (isNeeded) {
          node.firstPass = pass;
          ++node.passes;
        }
    }
  }

  struct Node {
    Value value;
    SmallVector<unsigned, 3> operands;
    int64_t cost;
    bool computed;
    bool kept = false;
    unsigned firstPass = 0, passes = 0;
  };
  std::vector<Node> nodes;
  unsigned numPasses;

  /// The cost of one pass for one column; `needed`: what it computes or reads.
  int64_t price(unsigned pass, SmallVectorImpl<bool> &needed) const {
    needed.assign(nodes.size(), false);
    for (unsigned root : roots[pass])
      needed[root] = true;
    int64_t cost = 0;
    for (unsigned i = nodes.size(); i-- > 0;) {
      if (!needed[i])
        continue;
      const Node &node = nodes[i];
      if (node.kept && node.firstPass < pass) {
        cost += access;
        continue;
      }
      cost += node.cost + (node.kept ? access : 0);
      for (unsigned operand : node.operands)
        needed[operand] = true;
    }
    return cost;
  }

  int64_t price() const {
    SmallVector<bool> needed;
    int64_t cost = 0;
    for (unsigned pass = 1; pass <= numPasses; ++pass)
      cost += price(pass, needed);
    return cost;
  }

private:
  /// Reading or writing an element that lies in the cache.
  static constexpr int64_t access = 1;

  void addNode(Value value, ValueRange operands, int64_t cost, bool computed) {
    Node node{value, {}, cost, computed};
    for (Value operand : operands)
      if (auto it = numbers.find(operand); it != numbers.end())
        node.operands.push_back(it->second);
    numbers[value] = nodes.size();
    nodes.push_back(std::move(node));
  }

  llvm::DenseMap<Value, unsigned> numbers;
  std::vector<SmallVector<unsigned>> roots;
};
} // namespace

RowPlan shoal::cpu::planRow(KernelEmitter &e, const ReductionGroup &group) {
  Passes passes(e, group);
  RowPlan plan;
  plan.numPasses = passes.numPasses;
  plan.columnCost = passes.price();

  // Keep what saves most, as long as the rows stay in the cache.
  constexpr int64_t scratchLimit = 512 << 10;
  int64_t bytes = 0, rowBytes = group.columns * 8;
  while (bytes + rowBytes <= scratchLimit) {
    Passes::Node *best = nullptr;
    int64_t bestCost = plan.columnCost;
    for (Passes::Node &node : passes.nodes) {
      if (!node.computed || node.kept || node.passes < 2)
        continue;
      node.kept = true;
      int64_t cost = passes.price();
      node.kept = false;
      if (cost < bestCost) {
        best = &node;
        bestCost = cost;
      }
    }
    if (!best)
      break;
    best->kept = true;
    plan.columnCost = bestCost;
    bytes += rowBytes;
  }

  SmallVector<bool> needed;
  llvm::DenseMap<unsigned, unsigned> lastPass;
  for (unsigned pass = 1; pass <= passes.numPasses; ++pass) {
    passes.price(pass, needed);
    for (auto [i, isNeeded] : llvm::enumerate(needed))
      if (isNeeded && passes.nodes[i].kept)
        lastPass[i] = pass;
  }
  for (unsigned pass = 1; pass <= passes.numPasses; ++pass)
    for (auto [i, node] : llvm::enumerate(passes.nodes))
      if (node.kept && node.firstPass == pass && lastPass.lookup(i) > pass)
        plan.kept.push_back({node.value, pass, lastPass.lookup(i), 0});

  // Rows are shared by values of one type, one after the other.
  SmallVector<unsigned> busyUntil;
  for (RowPlan::Kept &kept : plan.kept) {
    Type type = getElementType(kept.value);
    unsigned row = 0;
    while (row < plan.rows.size() &&
           (plan.rows[row] != type || busyUntil[row] >= kept.firstPass))
      ++row;
    if (row == plan.rows.size()) {
      plan.rows.push_back(type);
      busyUntil.push_back(0);
    }
    busyUntil[row] = kept.lastPass;
    kept.row = row;
  }
  return plan;
}
