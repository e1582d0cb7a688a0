#include "ShardChoice.h"
#include "MinCut.h"
#include "ShardCosts.h"
#include "UniformValues.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using shoal::comm::AllGatherOp;
using shoal::comm::AllReduceOp;
using shoal::comm::AllSliceOp;
using shoal::comm::GroupsAttr;
namespace sh = mlir::stablehlo;

namespace shoal {

static bool isOver(Operation *op, GroupsAttr groups) {
  if (auto slice = dyn_cast<AllSliceOp>(op))
    return slice.getGroups() == groups;
  return isa<AllReduceOp, AllGatherOp>(op) &&
         cast<comm::CollectiveOpInterface>(op).getCollectiveGroups() == groups;
}

namespace {

/// The share of its bytes that a group may send more for a shorter step: sums
/// along an index are small beside what is gathered.
constexpr double kLittleMore = 0.01;

//===----------------------------------------------------------------------===//
// One index
//===----------------------------------------------------------------------===//

/// What a function has of one index.
struct Index {
  /// Of each value with the index, the dimension; -1 if there are two.
  llvm::MapVector<Value, int> dims;
  SmallVector<Operation *> ops, sources;
  SmallVector<std::pair<Operation *, unsigned>> carried;
  /// Of the cheapest cut, unless something in it has been taken since.
  double gain = 0;
  bool isKnown = false;
  int64_t number = -1;
  ShardPlan plan;
};

class Chooser {
public:
  Chooser(func::FuncOp func, GroupsAttr groups, const IndexClasses &classes,
          const UniformValues &uniform, Prices &prices, bool always)
      : func(func), groups(groups), parts(groups.getGroupSize(func)),
        classes(classes), uniform(uniform),
        costs(func, groups, parts, prices, always) {}

  ShardPlan run() {
    collect();
    ShardPlan plan;
    plan.groups = groups;
    plan.parts = parts;
    while (true) {
      Index *best = nullptr;
      for (auto &[number, index] : indices) {
        if (!index.isKnown)
          solve(index);
        // Of equals, the first.
        if (index.gain > 0 && (!best || index.gain > best->gain))
          best = &index;
      }
      if (!best)
        break;
      take(*best, plan);
    }
    plan.stored = costs.storedValues();
    return plan;
  }

private:
  //===--------------------------------------------------------------------===//
  // What there is
  //===--------------------------------------------------------------------===//

  void collect() {
    func.walk([&](AllReduceOp op) {
      if (isSource(op))
        for (unsigned d = 0; d < op.getType().getRank(); ++d)
          if (int64_t number = classes.classOf(op.getResult(), d); number >= 0)
            indices[number].number = number;
    });
    if (!indices.empty())
      visit(func.getBody().front());
  }

  void visit(Block &block) {
    for (BlockArgument argument : block.getArguments())
      note(argument);
    for (Operation &op : block) {
      for (Value result : op.getResults())
        note(result);
      if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op)) {
        for (Region &region : op.getRegions())
          visit(region.front());
      } else if (!isa<sh::OptimizationBarrierOp>(op)) {
        if (isSource(&op)) {
          for (int64_t number : numbersOf(op.getResult(0))) {
            indices[number].sources.push_back(&op);
            have[&op].push_back(number);
          }
          continue;
        }
        llvm::SmallSetVector<int64_t, 4> numbers;
        for (const PartFactor &factor : classes.factorsOf(&op)) {
          for (auto [t, d] : factor.operands)
            numbers.insert(classes.classOf(op.getOperand(t), d));
          for (auto [t, d] : factor.results)
            numbers.insert(classes.classOf(op.getResult(t), d));
        }
        for (int64_t number : numbers)
          if (auto found = indices.find(number); found != indices.end())
            found->second.ops.push_back(&op), have[&op].push_back(number);
        continue;
      }
      for (OpResult result : op.getResults())
        for (int64_t number : numbersOf(result)) {
          indices[number].carried.push_back({&op, result.getResultNumber()});
          have[&op].push_back(number);
        }
    }
  }

  SmallVector<int64_t> numbersOf(Value value) {
    llvm::SmallSetVector<int64_t, 4> numbers;
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      for (unsigned d = 0; d < type.getRank(); ++d)
        if (int64_t number = classes.classOf(value, d);
            number >= 0 && indices.contains(number))
          numbers.insert(number);
    return numbers.takeVector();
  }

