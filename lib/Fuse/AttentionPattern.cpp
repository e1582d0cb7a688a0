// Attention and its gradient in a block.

#include "AttentionPattern.h"

#include "SoftmaxAlgebra.h"
#include "lib/Codegen/GPU/Contraction/Contraction.h"
#include "lib/Codegen/GPU/Contraction/Loops.h"

#include "shoal/Analysis/OpTraits.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;
namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

/// Moves elements, or changes their type.
static bool isMove(Operation *op) {
  return isa<sh::TransposeOp, sh::ReshapeOp, sh::BroadcastInDimOp,
             sh::ConvertOp>(op);
}

namespace {
/// Looks for the pattern around an exponential.
class Finder {
public:
  explicit Finder(sh::ExpOp exponential)
      : exp(exponential), block(exponential->getBlock()) {}
  std::optional<AttentionPattern> find();

private:
  sh::ReduceOp sumOf(Value value);
  sh::DotGeneralOp findScores(Value value);
  bool isRowNumber(Value value, const Access &access);
  bool round(ArrayRef<SmallVector<int64_t>> parts);
  bool addUse(sh::DotGeneralOp dot, SoftmaxAlgebra &algebra);
  std::optional<std::pair<Value, double>>
  findScoreGradient(Value value, SoftmaxAlgebra &algebra, unsigned depth);
  bool findDimensions();

  sh::ExpOp exp;
  Block *block;
  AttentionPattern pattern;
  Loops loops;
  std::optional<Split> split;
  llvm::DenseMap<Value, Access> known;
  SmallVector<unsigned> keys;
};
} // namespace

/// The sum over a dimension of the value, maybe converted or moved first.
sh::ReduceOp Finder::sumOf(Value value) {
  SmallVector<Value> work{value};
  for (unsigned i = 0; i < work.size() && i < 16; ++i)
    for (Operation *user : work[i].getUsers()) {
      if (user->getBlock() != block)
        continue;
      auto reduce = dyn_cast<sh::ReduceOp>(user);
      if (reduce && reduce.getInputs().size() == 1 &&
          reduce.getDimensions().size() == 1 &&
          isa<sh::AddOp>(reduce.getBody().front().front()))
        return reduce;
      if (isMove(user))
        work.push_back(user->getResult(0));
    }
  return nullptr;
}

/// The one product that the value is made of element by element.
sh::DotGeneralOp Finder::findScores(Value value) {
  constexpr unsigned most = 64;
  SmallVector<Value> work{value};
  llvm::DenseSet<Operation *> seen;
  sh::DotGeneralOp found;
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != block || !seen.insert(op).second)
      continue;
    if (seen.size() > most)
      return nullptr;
    if (auto dot = dyn_cast<sh::DotGeneralOp>(op)) {
      if (found && found != dot)
        return nullptr;
      found = dot;
    } else if (isMove(op) || classify(op) == OpClass::Elementwise) {
      llvm::append_range(work, op->getOperands());
    }
  }
  return found;
}

/// The value is the same for all keys.
bool Finder::isRowNumber(Value value, const Access &access) {
  Access at = access;
  while (Operation *op = value.getDefiningOp()) {
    if (!isMove(op))
      break;
    if (!isa<sh::ConvertOp>(op)) {
      std::optional<Split> ignored;
      auto operand = operandAccess(op, at, loops.space, ignored);
      if (!operand)
        return false;
      at = *operand;
    }
    value = op->getOperand(0);
  }
  return llvm::none_of(at, [&](const DimIndex &index) {
    return llvm::any_of(index.terms, [&](const Term &term) {
      return llvm::is_contained(keys, term.atom);
    });
  });
}

/// The scores' gradient that the value is made of, by ops of one element each:
/// what the scores were changed by (scales, masks), backwards.
std::optional<std::pair<Value, double>>
Finder::findScoreGradient(Value value, SoftmaxAlgebra &algebra,
                          unsigned depth) {
  auto it = known.find(value);
  if (it == known.end() || depth > 16)
    return std::nullopt;
  // Lying like the scores, to begin with.
  if (it->second == known[exp.getResult()])
    if (auto factor = algebra.isScoreGradient(value, it->second))
      return std::pair(value, *factor);
  Operation *op = value.getDefiningOp();
  if (op == exp || isa<sh::DotGeneralOp>(op))
    return std::nullopt;
  for (Value operand : op->getOperands())
    if (auto found = findScoreGradient(operand, algebra, depth + 1))
      return found;
  return std::nullopt;
}

