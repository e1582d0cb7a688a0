// Finding attention in a kernel's body.

#include "Attention.h"
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
// Softmax
//===----------------------------------------------------------------------===//

static bool isSplatOf(Value value, llvm::function_ref<bool(APFloat)> wanted) {
  while (auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>())
    value = broadcast.getOperand();
  auto constant = value.getDefiningOp<sh::ConstantOp>();
  auto dense =
      constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  return dense && dense.isSplat() && isa<FloatType>(dense.getElementType()) &&
         wanted(dense.getSplatValue<APFloat>());
}

static bool isMinusInfinity(Value value) {
  return isSplatOf(value,
                   [](APFloat f) { return f.isInfinity() && f.isNegative(); });
}

/// Looks through what repeats, reshapes or transposes a row's statistic, and a
/// maximum with minus infinity.
static sh::ReduceOp reductionBehind(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<sh::BroadcastInDimOp, sh::ReshapeOp, sh::TransposeOp>(op)) {
      value = op->getOperand(0);
      continue;
    }
    if (auto max = dyn_cast<sh::MaxOp>(op)) {
      if (isMinusInfinity(max.getLhs()))
        value = max.getRhs();
      else if (isMinusInfinity(max.getRhs()))
        value = max.getLhs();
      else
        return nullptr;
      continue;
    }
    return dyn_cast<sh::ReduceOp>(op);
  }
  return nullptr;
}

template <typename BodyOp>
static bool reducesBy(sh::ReduceOp reduce) {
  if (reduce.getInputs().size() != 1 || reduce.getDimensions().size() != 1)
    return false;
  Block &body = reduce.getBody().front();
  auto op = body.getTerminator()->getOperand(0).getDefiningOp<BodyOp>();
  return op && op->getBlock() == &body &&
         ((op->getOperand(0) == body.getArgument(0) &&
           op->getOperand(1) == body.getArgument(1)) ||
          (op->getOperand(0) == body.getArgument(1) &&
           op->getOperand(1) == body.getArgument(0)));
}

/// If `value` is `base` transposed: where each of base's dimensions lies in it.
static std::optional<SmallVector<int64_t>> transposed(Value value, Value base) {
  SmallVector<int64_t> place;
  for (unsigned d = 0; d < shapeOf(value).size(); ++d)
    place.push_back(d);
  while (value != base) {
    auto transpose = value.getDefiningOp<sh::TransposeOp>();
    if (!transpose)
      return std::nullopt;
    SmallVector<int64_t> next(place.size());
    for (auto [i, d] : llvm::enumerate(transpose.getPermutation()))
      next[d] = place[i];
    place = next;
    value = transpose.getOperand();
  }
  return place;
}

/// The statistic is constant along the reduced dimension of `scores`, which are
/// the reduction's operand, maybe transposed, and in its place otherwise: its
/// chain of broadcasts and transposes keeps dimensions.
static bool isInPlace(Value statistic, sh::ReduceOp reduce, Value scores) {
  auto places = transposed(scores, reduce.getInputs()[0]);
  if (!places)
    return false;
  ArrayRef<int64_t> shape = shapeOf(scores);
  int64_t reduced = (*places)[reduce.getDimensions()[0]];
  SmallVector<Operation *> chain;
  for (Value value = statistic; value.getDefiningOp() != reduce;) {
    Operation *op = value.getDefiningOp();
    chain.push_back(op);
    value = op->getOperand(
        isa<sh::MaxOp>(op) && isMinusInfinity(op->getOperand(0)) ? 1 : 0);
  }
  SmallVector<int64_t> place;
  for (int64_t d : *places)
    if (d != reduced)
      place.push_back(d);
  for (Operation *op : llvm::reverse(chain)) {
    if (isa<sh::MaxOp>(op))
      continue;
    ArrayRef<int64_t> from = shapeOf(op->getOperand(0)),
                      to = shapeOf(op->getResult(0));
    SmallVector<int64_t> next(to.size(), -1);
    if (auto broadcast = dyn_cast<sh::BroadcastInDimOp>(op)) {
      for (auto [i, d] : llvm::enumerate(broadcast.getBroadcastDimensions()))
        next[d] = place[i];
    } else if (auto transpose = dyn_cast<sh::TransposeOp>(op)) {
      for (auto [i, d] : llvm::enumerate(transpose.getPermutation()))
        next[i] = place[d];
    } else {
      // A reshape that only adds or drops units.
      unsigned i = 0;
      for (unsigned d = 0; d < to.size(); ++d) {
        while (i < from.size() && from[i] == 1 && to[d] != 1)
          ++i;
        if (i < from.size() && from[i] == to[d])
          next[d] = place[i++];
        else if (to[d] != 1)
          return false;
      }
    }
    place = next;
  }
  if (place.size() != shape.size())
    return false;
  for (auto [d, from] : llvm::enumerate(place))
    if (from >= 0 ? from != int64_t(d) : shape[d] != 1 && int64_t(d) != reduced)
      return false;
  return true;
}

