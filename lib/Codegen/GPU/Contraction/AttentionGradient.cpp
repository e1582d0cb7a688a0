// Finding the gradient of attention in a kernel's body.

#include "AttentionGradient.h"
#include "Loops.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

//===----------------------------------------------------------------------===//
// The ops
//===----------------------------------------------------------------------===//

namespace {
/// P = exp(x - maxima) * sums; dx = P * (dP - D).
struct Core {
  sh::ExpOp exponential;
  sh::MulOp probabilities, scoreGradients;
  Value scores, cotangentScores;
  /// The dimension that the row's numbers do not have.
  int64_t keyDimension = 0;
};
} // namespace

/// An argument of the body, repeated along one dimension.
static std::optional<int64_t> repeatedDimension(Value value) {
  auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>();
  if (!broadcast || !isa<BlockArgument>(broadcast.getOperand()) ||
      broadcast.getBroadcastDimensions().size() + 1 != shapeOf(value).size())
    return std::nullopt;
  for (auto [i, d] : llvm::enumerate(broadcast.getBroadcastDimensions()))
    if (shapeOf(broadcast.getOperand())[i] != shapeOf(value)[d])
      return std::nullopt;
  for (unsigned d = 0; d < shapeOf(value).size(); ++d)
    if (!llvm::is_contained(broadcast.getBroadcastDimensions(), d))
      return d;
  return std::nullopt;
}

static std::optional<Core> findCore(Block &body) {
  for (auto exp : body.getOps<sh::ExpOp>()) {
    Core core;
    core.exponential = exp;
    auto shift = exp.getOperand().getDefiningOp<sh::SubtractOp>();
    if (!shift || !exp->hasOneUse())
      continue;
    std::optional<int64_t> dimension = repeatedDimension(shift.getRhs());
    core.probabilities = dyn_cast<sh::MulOp>(*exp->user_begin());
    if (!dimension || !core.probabilities ||
        core.probabilities.getLhs() != exp.getResult() ||
        repeatedDimension(core.probabilities.getRhs()) != dimension)
      continue;
    core.keyDimension = *dimension;
    core.scores = shift.getLhs();
    for (Operation *user : core.probabilities->getUsers()) {
      auto product = dyn_cast<sh::MulOp>(user);
      auto less =
          product ? product.getRhs().getDefiningOp<sh::SubtractOp>() : nullptr;
      if (!less || product.getLhs() != core.probabilities.getResult() ||
          repeatedDimension(less.getRhs()) != dimension)
        continue;
      core.scoreGradients = product;
      core.cotangentScores = less.getLhs();
      return core;
    }
  }
  return std::nullopt;
}

/// The one product that `value` is computed from element by element.
static sh::DotGeneralOp productBehind(Value value) {
  SmallVector<Value> work{value};
  llvm::DenseSet<Operation *> seen;
  sh::DotGeneralOp found;
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || !seen.insert(op).second)
      continue;
    if (auto dot = dyn_cast<sh::DotGeneralOp>(op)) {
      if (found && found != dot)
        return nullptr;
      found = dot;
      continue;
    }
    llvm::append_range(work, op->getOperands());
  }
  return found;
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

static bool usesOnly(const DimIndex &index, ArrayRef<Atom> space,
                     ArrayRef<Role> roles) {
  return llvm::all_of(index.terms, [&](const Term &term) {
    return space[term.atom].size == 1 ||
           llvm::is_contained(roles, space[term.atom].role);
  });
}

/// If the dimensions together walk every loop of the role, once.
static bool coversRole(ArrayRef<DimIndex> indices, ArrayRef<int64_t> sizes,
                       ArrayRef<Atom> space, Role role) {
  llvm::SmallDenseSet<unsigned> atoms;
  for (auto [index, size] : llvm::zip_equal(indices, sizes)) {
    auto whole = wholeDimension(index, size, space);
    if (!whole)
      return false;
    for (unsigned atom : *whole)
      if (space[atom].size > 1 &&
          (space[atom].role != role || !atoms.insert(atom).second))
        return false;
  }
  for (auto [i, atom] : llvm::enumerate(space))
    if (atom.role == role && atom.size > 1 && !atoms.contains(i))
      return false;
  return true;
}

namespace {
/// One operand of a product and how its dimensions are used.
struct Side {
  Value value;
  ArrayRef<int64_t> batch, contracted;

  SmallVector<int64_t> free() const {
    SmallVector<int64_t> result;
    for (int64_t d = 0, n = shapeOf(value).size(); d < n; ++d)
      if (!llvm::is_contained(batch, d) && !llvm::is_contained(contracted, d))
        result.push_back(d);
    return result;
  }
};
} // namespace