  void note(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return;
    for (unsigned d = 0; d < type.getRank(); ++d)
      if (int64_t number = classes.classOf(value, d); number >= 0)
        if (auto found = indices.find(number); found != indices.end()) {
          auto [place, isNew] = found->second.dims.insert({value, int(d)});
          if (!isNew)
            place->second = -1;
        }
  }

  /// A collective over the group that leaves its result whole.
  bool isSource(Operation *op) const {
    if (!isa<AllReduceOp, AllGatherOp>(op) || !isOver(op, groups) ||
        !uniform.isReachedTogether(op))
      return false;
    auto gather = dyn_cast<AllGatherOp>(op);
    return !gather ||
           typeOf(op->getOperand(0)).getDimSize(gather.getDim()) * parts ==
               typeOf(op->getResult(0)).getDimSize(gather.getDim());
  }

  //===--------------------------------------------------------------------===//
  // The cheapest way
  //===--------------------------------------------------------------------===//

  static int dimOf(const Index &index, Value value) {
    auto found = index.dims.find(value);
    return found == index.dims.end() ? -2 : found->second;
  }

  /// The one factor by which the op can be computed on shards.
  const PartFactor *factorOf(const Index &index, int64_t number,
                             Operation *op) const {
    if (taken.contains(op))
      return nullptr;
    const PartFactor *mine = nullptr;
    for (const PartFactor &factor : classes.factorsOf(op)) {
      bool isIn = llvm::any_of(factor.operands, [&](auto place) {
        return classes.classOf(op->getOperand(place.first), place.second) ==
               number;
      });
      isIn |= llvm::any_of(factor.results, [&](auto place) {
        return classes.classOf(op->getResult(place.first), place.second) ==
               number;
      });
      if (isIn && mine)
        return nullptr;
      if (isIn)
        mine = &factor;
    }
    if (!mine)
      return nullptr;
    auto fits = [&](ValueRange values,
                    ArrayRef<std::pair<unsigned, unsigned>> places) {
      for (auto [t, value] : llvm::enumerate(values)) {
        int dim = dimOf(index, value), place = -2;
        for (auto [p, d] : places)
          if (p == t) {
            if (place >= 0)
              return false;
            place = int(d);
          }
        if (dim != place &&
            !(dim == -2 && place >= 0 && classes.isFree(value, place)))
          return false;
      }
      return true;
    };
    return fits(op->getOperands(), mine->operands) &&
                   fits(op->getResults(), mine->results)
               ? mine
               : nullptr;
  }

  bool canCarry(const Index &index, Operation *op, unsigned i) const {
    if (takenCarried.contains({op, i}))
      return false;
    int dim = dimOf(index, op->getResult(i));
    auto fits = [&](Value value) {
      return dimOf(index, value) == dim || classes.isFree(value, dim);
    };
    if (dim < 0)
      return false;
    if (auto loop = dyn_cast<sh::WhileOp>(op))
      return dimOf(index, loop.getBody().getArgument(i)) == dim &&
             fits(op->getOperand(i)) &&
             fits(loop.getBody().front().getTerminator()->getOperand(i));
    if (isa<sh::OptimizationBarrierOp>(op))
      return fits(op->getOperand(i));
    return llvm::all_of(op->getRegions(), [&](Region &region) {
      return fits(region.front().getTerminator()->getOperand(i));
    });
  }

  /// A cut's nodes: what is computed on shards is on the source's side.
  struct Graph {
    MinCut cut;
    llvm::DenseMap<Operation *, unsigned> ops; ///< and sources
    llvm::DenseMap<std::pair<Operation *, unsigned>, unsigned> carried;
    llvm::DenseMap<Operation *, const PartFactor *> factors;

    std::optional<unsigned> find(Operation *op) const {
      auto found = ops.find(op);
      return found == ops.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<unsigned> find(Operation *op, unsigned i) const {
      auto found = carried.find({op, i});
      return found == carried.end() ? std::nullopt
                                    : std::optional(found->second);
    }
    std::optional<unsigned> producerOf(Value value) const {
      if (auto argument = dyn_cast<BlockArgument>(value))
        return find(argument.getOwner()->getParentOp(),
                    argument.getArgNumber());
      auto result = cast<OpResult>(value);
      if (auto node = find(result.getOwner(), result.getResultNumber()))
        return node;
      return find(result.getOwner());
    }
    /// Of a use, what would take a shard.
    std::optional<unsigned> consumerOf(OpOperand &use) const {
      Operation *owner = use.getOwner();
      unsigned i = use.getOperandNumber();
      if (owner->hasTrait<OpTrait::IsTerminator>()) {
        Operation *parent = owner->getParentOp();
        if (isa<sh::WhileOp>(parent) &&
            owner->getParentRegion()->getRegionNumber() == 0)
          return std::nullopt;
        return find(parent, i);
      }
      if (isa<sh::WhileOp, sh::OptimizationBarrierOp>(owner))
        return find(owner, i);
      auto factor = factors.find(owner);
      if (factor == factors.end() ||
          llvm::none_of(factor->second->operands,
                        [&](auto place) { return place.first == i; }))
        return std::nullopt;
      return find(owner);
    }
    bool isShard(unsigned node) const { return cut.isOnSourceSide(node); }
  };