bool Finder::addUse(sh::DotGeneralOp dot, SoftmaxAlgebra &algebra) {
  AttentionUse use;
  use.dot = dot;
  use.isLhs = known.contains(dot.getLhs());
  if (use.isLhs && known.contains(dot.getRhs()))
    return false;
  Value weights = use.weights();
  const Access &access = known[weights];
  auto numbers = dot.getDotDimensionNumbers();
  bool sumsKeys = false;
  for (int64_t d : use.isLhs ? numbers.getLhsContractingDimensions()
                             : numbers.getRhsContractingDimensions())
    for (const Term &term : access[d].terms)
      sumsKeys |= llvm::is_contained(keys, term.atom);
  if (auto factor = algebra.isProbabilities(weights, access)) {
    // Look through moves: the root lies like the scores.
    use.root = weights;
    use.factor = *factor;
    while (Operation *op = use.root.getDefiningOp()) {
      if (!isMove(op))
        break;
      use.root = op->getOperand(0);
    }
    if (sumsKeys) {
      if (pattern.output || use.factor != 1)
        return false;
      pattern.output = use;
      return true;
    }
    pattern.gradients.push_back(use);
    pattern.ofScores.push_back(false);
    return true;
  }
  auto found = findScoreGradient(weights, algebra, 0);
  if (!found)
    return false;
  std::tie(use.root, use.factor) = *found;
  pattern.gradients.push_back(use);
  pattern.ofScores.push_back(true);
  return true;
}

