// Groups grow from their last op backwards: the ops of a block are visited in
// reverse, and each joins a group of its users, or starts one.
//
// What keeps the groups free of cycles: a group runs where its last op stands,
// and an op joins only if all its other users run later than that.

#include "shoal/Analysis/FusionGroups.h"
#include "shoal/Analysis/OpTraits.h"
#include "shoal/Analysis/Repetition.h"

#include "GrowingGroup.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {
ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

class Grouping {
public:
  Grouping(Block &block, const HostScalars &hostScalars,
           const FusionOptions &options)
      : block(block), hostScalars(hostScalars), options(options) {}

  std::vector<FusionGroup> run();
  /// How the block repeats itself, if groups shall follow that.
  std::optional<Repetition> repetition;
  /// Some group could not grow for its size.
  bool wasFull = false;
  /// Ops that stay in the block although groups copied them.
  llvm::DenseSet<Operation *> stays;

private:
  Block &block;
  const HostScalars &hostScalars;
  const FusionOptions &options;
  std::vector<std::unique_ptr<GrowingGroup>> groups;
  llvm::DenseMap<Operation *, unsigned> positions;
  /// Groups an op is in (several for copied ones).
  llvm::DenseMap<Operation *, SmallVector<GrowingGroup *, 1>> groupsOf;
  bool isStandalone(Operation *op, OpClass opClass);
  Operation *inBlock(Operation *user) {
    return block.findAncestorOpInBlock(*user);
  }

  void visit(Operation *op, OpClass opClass);
  bool isCopied(Operation *op, OpClass opClass);
  bool isTooFar(Operation *op, const GrowingGroup &group);
  bool tryJoin(Operation *op, OpClass opClass, GrowingGroup &group, bool copy);
  bool joinReduction(sh::ReduceOp op, GrowingGroup &group);
  bool joinProduct(sh::DotGeneralOp op, GrowingGroup &group);
  bool relate(Operation *op, GrowingGroup &group, Member &member);
  bool isFullOrRow(const GrowingGroup &group, const IndexRelation &relation,
                   Value value);
  bool outsideUsersRunLater(Operation *op, const GrowingGroup &group,
                            bool &hasOutside);
  void tryMakeRows(GrowingGroup &group, const IndexRelation &relation,
                   Value value);
  GrowingGroup &start(Operation *op, FusionGroup::Kind kind);
  void add(Operation *op, GrowingGroup &group, Member member);
  unsigned countInputs(const GrowingGroup &group, Operation *extra);
  void finish(GrowingGroup &group);
};
} // namespace

bool Grouping::isStandalone(Operation *op, OpClass opClass) {
  if (opClass == OpClass::Constant)
    return false;
  if (opClass == OpClass::Opaque || hostScalars.isHostOp(op))
    return true;
  return hostScalars.isHostView(op);
}

/// Cheap ops that every user computes for itself rather than read a buffer of
/// it: reading their operands costs no more.
bool Grouping::isCopied(Operation *op, OpClass opClass) {
  switch (opClass) {
  case OpClass::Constant:
  case OpClass::Iota:
    return true;
  case OpClass::IndexMap:
    // A broadcast reads less than it makes; a reshape is a view either way.
    return isa<sh::BroadcastInDimOp, sh::ReshapeOp>(op);
  case OpClass::Elementwise: {
    if (elementCostOf(op) > 1)
      return false;
    // One array operand that is not wider; the others constants, or, where the
    // result is an array, scalars. Of scalars too only one: a chain of ops with
    // two operands each would be copied whole into the kernel of every link.
    int64_t bits = 0;
    bool isScalar = shapeOf(op->getResult(0)).empty();
    llvm::SmallPtrSet<void *, 4> arrays;
    for (Value operand : op->getOperands()) {
      Value source = operand;
      while (auto broadcast = source.getDefiningOp<sh::BroadcastInDimOp>())
        source = broadcast.getOperand();
      Operation *producer = source.getDefiningOp();
      if (producer && classify(producer) == OpClass::Constant)
        continue;
      if (shapeOf(source).empty() && !isScalar)
        continue;
      arrays.insert(source.getAsOpaquePointer());
      if (isa<ComplexType>(getElementTypeOrSelf(operand.getType())))
        return false;
      bits = std::max<int64_t>(
          bits,
          getElementTypeOrSelf(operand.getType()).getIntOrFloatBitWidth());
    }
    Type type = getElementTypeOrSelf(op->getResult(0).getType());
    if (isa<ComplexType>(type))
      return false;
    return arrays.size() <= 1 && bits <= type.getIntOrFloatBitWidth();
  }
  default:
    return false;
  }
}