static Side sideOf(sh::DotGeneralOp dot, bool isLhs) {
  auto numbers = dot.getDotDimensionNumbers();
  if (isLhs)
    return {dot.getLhs(), numbers.getLhsBatchingDimensions(),
            numbers.getLhsContractingDimensions()};
  return {dot.getRhs(), numbers.getRhsBatchingDimensions(),
          numbers.getRhsContractingDimensions()};
}

static bool isWidening(Operation *op) {
  auto convert = dyn_cast_or_null<sh::ConvertOp>(op);
  if (!convert)
    return false;
  Type from = getElementTypeOrSelf(convert.getOperand().getType());
  Type to = getElementTypeOrSelf(convert.getType());
  return from == to || ((from.isBF16() || from.isF16()) && to.isF32());
}

/// The access to `value`, which has the elements of another value that is
/// accessed as given, moved and widened; none if it has not.
static std::optional<Access> accessAsMoved(Value value, Value known,
                                           const Access &access,
                                           ArrayRef<Atom> space,
                                           std::optional<Split> &split) {
  auto isMove = [](Operation *op) {
    return isa_and_nonnull<sh::TransposeOp, sh::ReshapeOp,
                           sh::BroadcastInDimOp>(op) ||
           isWidening(op);
  };
  // All that `known` is moved from, with their accesses.
  llvm::DenseMap<Value, Access> sources;
  Access at = access;
  for (Value from = known;;) {
    sources[from] = at;
    Operation *op = from.getDefiningOp();
    if (!isMove(op))
      break;
    if (!isWidening(op)) {
      auto operand = operandAccess(op, at, space, split);
      if (!operand)
        break;
      at = *operand;
    }
    from = op->getOperand(0);
  }
  SmallVector<Operation *> chain;
  while (!sources.contains(value)) {
    Operation *op = value.getDefiningOp();
    if (!isMove(op))
      return std::nullopt;
    chain.push_back(op);
    value = op->getOperand(0);
  }
  Access result = sources[value];
  for (Operation *op : llvm::reverse(chain)) {
    if (isWidening(op))
      continue;
    auto next = resultAccess(op, result, space, split);
    if (!next)
      return std::nullopt;
    result = *next;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The gradient
//===----------------------------------------------------------------------===//

namespace {
/// One round, with loops cut as `parts` says.
class Analysis {
public:
  Analysis(Block &body, Core core, sh::DotGeneralOp scores,
           sh::DotGeneralOp cotangentProduct, bool overQueries)
      : body(body), core(core), scores(scores), product(cotangentProduct),
        overQueries(overQueries) {}

  bool run(ArrayRef<SmallVector<int64_t>> parts);
  AttentionGradient result;
  std::optional<Split> split;
  Loops loops;

private:
  Role queryRole() const { return overQueries ? Role::K : Role::M; }
  Role keyRole() const { return overQueries ? Role::M : Role::K; }
  bool setRoles();
  bool readCotangentProduct(ArrayRef<SmallVector<int64_t>> parts);
  bool readProduct(sh::DotGeneralOp dot);
  bool addOutputs();
  /// The batch and contracted dimensions of `to` as those of `from`.
  static void share(const Side &from, const Access &access, const Side &to,
                    Access &target);

  Block &body;
  Core core;
  sh::DotGeneralOp scores, product;
  bool overQueries;
  llvm::DenseMap<Value, Access> known;
  /// Values made of the scores' gradients.
  llvm::DenseSet<Value> ofScores;
  struct Found {
    sh::DotGeneralOp dot;
    Access access; // of the result
    bool mine = false;
    GradientProduct product;
  };
  SmallVector<Found> found;
  Access productAccess;
};
} // namespace

void Analysis::share(const Side &from, const Access &access, const Side &to,
                     Access &target) {
  for (auto [f, t] : llvm::zip_equal(from.batch, to.batch))
    target[t] = access[f];
  for (auto [f, t] : llvm::zip_equal(from.contracted, to.contracted))
    target[t] = access[f];
}

bool Analysis::setRoles() {
  auto scoreAccess = known.find(core.scores);
  if (scoreAccess == known.end() ||
      !known.contains(core.scoreGradients.getResult()))
    return false;
  auto keys =
      wholeDimension(scoreAccess->second[core.keyDimension],
                     shapeOf(core.scores)[core.keyDimension], loops.space);
  if (!keys || keys->empty())
    return false;
  Role keySide = loops.space[keys->front()].role;
  if (keySide != Role::M && keySide != Role::N)
    return false;
  bool keysLeft = keySide == Role::M;
  for (auto [i, atom] : llvm::enumerate(loops.space)) {
    bool isKey = llvm::is_contained(*keys, i);
    if (isKey != (atom.role == keySide) && atom.size > 1)
      return false;
    if (atom.role == Role::K)
      atom.role = Role::Inner;
    else if (atom.role == keySide)
      atom.role = keyRole();
    else if (atom.role != Role::Batch)
      atom.role = queryRole();
  }
  Contraction &whole = result.whole;
  whole.others.resize(AttentionGradient::FirstWeights);
  whole.lhs.value = keysLeft ? scores.getRhs() : scores.getLhs();
  whole.lhs.access = keysLeft ? loops.rhs : loops.lhs;
  Expression &keyTensor = whole.others[AttentionGradient::Keys];
  keyTensor.value = keysLeft ? scores.getLhs() : scores.getRhs();
  keyTensor.access = keysLeft ? loops.lhs : loops.rhs;
  return true;
}

/// dP = cotangents · values: their dimensions as loops.
bool Analysis::readCotangentProduct(ArrayRef<SmallVector<int64_t>> parts) {
  productAccess = known[core.scoreGradients.getResult()];
  for (Value value = core.cotangentScores; value.getDefiningOp() != product;) {
    Operation *op = value.getDefiningOp();
    if (!isa_and_nonnull<sh::ConvertOp>(op)) {
      auto operand = op ? operandAccess(op, productAccess, loops.space, split)
                        : std::nullopt;
      if (!operand)
        return false;
      productAccess = *operand;
    }
    value = op->getOperand(0);
  }
  Side lhs = sideOf(product, true), rhs = sideOf(product, false);
  Access left(shapeOf(lhs.value).size()), right(shapeOf(rhs.value).size());
  unsigned d = 0;
  for (auto [l, r] : llvm::zip_equal(lhs.batch, rhs.batch))
    left[l] = right[r] = productAccess[d++];
  bool leftQueries = true, leftKeys = true;
  for (int64_t l : lhs.free()) {
    left[l] = productAccess[d++];
    leftQueries &= usesOnly(left[l], loops.space, {queryRole(), Role::Batch});
    leftKeys &= usesOnly(left[l], loops.space, {keyRole(), Role::Batch});
  }
  bool rightQueries = true, rightKeys = true;
  for (int64_t r : rhs.free()) {
    right[r] = productAccess[d++];
    rightQueries &= usesOnly(right[r], loops.space, {queryRole(), Role::Batch});
    rightKeys &= usesOnly(right[r], loops.space, {keyRole(), Role::Batch});
  }
  bool isLeft = leftQueries && rightKeys;
  if (!isLeft && !(leftKeys && rightQueries))
    return false;
  for (auto [l, r] : llvm::zip_equal(lhs.contracted, rhs.contracted))
    left[l] = right[r] = loops.add(Role::N, shapeOf(lhs.value)[l], parts);
  Contraction &whole = result.whole;
  Expression &cotangents = whole.others[AttentionGradient::Cotangents];
  cotangents.value = isLeft ? lhs.value : rhs.value;
  cotangents.access = isLeft ? left : right;
  whole.rhs.value = isLeft ? rhs.value : lhs.value;
  whole.rhs.access = isLeft ? right : left;
  return true;
}

bool Analysis::readProduct(sh::DotGeneralOp dot) {
  bool isLhs = known.contains(dot.getLhs());
  if (isLhs == known.contains(dot.getRhs()))
    return false;
  Side weights = sideOf(dot, isLhs), other = sideOf(dot, !isLhs);
  const Access &access = known[weights.value];
  Found made;
  made.dot = dot;
  made.product.root = dot;
  made.product.ofScores = ofScores.contains(weights.value);

  SmallVector<DimIndex> contracted;
  SmallVector<int64_t> sizes;
  for (int64_t d : weights.contracted) {
    contracted.push_back(access[d]);
    sizes.push_back(shapeOf(weights.value)[d]);
  }
  bool sumsQueries = coversRole(contracted, sizes, loops.space, queryRole());
  bool sumsKeys = coversRole(contracted, sizes, loops.space, keyRole());
  if (sumsQueries == sumsKeys || (sumsKeys && !made.product.ofScores))
    return false;
  made.mine = sumsQueries == overQueries;
  const Contraction &whole = result.whole;
  const Expression &expected =
      sumsKeys                ? whole.others[AttentionGradient::Keys]
      : made.product.ofScores ? whole.lhs
                              : whole.others[AttentionGradient::Cotangents];
  auto operand = accessAsMoved(other.value, expected.value, expected.access,
                               loops.space, split);
  if (!operand)
    return false;
  Access wanted = *operand;
  share(weights, access, other, wanted);
  if (wanted != *operand)
    return false;

  Access freeWeights, freeOther;
  for (int64_t d : weights.free()) {
    if (!usesOnly(access[d], loops.space,
                  {sumsKeys ? queryRole() : keyRole(), Role::Batch}))
      return false;
    freeWeights.push_back(access[d]);
  }
  for (int64_t d : other.free()) {
    if (!usesOnly((*operand)[d], loops.space,
                  {made.product.ofScores ? Role::Inner : Role::N}))
      return false;
    freeOther.push_back((*operand)[d]);
  }
  for (int64_t d : weights.batch)
    made.access.push_back(access[d]);
  for (const Access *free : isLhs ? std::array{&freeWeights, &freeOther}
                                  : std::array{&freeOther, &freeWeights})
    made.access.append(free->begin(), free->end());

  // Weights of f32 stay that beside narrow tensors, unless the op says that
  // they are multiplied as narrow ones.
  Type narrow = getElementTypeOrSelf(scores.getLhs().getType());
  Type wide = getElementTypeOrSelf(weights.value.getType());
  auto algorithm = dot.getAlgorithm();
  bool rounds = algorithm && algorithm->getLhsPrecisionType() == narrow &&
                algorithm->getRhsPrecisionType() == narrow &&
                algorithm->getNumPrimitiveOperations() == 1;
  made.product.isWide = narrow != wide && !rounds;
  if (made.product.isWide && !(narrow.isBF16() && wide.isF32()))
    return false;

  made.product.weights = result.whole.others.size();
  Expression &expression = result.whole.others.emplace_back();
  expression.value = weights.value;
  expression.access = access;
  expression.root = core.probabilities;
  expression.rootAccess = known[core.probabilities.getResult()];
  if (made.product.ofScores) {
    expression.partner = product;
    expression.partnerAccess = productAccess;
  }
  found.push_back(std::move(made));
  return true;
}

bool Analysis::addOutputs() {
  SmallVector<llvm::DenseMap<Value, Access>> reached(found.size());
  for (auto [product, values] : llvm::zip_equal(found, reached)) {
    std::optional<Split> ignored;
    followResult(body, product.dot, product.access, loops.space, values,
                 ignored);
    if (ignored)
      split = ignored;
  }
  llvm::SmallDenseSet<unsigned> done;
  for (auto [number, value] :
       llvm::enumerate(body.getTerminator()->getOperands())) {
    std::optional<unsigned> of;
    for (unsigned i = 0; i < found.size(); ++i)
      if (reached[i].contains(value))
        of = i;
    if (!of || !done.insert(*of).second)
      return false;
    Expression &output = result.whole.outputs.emplace_back();
    output.value = value;
    output.access = reached[*of][value];
    output.root = found[*of].dot;
    output.rootAccess = found[*of].access;
    found[*of].product.output = number;
  }
  return done.size() == found.size();
}

bool Analysis::run(ArrayRef<SmallVector<int64_t>> parts) {
  std::optional<Loops> made = loopsOf(scores, parts);
  if (!made)
    return false;
  loops = *made;
  result.isOverQueries = overQueries;
  result.whole.root = scores;
  result.cotangentProduct = product;
  result.probabilities = core.probabilities;
  followResult(body, scores, loops.result, loops.space, known, split);
  if (!setRoles() || !readCotangentProduct(parts))
    return false;
  llvm::DenseMap<Value, Access> behind;
  std::optional<Split> ignored;
  followResult(body, core.scoreGradients,
               known[core.scoreGradients.getResult()], loops.space, behind,
               ignored);
  for (auto &[value, access] : behind)
    ofScores.insert(value);
  for (auto dot : body.getOps<sh::DotGeneralOp>())
    if (dot != scores && dot != product && !readProduct(dot))
      return false;
  Contraction &whole = result.whole;
  Expression &probabilities = whole.others[AttentionGradient::Probabilities];
  probabilities.value = core.probabilities.getResult();
  probabilities.access = known[core.probabilities.getResult()];
  probabilities.root = scores;
  probabilities.rootAccess = loops.result;
  if (!addOutputs())
    return false;
  whole.walked = loops.space;
  whole.rootAccess = loops.result;
  for (Expression *expression : whole.expressions())
    if (!collectLeaves(*expression, whole.walked, split))
      return false;
  for (const Found &product : found)
    if (product.mine)
      result.products.push_back(product.product);
  finishMemory(whole);
  return true;
}

std::optional<AttentionGradient>
contraction::analyzeAttentionGradient(Block &body, bool overQueries) {
  std::optional<Core> core = findCore(body);
  if (!core)
    return std::nullopt;
  sh::DotGeneralOp scores = productBehind(core->scores);
  sh::DotGeneralOp product = productBehind(core->cotangentScores);
  if (!scores || !product || scores == product)
    return std::nullopt;
  SmallVector<SmallVector<int64_t>> parts;
  for (int round = 0; round < 32; ++round) {
    Analysis analysis(body, *core, scores, product, overQueries);
    if (analysis.run(parts))
      return std::move(analysis.result);
    if (!analysis.split)
      return std::nullopt;
    analysis.loops.split(*analysis.split, parts);
  }
  return std::nullopt;
}