  /// A slice that keeps the shard it would be given.
  bool takesShard(const Index &index, OpOperand &use) const {
    auto slice = dyn_cast<AllSliceOp>(use.getOwner());
    return slice && isOver(slice, groups) &&
           int64_t(slice.getDim()) == dimOf(index, use.get()) &&
           typeOf(slice.getResult()).getDimSize(slice.getDim()) ==
               int64_t(llvm::divideCeil(
                   typeOf(use.get()).getDimSize(slice.getDim()), parts));
  }

  /// What the whole of a value costs of which there is a shard.
  double wholeCost(Operation *source, Value value) {
    double gather = costs.collective(CollectiveType::AllGather, value);
    if (!isa_and_nonnull<AllReduceOp>(source))
      return gather;
    // As one, an all_reduce may take less than its halves, and more than one.
    double both = costs.collective(CollectiveType::AllReduce, value) -
                  costs.collective(CollectiveType::ReduceScatter, value);
    return std::min(gather, std::max(both, 0.0));
  }

  /// The cheapest cut that sends hardly more than before: bytes get dearer
  /// until it is found.
  void solve(Index &index) {
    index.isKnown = true;
    for (double price : {0, 1, 4, 16, 64})
      if (solve(index, price))
        return;
    index.gain = 0;
  }

  /// `price`: how often an all_gather's time counts for its bytes, besides
  /// itself. False if more is sent than before.
  bool solve(Index &index, double price) {
    index.gain = 0;
    int64_t number = index.number;
    Graph graph;
    MinCut &cut = graph.cut;
    llvm::DenseSet<Operation *> sources;
    for (Operation *op : index.sources) {
      int dim = dimOf(index, op->getResult(0));
      auto gather = dyn_cast<AllGatherOp>(op);
      if (taken.contains(op) || dim < 0 ||
          (gather && int64_t(gather.getDim()) != dim))
        continue;
      sources.insert(op);
      cut.addEdge(MinCut::kSource, graph.ops[op] = cut.addNode(),
                  MinCut::kNever);
    }
    if (llvm::none_of(sources, llvm::IsaPred<AllReduceOp>))
      return true;
    // Costs of the program as it is, and what it sends, in gathers' times.
    double before = 0, fixed = 0, sent = 0, scattered = 0;
    struct Sending {
      unsigned from, to;
      double bytes;
    };
    SmallVector<Sending> sendings;
    auto send = [&](unsigned from, unsigned to, double cost, double bytes) {
      cut.addEdge(from, to, cost + price * bytes);
      sendings.push_back({from, to, bytes});
    };
    for (Operation *op : index.ops)
      if (const PartFactor *factor = factorOf(index, number, op)) {
        unsigned node = graph.ops[op] = cut.addNode();
        graph.factors[op] = factor;
        double gain = costs.gain(op);
        double bytes = isa<comm::CollectiveOpInterface>(op)
                           ? costs.bytes(op->getResult(0))
                           : 0;
        before += gain + price * bytes;
        sent += bytes;
        send(MinCut::kSource, node, gain, bytes);
        if (factor->reduces)
          send(node, MinCut::kSink,
               costs.collective(CollectiveType::AllReduce, op->getResult(0)),
               2 * costs.bytes(op->getResult(0)));
      }
    for (auto [op, i] : index.carried)
      if (canCarry(index, op, i))
        graph.carried[{op, i}] = cut.addNode();
    for (auto [value, dim] : index.dims) {
      std::optional<unsigned> producer =
          dim < 0 ? std::nullopt : graph.producerOf(value);
      std::optional<unsigned> gather, slice;
      Operation *source = value.getDefiningOp();
      bool isSource = source && sources.contains(source);
      if (producer) {
        double cost = wholeCost(isSource ? source : nullptr, value),
               bytes = costs.bytes(value);
        send(*producer, *(gather = cut.addNode()), cost, bytes);
        if (isSource && !value.use_empty()) {
          before += cost + price * bytes;
          sent += bytes;
        }
        if (isSource && isa<AllReduceOp>(source)) {
          fixed += costs.collective(CollectiveType::ReduceScatter, value);
          scattered += bytes;
        }
      }
      for (OpOperand &use : value.getUses()) {
        if (dim >= 0 && takesShard(index, use))
          continue;
        std::optional<unsigned> consumer =
            dim < 0 ? std::nullopt : graph.consumerOf(use);
        if (producer)
          cut.addEdge(*gather, consumer.value_or(MinCut::kSink),
                      MinCut::kNever);
        if (!consumer || isSource)
          continue;
        if (!slice) {
          slice = cut.addNode();
          cut.addEdge(*slice, producer.value_or(MinCut::kSink),
                      costs.slice(value));
        }
        cut.addEdge(*consumer, *slice, MinCut::kNever);
      }
    }
    double after = cut.solve();
    index.gain = before - after;
    index.plan = ShardPlan();
    if (index.gain <= 0)
      return true;
    double more = -sent;
    for (const Sending &sending : sendings)
      if (graph.isShard(sending.from) && !graph.isShard(sending.to))
        more += sending.bytes;
    if (!costs.areBytes() && more > kLittleMore * (sent + scattered))
      return false;
    // (Without what made bytes dearer.)
    index.gain += price * more;
    index.plan.before = before - price * sent + fixed;
    index.plan.after = after - price * (sent + more) + fixed;
    for (auto [op, factor] : graph.factors)
      if (graph.isShard(graph.ops.lookup(op)))
        index.plan.ops[op] = factor;
    for (auto [place, node] : graph.carried)
      if (graph.isShard(node))
        index.plan.carried[place] =
            dimOf(index, place.first->getResult(place.second));
    for (Operation *op : index.sources)
      if (sources.contains(op))
        noteSource(index, graph, op);
    if (index.plan.sources.empty())
      index.gain = 0;
    return true;
  }