std::optional<Softmax> contraction::matchSoftmax(Value value) {
  while (isa_and_nonnull<sh::ConvertOp, sh::TransposeOp, sh::ReshapeOp>(
      value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  auto divide = value.getDefiningOp<sh::DivOp>();
  if (!divide)
    return std::nullopt;
  auto exp = divide.getLhs().getDefiningOp<sh::ExpOp>();
  auto sub = exp ? exp.getOperand().getDefiningOp<sh::SubtractOp>() : nullptr;
  if (!sub || !isa<FloatType>(getElementTypeOrSelf(sub.getType())))
    return std::nullopt;
  sh::ReduceOp sum = reductionBehind(divide.getRhs());
  sh::ReduceOp max = reductionBehind(sub.getRhs());
  if (!sum || !max || !reducesBy<sh::AddOp>(sum) ||
      !reducesBy<sh::MaxOp>(max) || !isMinusInfinity(max.getInitValues()[0]) ||
      !isSplatOf(sum.getInitValues()[0],
                 [](APFloat f) { return f.isZero(); }) ||
      !isInPlace(sub.getRhs(), max, sub.getLhs()) ||
      !isInPlace(divide.getRhs(), sum, exp))
    return std::nullopt;
  auto dimension = [](sh::ReduceOp reduce, Value scores) {
    return (
        *transposed(scores, reduce.getInputs()[0]))[reduce.getDimensions()[0]];
  };
  if (dimension(max, sub.getLhs()) != dimension(sum, exp))
    return std::nullopt;
  return Softmax{sub.getLhs(),
                 dimension(max, sub.getLhs()),
                 exp.getResult(),
                 divide.getResult(),
                 max,
                 sum};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// If every loop that `access` uses has one of these roles.
static bool usesOnly(const Access &access, ArrayRef<Atom> space,
                     ArrayRef<Role> roles) {
  return llvm::all_of(access, [&](const DimIndex &index) {
    return llvm::all_of(index.terms, [&](const Term &term) {
      return space[term.atom].size == 1 ||
             llvm::is_contained(roles, space[term.atom].role);
    });
  });
}

/// The statistic of the softmax's rows that `value` is, in the order of the
/// scores' dimensions.
static std::optional<RowStatistic> matchStatistic(Value value,
                                                  const Softmax &softmax) {
  auto isOf = [&](Operation *reduce, Value operand) {
    return reduce && reduce->getOperand(0) == operand &&
           reduce->getNumResults() == 1;
  };
  if (value.getDefiningOp() == softmax.max && isOf(softmax.max, softmax.input))
    return RowStatistic::Maximum;
  auto divide = value.getDefiningOp<sh::DivOp>();
  if (divide && divide.getRhs().getDefiningOp() == softmax.sum &&
      isOf(softmax.sum, softmax.exponentials) &&
      isSplatOf(divide.getLhs(),
                [](APFloat f) { return f.isExactlyValue(1.0); }))
    return RowStatistic::InverseSum;
  return std::nullopt;
}

/// One round, with loops cut as `parts` says.
static std::optional<Attention>
analyze(Block &body, sh::DotGeneralOp first, sh::DotGeneralOp second,
        const Softmax &softmax, ArrayRef<SmallVector<int64_t>> parts,
        std::optional<Split> &split, Loops &loops) {
  std::optional<Loops> made = loopsOf(first, parts);
  if (!made)
    return std::nullopt;
  loops = *made;

  // The probabilities' side of the second product, and how the first one's
  // loops reach it.
  llvm::DenseMap<Value, Access> known;
  followResult(body, first, loops.result, loops.space, known, split);
  auto scoreAccess = known.find(softmax.input);
  if (scoreAccess == known.end())
    return std::nullopt;
  bool isLhs = known.contains(second.getLhs());
  if (isLhs == known.contains(second.getRhs()))
    return std::nullopt;
  Value probabilities = isLhs ? second.getLhs() : second.getRhs();
  Value values = isLhs ? second.getRhs() : second.getLhs();
  Access access = known[probabilities];

  // Keys are what the softmax sums over; queries the other free loops.
  auto keys =
      wholeDimension(scoreAccess->second[softmax.dimension],
                     shapeOf(softmax.input)[softmax.dimension], loops.space);
  if (!keys || keys->empty())
    return std::nullopt;
  Role keySide = loops.space[keys->front()].role;
  if (keySide != Role::M && keySide != Role::N)
    return std::nullopt;
  for (unsigned atom : *keys)
    if (loops.space[atom].role != keySide)
      return std::nullopt;
  for (auto [i, atom] : llvm::enumerate(loops.space)) {
    if (atom.role == Role::K)
      atom.role = Role::Inner;
    else if (atom.role == keySide)
      atom.role = Role::K;
    else if (atom.role != Role::Batch)
      atom.role = Role::M;
    if (atom.role == Role::K && atom.size > 1 && !llvm::is_contained(*keys, i))
      return std::nullopt;
  }

  auto numbers = second.getDotDimensionNumbers();
  auto batchP = isLhs ? numbers.getLhsBatchingDimensions()
                      : numbers.getRhsBatchingDimensions();
  auto batchV = isLhs ? numbers.getRhsBatchingDimensions()
                      : numbers.getLhsBatchingDimensions();
  auto contractP = isLhs ? numbers.getLhsContractingDimensions()
                         : numbers.getRhsContractingDimensions();
  auto contractV = isLhs ? numbers.getRhsContractingDimensions()
                         : numbers.getLhsContractingDimensions();
  Access valueAccess(shapeOf(values).size()), resultAccess;
  SmallVector<bool> doneP(access.size()), doneV(valueAccess.size());
  for (auto [p, v] : llvm::zip_equal(batchP, batchV)) {
    valueAccess[v] = access[p];
    resultAccess.push_back(access[p]);
    doneP[p] = doneV[v] = true;
  }
  int64_t contracted = 1;
  for (auto [p, v] : llvm::zip_equal(contractP, contractV)) {
    if (!usesOnly({access[p]}, loops.space, {Role::K}))
      return std::nullopt;
    valueAccess[v] = access[p];
    doneP[p] = doneV[v] = true;
    contracted *= shapeOf(probabilities)[p];
  }
  if (contracted != shapeOf(softmax.input)[softmax.dimension])
    return std::nullopt;
  Access freeP, freeV;
  for (unsigned d = 0; d < access.size(); ++d)
    if (!doneP[d])
      freeP.push_back(access[d]);
  for (unsigned d = 0; d < valueAccess.size(); ++d)
    if (!doneV[d]) {
      valueAccess[d] = loops.add(Role::N, shapeOf(values)[d], parts);
      freeV.push_back(valueAccess[d]);
    }
  for (const Access *free :
       isLhs ? std::array{&freeP, &freeV} : std::array{&freeV, &freeP})
    resultAccess.append(free->begin(), free->end());

  Attention result;
  result.scoreRoot = first;
  Contraction &whole = result.whole;
  whole.root = second;
  whole.walked = loops.space;
  whole.rootAccess = resultAccess;
  whole.others.resize(2);
  bool keysLeft = keySide == Role::M;
  whole.lhs.value = keysLeft ? first.getRhs() : first.getLhs();
  whole.lhs.access = keysLeft ? loops.rhs : loops.lhs;
  whole.others[0].value = keysLeft ? first.getLhs() : first.getRhs();
  whole.others[0].access = keysLeft ? loops.lhs : loops.rhs;
  whole.others[1].value = softmax.input;
  whole.others[1].access = scoreAccess->second;
  whole.others[1].root = first;
  whole.others[1].rootAccess = loops.result;
  whole.rhs.value = values;
  whole.rhs.access = valueAccess;
  if (!usesOnly(valueAccess, loops.space, {Role::Batch, Role::K, Role::N}))
    return std::nullopt;
  for (Expression *expression : whole.expressions())
    if (!collectLeaves(*expression, whole.walked, split))
      return std::nullopt;
  findBand(whole, whole.others[1]);
  // What comes in must not be made of the first product.
  ValueRange yielded = body.getTerminator()->getOperands();
  if (!collectOutputs(body, yielded.take_front(1), whole, split))
    return std::nullopt;
  for (Value value : yielded.drop_front()) {
    auto statistic = matchStatistic(value, softmax);
    if (!statistic)
      return std::nullopt;
    result.statistics.push_back(*statistic);
    Expression &output = whole.outputs.emplace_back();
    output.value = value;
    output.root = value.getDefiningOp();
    for (auto [d, index] : llvm::enumerate(scoreAccess->second))
      if (int64_t(d) != softmax.dimension)
        output.access.push_back(index);
    output.rootAccess = output.access;
  }
  finishMemory(whole);
  return result;
}

std::optional<Attention> contraction::analyzeAttention(Block &body) {
  SmallVector<sh::DotGeneralOp> dots(body.getOps<sh::DotGeneralOp>());
  if (dots.size() != 2)
    return std::nullopt;
  std::optional<Softmax> softmax = matchSoftmax(dots[1].getLhs());
  if (!softmax)
    softmax = matchSoftmax(dots[1].getRhs());
  if (!softmax)
    return std::nullopt;
  SmallVector<SmallVector<int64_t>> parts;
  for (int round = 0; round < 32; ++round) {
    std::optional<Split> split;
    Loops loops;
    std::optional<Attention> result =
        analyze(body, dots[0], dots[1], *softmax, parts, split, loops);
    if (result)
      return result;
    if (!split)
      return std::nullopt;
    loops.split(*split, parts);
  }
  return std::nullopt;
}