/// D, the rows' sums of P times the cotangents' product, is also the output's
/// rows times the cotangents': where their dimensions lie.
bool Finder::findDimensions() {
  sh::DotGeneralOp product = pattern.cotangentProduct;
  // The cotangents are the side without keys.
  Access productAccess = known[pattern.exponential.getResult()];
  for (Value value = pattern.cotangentScores;
       value.getDefiningOp() != product;) {
    Operation *op = value.getDefiningOp();
    if (!isa<sh::ConvertOp>(op)) {
      auto operand = operandAccess(op, productAccess, loops.space, split);
      if (!operand)
        return false;
      productAccess = *operand;
    }
    value = op->getOperand(0);
  }
  auto freeOf = [](Value value, ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
    SmallVector<int64_t> result;
    for (int64_t d = 0, n = shapeOf(value).size(); d < n; ++d)
      if (!llvm::is_contained(a, d) && !llvm::is_contained(b, d))
        result.push_back(d);
    return result;
  };
  auto usesKeys = [&](const DimIndex &index) {
    return llvm::any_of(index.terms, [&](const Term &term) {
      return llvm::is_contained(keys, term.atom);
    });
  };
  auto numbers = product.getDotDimensionNumbers();
  auto lhsBatch = numbers.getLhsBatchingDimensions();
  auto rhsBatch = numbers.getRhsBatchingDimensions();
  auto lhsFree =
      freeOf(product.getLhs(), lhsBatch, numbers.getLhsContractingDimensions());
  auto rhsFree =
      freeOf(product.getRhs(), rhsBatch, numbers.getRhsContractingDimensions());
  unsigned first = lhsBatch.size();
  bool keysLeft = false;
  for (unsigned i = 0; i < lhsFree.size(); ++i)
    keysLeft |= usesKeys(productAccess[first + i]);
  Value cotangents = keysLeft ? product.getRhs() : product.getLhs();
  Value values = keysLeft ? product.getLhs() : product.getRhs();
  pattern.cotangents = cotangents;
  Access access(shapeOf(cotangents).size());
  for (auto [i, d] : llvm::enumerate(keysLeft ? rhsBatch : lhsBatch))
    access[d] = productAccess[i];
  for (auto [i, d] : llvm::enumerate(keysLeft ? rhsFree : lhsFree))
    access[d] = productAccess[first + i + (keysLeft ? lhsFree.size() : 0)];
  ArrayRef<int64_t> inner = keysLeft ? numbers.getRhsContractingDimensions()
                                     : numbers.getLhsContractingDimensions();
  ArrayRef<int64_t> innerOfValues = keysLeft
                                        ? numbers.getLhsContractingDimensions()
                                        : numbers.getRhsContractingDimensions();

  pattern.values = values;
  // The output's dimensions: batch, then the free ones of both sides.
  const Access &scores = known[pattern.scores];
  SmallVector<std::optional<DimIndex>> outAccess;
  SmallVector<int64_t> innerPlace, outShape;
  auto addInner = [&](ArrayRef<int64_t> dims) {
    for (int64_t d : dims) {
      outAccess.emplace_back();
      innerPlace.push_back(d);
    }
  };
  auto addRows = [&](ArrayRef<int64_t> dims, const Access &weights) {
    for (int64_t d : dims) {
      outAccess.push_back(weights[d]);
      innerPlace.push_back(-1);
    }
  };
  if (pattern.output) {
    AttentionUse &use = *pattern.output;
    auto numbers = use.dot.getDotDimensionNumbers();
    auto lhsBatch = numbers.getLhsBatchingDimensions();
    auto rhsBatch = numbers.getRhsBatchingDimensions();
    auto lhs = freeOf(use.dot.getLhs(), lhsBatch,
                      numbers.getLhsContractingDimensions());
    auto rhs = freeOf(use.dot.getRhs(), rhsBatch,
                      numbers.getRhsContractingDimensions());
    const Access &weights = known[use.weights()];
    addRows(use.isLhs ? lhsBatch : rhsBatch, weights);
    if (use.isLhs)
      addRows(lhs, weights);
    addInner(use.isLhs ? rhs : lhs);
    if (!use.isLhs)
      addRows(rhs, weights);
    outShape.assign(shapeOf(use.dot.getResult()).begin(),
                    shapeOf(use.dot.getResult()).end());
    if (inner.size() > 1 && use.other() != values)
      return false;
  } else {
    SmallVector<bool> taken(scores.size());
    taken[pattern.keyDimension] = true;
    Access valueAccess(shapeOf(values).size());
    auto valueBatch = keysLeft ? lhsBatch : rhsBatch;
    auto valueFree = keysLeft ? lhsFree : rhsFree;
    if (valueFree.size() != 1 ||
        productAccess[first + (keysLeft ? 0 : lhsFree.size())] !=
            scores[pattern.keyDimension])
      return false;
    pattern.keysOfValues = valueFree[0];
    SmallVector<int64_t> batch, free;
    for (auto [i, d] : llvm::enumerate(valueBatch)) {
      int64_t from = -1;
      for (int64_t s = 0, n = scores.size(); s < n && from < 0; ++s)
        if (!taken[s] && scores[s] == productAccess[i])
          from = s;
      if (from < 0)
        return false;
      taken[from] = true;
      pattern.batch.push_back({from, d});
      batch.push_back(from);
    }
    for (int64_t s = 0, n = scores.size(); s < n; ++s)
      if (!taken[s])
        free.push_back(s);
    addRows(batch, scores);
    addRows(free, scores);
    batch.append(free);
    for (int64_t s : batch)
      outShape.push_back(shapeOf(pattern.scores)[s]);
    SmallVector<int64_t> sorted(innerOfValues);
    llvm::sort(sorted);
    addInner(sorted);
    for (int64_t d : sorted)
      outShape.push_back(shapeOf(values)[d]);
  }
  int64_t rank = outAccess.size();
  if (size_t(llvm::count(outAccess, std::nullopt)) != inner.size())
    return false;
  // Each of the output's dimensions in the cotangents, and among the rows of
  // the scores.
  SmallVector<bool> used(access.size());
  for (int64_t d = 0; d < rank; ++d) {
    int64_t from = -1;
    if (!outAccess[d]) {
      pattern.summed.push_back(d);
      for (auto [a, b] : llvm::zip_equal(inner, innerOfValues))
        if (inner.size() == 1 || b == innerPlace[d])
          from = a;
    } else {
      for (int64_t c = 0, n = access.size(); c < n; ++c)
        if (from < 0 && !used[c] && !llvm::is_contained(inner, c) &&
            access[c] == *outAccess[d])
          from = c;
    }
    if (from < 0 || used[from] || shapeOf(cotangents)[from] != outShape[d])
      return false;
    used[from] = true;
    pattern.toOutput.push_back(from);
  }
  // Rows in the scores' order.
  for (int64_t s = 0, n = scores.size(); s < n; ++s) {
    if (s == pattern.keyDimension)
      continue;
    int64_t from = -1, kept = 0;
    for (int64_t d = 0; d < rank; ++d) {
      if (!outAccess[d])
        continue;
      if (from < 0 && *outAccess[d] == scores[s] &&
          !llvm::is_contained(pattern.outputToRows, kept))
        from = kept;
      ++kept;
    }
    if (from < 0)
      return false;
    pattern.outputToRows.push_back(from);
  }
  return pattern.toOutput.size() == access.size() &&
         int64_t(pattern.outputToRows.size() + pattern.summed.size()) == rank;
}