  /// A source is in the plan if someone takes its shard.
  void noteSource(Index &index, const Graph &graph, Operation *op) {
    Value value = op->getResult(0);
    bool onShard = false, whole = false;
    for (OpOperand &use : value.getUses()) {
      std::optional<unsigned> consumer = graph.consumerOf(use);
      bool takes =
          takesShard(index, use) || (consumer && graph.isShard(*consumer));
      (takes ? onShard : whole) = true;
    }
    if (!onShard)
      return;
    index.plan.sources[op] = dimOf(index, value);
    if (whole && (isa<AllGatherOp>(op) ||
                  wholeCost(op, value) <
                      costs.collective(CollectiveType::AllGather, value)))
      index.plan.kept.insert(op);
  }

  void take(Index &index, ShardPlan &plan) {
    for (auto [op, dim] : index.plan.sources)
      plan.sources[op] = dim;
    for (Operation *op : index.plan.kept)
      plan.kept.insert(op);
    for (auto [op, factor] : index.plan.ops)
      plan.ops[op] = factor;
    for (auto [place, dim] : index.plan.carried)
      plan.carried[place] = dim;
    plan.before += index.plan.before;
    plan.after += index.plan.after;
    for (auto [op, dim] : index.plan.sources)
      taken.insert(op);
    for (auto [op, factor] : index.plan.ops)
      taken.insert(op);
    for (auto [place, dim] : index.plan.carried)
      takenCarried.insert(place);
    // What others had counted on is gone.
    auto forget = [&](Operation *op) {
      for (int64_t number : have.lookup(op))
        indices[number].isKnown = false;
    };
    ShardPlan mine = std::move(index.plan);
    for (auto [op, dim] : mine.sources)
      forget(op);
    for (auto [op, factor] : mine.ops)
      forget(op);
    for (auto [place, dim] : mine.carried)
      forget(place.first);
  }

  func::FuncOp func;
  GroupsAttr groups;
  int64_t parts;
  const IndexClasses &classes;
  const UniformValues &uniform;
  ShardCosts costs;
  llvm::MapVector<int64_t, Index> indices;
  llvm::DenseMap<Operation *, SmallVector<int64_t, 2>> have;
  llvm::DenseSet<Operation *> taken;
  llvm::DenseSet<std::pair<Operation *, unsigned>> takenCarried;
};

} // namespace

ShardPlan choosePlan(func::FuncOp func, GroupsAttr groups,
                     const IndexClasses &classes, const UniformValues &uniform,
                     Prices &prices, bool always) {
  return Chooser(func, groups, classes, uniform, prices, always).run();
}

} // namespace shoal