/// Groups of a program that repeats itself hold whole parts of it, as many as
/// fit, so that they are alike and compiled once.
bool Grouping::isTooFar(Operation *op, const GrowingGroup &group) {
  if (!repetition)
    return false;
  unsigned first = positions.lookup(op) - 1, last = group.position - 1;
  if (!repetition->contains(first) && !repetition->contains(last))
    return false;
  int most = options.maxOps / repetition->period;
  return repetition->partOf(last) - repetition->partOf(first) >= most;
}

GrowingGroup &Grouping::start(Operation *op, FusionGroup::Kind kind) {
  GrowingGroup &group = *groups.emplace_back(std::make_unique<GrowingGroup>());
  group.kind = kind;
  group.root = op;
  group.position = positions.lookup(op);
  Value space = op->getResult(0);
  if (auto reduce = dyn_cast<sh::ReduceOp>(op)) {
    space = reduce.getInputs().front();
    llvm::append_range(group.reduced, reduce.getDimensions());
    llvm::sort(group.reduced);
  }
  llvm::append_range(group.space, shapeOf(space));
  Member member;
  member.relation = IndexRelation::identity(group.space.size());
  if (!group.reduced.empty() || isa<sh::ReduceOp>(op)) {
    member.relation.dims.clear();
    for (int d = 0, rank = group.space.size(); d < rank; ++d)
      if (!llvm::is_contained(group.reduced, d))
        member.relation.dims.push_back(d);
  }
  add(op, group, member);
  return group;
}

void Grouping::add(Operation *op, GrowingGroup &group, Member member) {
  group.ops.insert(op);
  group.members[op] = std::move(member);
  groupsOf[op].push_back(&group);
}

unsigned Grouping::countInputs(const GrowingGroup &group, Operation *extra) {
  llvm::SmallPtrSet<void *, 32> values;
  auto count = [&](Operation *op) {
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (!producer || !(group.ops.contains(producer) || producer == extra))
        values.insert(operand.getAsOpaquePointer());
    }
  };
  for (Operation *op : group.ops)
    count(op);
  count(extra);
  return values.size();
}

/// True if everything outside the group that uses the op's results runs later
/// than the group.
bool Grouping::outsideUsersRunLater(Operation *op, const GrowingGroup &group,
                                    bool &hasOutside) {
  hasOutside = false;
  for (Operation *user : op->getUsers()) {
    Operation *top = inBlock(user);
    auto it = groupsOf.find(top);
    if (it == groupsOf.end() || stays.contains(top)) {
      hasOutside = true;
      if (positions.lookup(top) <= group.position)
        return false;
    }
    if (it == groupsOf.end())
      continue;
    for (GrowingGroup *other : it->second) {
      if (other == &group)
        continue;
      hasOutside = true;
      if (other->position <= group.position)
        return false;
    }
  }
  return true;
}