bool Finder::round(ArrayRef<SmallVector<int64_t>> parts) {
  std::optional<Loops> made = loopsOf(pattern.scoreProduct, parts);
  if (!made)
    return false;
  loops = *made;
  followResult(*block, pattern.scoreProduct, loops.result, loops.space, known,
               split);
  auto atExp = known.find(exp.getResult());
  if (atExp == known.end())
    return false;
  sh::ReduceOp sum = sumOf(exp.getResult());
  Value summed = sum.getInputs()[0];
  auto atSum = known.find(summed);
  if (atSum == known.end())
    return false;
  int64_t keyCount = shapeOf(summed)[sum.getDimensions()[0]];
  const DimIndex &keyIndex = atSum->second[sum.getDimensions()[0]];
  auto atoms = wholeDimension(keyIndex, keyCount, loops.space);
  if (!atoms || atoms->empty())
    return false;
  keys = *atoms;
  bool found = false;
  for (auto [d, index] : llvm::enumerate(atExp->second))
    if (index == keyIndex) {
      pattern.keyDimension = d;
      found = true;
    }
  if (!found)
    return false;
  pattern.scores = exp.getOperand();
  if (auto shift = exp.getOperand().getDefiningOp<sh::SubtractOp>())
    if (isRowNumber(shift.getRhs(), atExp->second))
      pattern.scores = shift.getLhs();

  SoftmaxAlgebra algebra(exp, atExp->second, keys, keyCount, loops.space,
                         pattern.scoreProduct);
  llvm::SetVector<Operation *> products;
  for (Operation *op = exp->getNextNode(); op; op = op->getNextNode())
    if (isa<sh::DotGeneralOp>(op) && (known.contains(op->getOperand(0)) ||
                                      known.contains(op->getOperand(1))))
      products.insert(op);
  for (Operation *product : products)
    if (!addUse(cast<sh::DotGeneralOp>(product), algebra))
      return false;
  if (!algebra.product || !algebra.productInPlace || pattern.gradients.empty())
    return false;
  pattern.cotangentProduct = algebra.product;
  pattern.cotangentScores = algebra.productInPlace;
  if (pattern.cotangentProduct->getBlock() != block)
    return false;
  // Roots lie like the scores.
  for (AttentionUse &use : pattern.gradients) {
    auto it = known.find(use.root);
    if (it == known.end() || it->second != atExp->second)
      return false;
  }
  if (pattern.output) {
    auto it = known.find(pattern.output->root);
    if (it == known.end() || it->second != atExp->second)
      return false;
  }
  return findDimensions();
}

std::optional<AttentionPattern> Finder::find() {
  pattern.exponential = exp;
  if (!sumOf(exp.getResult()))
    return std::nullopt;
  pattern.scoreProduct = findScores(exp.getOperand());
  if (!pattern.scoreProduct)
    return std::nullopt;
  SmallVector<SmallVector<int64_t>> parts;
  for (int i = 0; i < 16; ++i) {
    AttentionPattern start = pattern;
    split = std::nullopt;
    known.clear();
    if (round(parts))
      return std::move(pattern);
    pattern = start;
    if (!split)
      return std::nullopt;
    loops.split(*split, parts);
  }
  return std::nullopt;
}

std::optional<AttentionPattern>
shoal::findAttentionGradient(sh::ExpOp exponential) {
  return Finder(exponential).find();
}
