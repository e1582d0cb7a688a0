#include "RowPlan.h"

#include <bitset>

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

    price([](Node &node, const Set &needed) {
      node.firstPass = firstOf(needed);
      node.passes = needed.count();
    });
  }

  /// Passes, from 1.
  using Set = std::bitset<mostRowPasses + 1>;

  static unsigned firstOf(const Set &set) {
    unsigned first = 0;
    while (!set[first])
      ++first;
    return first;
  }

  struct Node {
    Value value;
    SmallVector<unsigned, 3> operands;
    int64_t cost;
    bool computed;
    bool kept = false;
    unsigned firstPass = 0;
    unsigned passes = 0;
  };
  std::vector<Node> nodes;
  unsigned numPasses;

  /// The cost of all passes for one column; tells `see` which passes compute or
  /// read each node. Operands come before their users.
  int64_t price(llvm::function_ref<void(Node &, const Set &)> see = nullptr) {
    needed.assign(nodes.size(), Set());
    for (auto [pass, values] : llvm::enumerate(roots))
      for (unsigned root : values)
        needed[root].set(pass);
    int64_t cost = 0;
    for (unsigned i = nodes.size(); i-- > 0;) {
      Set &passes = needed[i];
      if (passes.none())
        continue;
      Node &node = nodes[i];
      if (see)
        see(node, passes);
      if (node.kept) {
        // Made in the first, written, and read in the others.
        cost += node.cost + access * int64_t(passes.count());
        passes = Set().set(firstOf(passes));
      } else {
        cost += node.cost * int64_t(passes.count());
      }
      for (unsigned operand : node.operands)
        needed[operand] |= passes;
    }
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
  std::vector<Set> needed;
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

  llvm::DenseMap<Passes::Node *, unsigned> lastPass;
  passes.price([&](Passes::Node &node, const Passes::Set &needed) {
    unsigned &last = lastPass[&node];
    for (unsigned pass = 1; pass <= passes.numPasses; ++pass)
      if (needed[pass])
        last = pass;
  });
  for (unsigned pass = 1; pass <= passes.numPasses; ++pass)
    for (Passes::Node &node : passes.nodes)
      if (unsigned last = lastPass.lookup(&node);
          node.kept && node.firstPass == pass && last > pass)
        plan.kept.push_back({node.value, pass, last, 0});

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