/// Where in the group's space the op's result is needed, and how often.
bool Grouping::relate(Operation *op, GrowingGroup &group, Member &member) {
  bool first = true;
  double repeat = 0;
  for (Value result : op->getResults())
    for (OpOperand &use : result.getUses()) {
      Operation *user = use.getOwner();
      auto it = group.members.find(user);
      if (it == group.members.end())
        continue;
      IndexRelation relation;
      double times = it->second.repeat;
      member.feedsReduction |=
          it->second.feedsReduction || isa<sh::ReduceOp>(user);
      if (isa<sh::ReduceOp>(user)) {
        // Operands run over the whole space; initial values are of rank 0.
        relation = shapeOf(result).empty()
                       ? IndexRelation{true, {}}
                       : IndexRelation::identity(group.space.size());
        if (!(shapeOf(result) == ArrayRef<int64_t>(group.space)) &&
            !shapeOf(result).empty())
          relation = {};
      } else {
        relation =
            operandRelation(user, use.getOperandNumber(), it->second.relation);
        // Tiles of a product read each element a few times.
        if (isa<sh::DotGeneralOp>(user))
          times *= 2;
        // Only these read an element more than once.
        double ratio = 1;
        if (isa<sh::BroadcastInDimOp, sh::GatherOp>(user) &&
            use.getOperandNumber() == 0 && !shapeOf(result).empty())
          ratio = double(elementsOf(user->getResult(0))) /
                  std::max<int64_t>(1, elementsOf(result));
        // Along minor dimensions a broadcast is hoisted out of their loop.
        bool hoisted = false;
        if (relation.known && !relation.dims.empty()) {
          hoisted = true;
          int last = -1;
          for (int d : relation.dims) {
            if (d < 0)
              continue;
            hoisted &= d == last + 1;
            last = d;
          }
        }
        if (ratio > 1 && !hoisted)
          times *= ratio;
      }
      if (first) {
        member.relation = relation;
        repeat = times;
      } else if (member.relation == relation && relation.known) {
        repeat = std::max(repeat, times);
      } else {
        member.relation = {};
        repeat += times;
      }
      first = false;
    }
  member.repeat = repeat;
  return !first;
}

/// True if the value can be an output: one element for each of the group's
/// space, or for each row.
bool Grouping::isFullOrRow(const GrowingGroup &group,
                           const IndexRelation &relation, Value value) {
  if (!relation.known)
    return false;
  if (relation == IndexRelation::identity(group.space.size()) &&
      shapeOf(value) == ArrayRef<int64_t>(group.space))
    return group.kind == FusionGroup::Kind::Loop ||
           group.kind == FusionGroup::Kind::Rows;
  if (group.kind != FusionGroup::Kind::Rows &&
      group.kind != FusionGroup::Kind::Columns)
    return false;
  int next = 0;
  SmallVector<int> kept;
  for (int d = 0, rank = group.space.size(); d < rank; ++d)
    if (!llvm::is_contained(group.reduced, d) && group.space[d] != 1)
      kept.push_back(d);
  for (auto [d, extent] : llvm::zip_equal(relation.dims, shapeOf(value))) {
    if (extent == 1)
      continue;
    if (next == int(kept.size()) || kept[next] != d)
      return false;
    ++next;
  }
  return next == int(kept.size());
}

/// Turns a loop into rows if the value runs along its leading dimensions only.
void Grouping::tryMakeRows(GrowingGroup &group, const IndexRelation &relation,
                           Value value) {
  if (!relation.known || shapeOf(value) == ArrayRef<int64_t>(group.space))
    return;
  int last = -1;
  for (auto [d, extent] : llvm::zip_equal(relation.dims, shapeOf(value)))
    if (extent != 1)
      last = d;
  if (last < 0)
    return;
  int64_t rows = 1, columns = 1;
  SmallVector<int64_t> reduced;
  for (int d = 0, rank = group.space.size(); d < rank; ++d) {
    if (d > last)
      reduced.push_back(d);
    (d > last ? columns : rows) *= group.space[d];
  }
  // Short rows would be short loops.
  constexpr int64_t shortest = 16;
  if (rows != elementsOf(value) || columns < shortest ||
      !llvm::all_of(group.ops, keepsMinorDimension))
    return;
  group.kind = FusionGroup::Kind::Rows;
  group.reduced = reduced;
}

/// A reduction joins as the producer of rows or as one more reduction.
bool Grouping::joinReduction(sh::ReduceOp op, GrowingGroup &group) {
  ArrayRef<int64_t> full = shapeOf(op.getInputs().front());
  SmallVector<int64_t> dims(op.getDimensions());
  llvm::sort(dims);
  bool minor = true;
  for (int64_t d = full.size() - 1; d >= 0; --d)
    if (full[d] > 1) {
      minor = llvm::is_contained(dims, d);
      break;
    }
  Member member;
  bool used = relate(op, group, member);
  SmallVector<int> kept;
  for (int d = 0, rank = full.size(); d < rank; ++d)
    if (!llvm::is_contained(dims, d))
      kept.push_back(d);
  bool hasOutside;
  if (!outsideUsersRunLater(op, group, hasOutside))
    return false;

  if (group.kind == FusionGroup::Kind::Rows ||
      group.kind == FusionGroup::Kind::Columns) {
    if (full != ArrayRef<int64_t>(group.space) || dims != group.reduced)
      return false;
    if (!used) {
      // A sibling: worth it if it reads what the group reads.
      member.relation = IndexRelation{true, kept};
      member.repeat = 1;
    }
    IndexRelation rows{true, kept};
    // Dimensions of size 1 have index 0 on either side.
    if (!member.relation.known || member.relation.dims.size() != kept.size())
      return false;
    for (auto [a, b] : llvm::zip_equal(member.relation.dims, kept))
      if (a != b && full[b] != 1)
        return false;
    // Columns hold one level of reductions only.
    if (group.kind == FusionGroup::Kind::Columns && member.feedsReduction)
      return false;
    member.relation = rows;
    add(op, group, member);
    return true;
  }
  if (group.kind != FusionGroup::Kind::Loop || !used)
    return false;

  // A loop over the reduction's operands: its rows follow the group's space.
  if (full == ArrayRef<int64_t>(group.space) && minor) {
    if (!member.relation.known || member.relation.dims.size() != kept.size())
      return false;
    for (auto [a, b] : llvm::zip_equal(member.relation.dims, kept))
      if (a != b && full[b] != 1)
        return false;
    group.kind = FusionGroup::Kind::Rows;
    group.reduced = dims;
    member.relation = IndexRelation{true, kept};
    add(op, group, member);
    return true;
  }
  // A loop over the reduction's results: the group becomes its epilogue.
  if (shapeOf(op.getResult(0)) != ArrayRef<int64_t>(group.space))
    return false;
  if (!(member.relation == IndexRelation::identity(group.space.size())))
    return false;
  for (auto &[other, m] : group.members)
    if (m.relation.known)
      for (int &d : m.relation.dims)
        if (d >= 0)
          d = kept[d];
  // Outputs so far must be one element per row.
  group.space.assign(full.begin(), full.end());
  group.reduced = dims;
  group.kind = minor ? FusionGroup::Kind::Rows : FusionGroup::Kind::Columns;
  member.relation = IndexRelation{true, kept};
  add(op, group, member);
  return true;
}

/// A product joins the elementwise ops that follow it.
bool Grouping::joinProduct(sh::DotGeneralOp op, GrowingGroup &group) {
  Member member;
  bool hasOutside;
  if (group.kind != FusionGroup::Kind::Loop || !relate(op, group, member) ||
      member.repeat > 1.01 || member.feedsReduction ||
      shapeOf(op.getResult()) != ArrayRef<int64_t>(group.space) ||
      !(member.relation == IndexRelation::identity(group.space.size())) ||
      !outsideUsersRunLater(op, group, hasOutside) ||
      !llvm::all_of(group.ops, [](Operation *member) {
        return keepsMinorDimension(member) && !isa<sh::GatherOp>(member);
      }))
    return false;
  group.kind = FusionGroup::Kind::Product;
  add(op, group, member);
  return true;
}

bool Grouping::tryJoin(Operation *op, OpClass opClass, GrowingGroup &group,
                       bool copy) {
  using Kind = FusionGroup::Kind;
  if (group.members.count(op))
    return true;
  // Initial values of windows are known better as constants.
  if (group.kind == Kind::Single &&
      !(opClass == OpClass::Constant && shapeOf(op->getResult(0)).empty() &&
        isa<sh::ReduceWindowOp, sh::SelectAndScatterOp>(group.root)))
    return false;
  // Copies are free, and take the place of the input they would be otherwise.
  if (!copy && countInputs(group, op) > options.maxInputs)
    return false;
  if (!copy && (group.ops.size() >= options.maxOps || isTooFar(op, group))) {
    wasFull |= group.ops.size() >= options.maxOps;
    return false;
  }
  if (group.kind == Kind::Matmul)
    return false;
  if (auto reduce = dyn_cast<sh::ReduceOp>(op))
    return joinReduction(reduce, group);

  Member member;
  if (!relate(op, group, member))
    return false;
  if (group.kind == Kind::Update) {
    // The operand that is written must be memory, unless it is a constant.
    for (OpOperand &use : op->getResult(0).getUses())
      if (use.getOwner() == group.root) {
        unsigned number = use.getOperandNumber();
        unsigned written = 1;
        if (auto scatter = dyn_cast<sh::ScatterOp>(group.root))
          written = scatter.getInputs().size();
        if (number < written && opClass != OpClass::Constant &&
            !isa<sh::BroadcastInDimOp>(op))
          return false;
      }
  }
  if (!copy) {
    bool hasOutside;
    if (!outsideUsersRunLater(op, group, hasOutside))
      return false;
    // A value for each row that is needed outside makes rows of a loop.
    if (hasOutside && group.kind == Kind::Loop)
      tryMakeRows(group, member.relation, op->getResult(0));
    if (hasOutside && !isFullOrRow(group, member.relation, op->getResult(0)))
      return false;
  }
  int cost = elementCostOf(op);
  if (member.repeat > 1.01 && member.repeat * cost > 4)
    return false;
  if (opClass == OpClass::IndexMap) {
    // Strided reads in the innermost loop only where they are few.
    if (!keepsMinorDimension(op) && elementsOf(op->getResult(0)) >= 1024) {
      // One transpose of what the group's loops run over goes by tiles.
      bool tiled =
          group.kind == Kind::Loop &&
          member.relation == IndexRelation::identity(group.space.size()) &&
          shapeOf(op->getResult(0)) == ArrayRef<int64_t>(group.space) &&
          llvm::all_of(group.ops, keepsMinorDimension);
      // A product's operands may lie in any order.
      bool isOperand =
          group.kind == Kind::Product && isa<sh::TransposeOp>(op) &&
          llvm::all_of(op->getUsers(), [&](Operation *user) {
            return isa<sh::DotGeneralOp>(user) && group.members.count(user);
          });
      if (!tiled && !isOperand)
        return false;
    }
    if (isa<sh::GatherOp>(op) && group.kind == Kind::Update)
      return false;
  }
  add(op, group, member);
  return true;
}

void Grouping::visit(Operation *op, OpClass opClass) {
  using Kind = FusionGroup::Kind;
  // Users' groups, and whether somebody needs the value in memory.
  llvm::SmallSetVector<GrowingGroup *, 8> candidates;
  bool needsMemory = false;
  for (Operation *user : op->getUsers()) {
    auto it = groupsOf.find(inBlock(user));
    if (it == groupsOf.end() || inBlock(user) != user) {
      needsMemory = true;
      continue;
    }
    // Copied by its users, but in the block as well.
    needsMemory |= stays.contains(user);
    candidates.insert(it->second.begin(), it->second.end());
  }
  if (op->use_empty() && isMemoryEffectFree(op))
    return;

  if (opClass == OpClass::Dot || opClass == OpClass::Single ||
      opClass == OpClass::Update) {
    Kind kind = opClass == OpClass::Update ? Kind::Update : Kind::Single;
    if (auto dot = dyn_cast<sh::DotGeneralOp>(op)) {
      if (isLibraryProduct(dot, options))
        kind = Kind::Matmul;
      else if (!options.library) {
        for (GrowingGroup *group : candidates)
          if (!stays.contains(op) && joinProduct(dot, *group))
            return;
        kind = Kind::Product;
      }
    }
    start(op, kind);
    return;
  }

  bool copied = isCopied(op, opClass);
  if (copied) {
    for (GrowingGroup *group : candidates)
      if (!tryJoin(op, opClass, *group, /*copy=*/true))
        needsMemory = true;
    // Constants and views need no kernel to be in memory.
    if (!needsMemory)
      return;
    if (opClass == OpClass::Constant || isa<sh::ReshapeOp>(op)) {
      stays.insert(op);
      return;
    }
    start(op, Kind::Loop);
    return;
  }

  for (GrowingGroup *group : candidates)
    if (tryJoin(op, opClass, *group, /*copy=*/false))
      return;
  if (auto reduce = dyn_cast<sh::ReduceOp>(op)) {
    // Siblings read the same operand.
    llvm::SmallSetVector<GrowingGroup *, 8> siblings;
    for (Value input : reduce.getInputs())
      for (Operation *user : input.getUsers())
        if (auto it = groupsOf.find(user); it != groupsOf.end())
          siblings.insert(it->second.begin(), it->second.end());
    for (GrowingGroup *group : siblings)
      if (group->kind == Kind::Rows || group->kind == Kind::Columns)
        if (tryJoin(op, opClass, *group, /*copy=*/false))
          return;
    ArrayRef<int64_t> full = shapeOf(reduce.getInputs().front());
    Kind kind = Kind::Rows;
    for (int64_t d = full.size() - 1; d >= 0; --d)
      if (full[d] > 1) {
        if (!llvm::is_contained(reduce.getDimensions(), d))
          kind = Kind::Columns;
        break;
      }
    start(op, kind);
    return;
  }
  // Transposes of a library product's operands and result are strides to it.
  if (auto transpose = dyn_cast<sh::TransposeOp>(op)) {
    bool onlyProducts = llvm::all_of(op->getUsers(), [&](Operation *user) {
      auto dot = dyn_cast<sh::DotGeneralOp>(user);
      return dot && isLibraryProduct(dot, options) && inBlock(user) == user;
    });
    auto dot = transpose.getOperand().getDefiningOp<sh::DotGeneralOp>();
    if (onlyProducts || (dot && dot->hasOneUse() && dot->getBlock() == &block &&
                         isLibraryProduct(dot, options)))
      return;
  }
  // Contiguous slices are views; copies of them only where a group wants.
  if (auto slice = dyn_cast<sh::SliceOp>(op))
    if (llvm::all_of(slice.getStrides(), [](int64_t s) { return s == 1; }) &&
        isContiguousBlock(shapeOf(slice.getOperand()),
                          shapeOf(slice.getResult())))
      return;
  start(op, Kind::Loop);
}

void Grouping::finish(GrowingGroup &group) {
  SmallVector<Operation *> ops(group.ops.begin(), group.ops.end());
  llvm::sort(ops, [&](Operation *a, Operation *b) {
    return positions.lookup(a) < positions.lookup(b);
  });
  group.ops = llvm::SetVector<Operation *>(ops.begin(), ops.end());
  for (Operation *op : ops)
    for (Value operand : op->getOperands())
      if (!operand.getDefiningOp() ||
          !group.ops.contains(operand.getDefiningOp()))
        group.inputs.insert(operand);
  for (Operation *op : ops) {
    OpClass opClass = classify(op);
    // Copies serve this group only; where such an op is the root it serves all
    // who could not copy it.
    if (isCopied(op, opClass) && op != group.root)
      continue;
    for (Value result : op->getResults())
      for (Operation *user : result.getUsers()) {
        Operation *top = inBlock(user);
        auto it = groupsOf.find(top);
        bool inside = it != groupsOf.end() && top == user &&
                      !stays.contains(top) &&
                      llvm::all_of(it->second, [&](GrowingGroup *other) {
                        return other == &group || other->members.count(op);
                      });
        if (!inside)
          group.outputs.insert(result);
      }
  }

  findOverwritable(group, ops);
}

std::vector<FusionGroup> Grouping::run() {
  unsigned position = 0;
  for (Operation &op : block)
    positions[&op] = ++position;
  for (Operation &op : llvm::reverse(block)) {
    OpClass opClass = classify(&op);
    if (!isStandalone(&op, opClass))
      visit(&op, opClass);
  }
  llvm::sort(groups, [](const auto &a, const auto &b) {
    return a->position < b->position;
  });
  std::vector<FusionGroup> result;
  for (auto &group : groups) {
    finish(*group);
    if (!group->outputs.empty())
      result.push_back(std::move(*group));
  }
  return result;
}

FusionGroups::FusionGroups(Block &block, const HostScalars &hostScalars,
                           const FusionOptions &options) {
  auto group = [&](std::optional<Repetition> repetition) {
    Grouping grouping(block, hostScalars, options);
    grouping.repetition = repetition;
    groups = grouping.run();
    stays = std::move(grouping.stays);
    return grouping.wasFull;
  };
  // Where groups are cut for their size alone, better in the same place always.
  if (group(std::nullopt))
    if (auto repetition = findRepetition(block);
        repetition && repetition->period <= options.maxOps)
      group(repetition);
}

FusionGroups::~FusionGroups() = default;
