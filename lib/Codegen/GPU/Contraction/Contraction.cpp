// From a kernel's body to loops, operands and epilogue.

#include "Contraction.h"
#include "Loops.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

bool Leaf::uses(unsigned atom) const {
  return llvm::any_of(memory, [&](const MemoryDim &dim) {
    return llvm::any_of(dim.index.terms,
                        [&](const Term &term) { return term.atom == atom; });
  });
}

SmallVector<unsigned> Contraction::atomsOf(Role role) const {
  SmallVector<unsigned> atoms;
  for (auto [i, atom] : llvm::enumerate(space))
    if (atom.role == role)
      atoms.push_back(i);
  return atoms;
}

SmallVector<Expression *> Contraction::expressions() {
  SmallVector<Expression *> all{&lhs, &rhs};
  for (Expression &other : others)
    all.push_back(&other);
  for (Expression &output : outputs)
    all.push_back(&output);
  if (interval)
    for (Expression *part : {&interval->place, &interval->from, &interval->to,
                             &interval->lhs, &interval->rhs})
      all.push_back(part);
  if (band)
    for (Band::Bound &bound : band->bounds)
      for (Expression *side : {&bound.plus, &bound.minus})
        if (side->value)
          all.push_back(side);
  return all;
}

int64_t Contraction::sizeOf(Role role) const {
  int64_t size = 1;
  for (const Atom &atom : space)
    if (atom.role == role)
      size *= atom.size;
  return size;
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

static bool isSplat(Operation *op) {
  auto constant = dyn_cast_or_null<sh::ConstantOp>(op);
  return constant && (isa<SplatElementsAttr>(constant.getValue()) ||
                      (isa<DenseElementsAttr>(constant.getValue()) &&
                       shapeOf(constant).empty()));
}

/// f(0, …, 0) = 0.
static bool keepsZero(Operation *op) {
  return isa<sh::ConvertOp, sh::NegOp, sh::AbsOp, sh::MulOp, sh::AddOp,
             sh::SubtractOp, sh::TanhOp, sh::SqrtOp, sh::SignOp, sh::FloorOp,
             sh::CeilOp, sh::SelectOp, sh::MaxOp, sh::MinOp, sh::AndOp,
             sh::OrOp, sh::XorOp, sh::TransposeOp, sh::ReshapeOp,
             sh::BroadcastInDimOp, sh::SliceOp, sh::ReverseOp>(op);
}

namespace {
/// Finds the leaves of an expression.
struct Collector {
  Collector(ArrayRef<Atom> walked, Expression &expression,
            std::optional<Split> &split)
      : walked(walked), expression(expression), split(split) {}

  ArrayRef<Atom> walked;
  Expression &expression;
  std::optional<Split> &split;
  /// What was visited: a value with several uses is visited once.
  llvm::DenseMap<Value, SmallVector<Access, 1>> seen;

  bool leaf(Value value, const Access &access, bool isIota) {
    for (const Leaf &known : expression.leaves)
      if (known.value == value && known.access == access)
        return true;
    Leaf &leaf = expression.leaves.emplace_back();
    leaf.value = value;
    leaf.access = access;
    leaf.isIota = isIota;
    return true;
  }

  bool visit(Value value, const Access &access) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return leaf(value, access, false);
    if (op == expression.root)
      return access == expression.rootAccess;
    if (op == expression.partner)
      return access == expression.partnerAccess;
    SmallVector<Access, 1> &accesses = seen[value];
    if (llvm::is_contained(accesses, access))
      return true;
    accesses.push_back(access);
    if (isSplat(op)) {
      auto dense = cast<DenseElementsAttr>(cast<sh::ConstantOp>(op).getValue());
      bool zero = isa<FloatType>(dense.getElementType())
                      ? dense.getValues<APFloat>()[0].isZero()
                      : isa<IntegerType>(dense.getElementType()) &&
                            dense.getValues<APInt>()[0].isZero();
      expression.keepsZero &= zero;
      return true;
    }
    if (auto iota = dyn_cast<sh::IotaOp>(op)) {
      expression.keepsZero = false;
      return leaf(value, access, true);
    }
    // Padding of a window ends where the sliced tensor ends, not its memory.
    if (isa<sh::SliceOp, sh::ReverseOp>(op))
      for (auto [index, size] : llvm::zip_equal(access, shapeOf(value)))
        if (index.terms.size() > 1 && !wholeDimension(index, size, walked))
          return false;
    if (auto operand = operandAccess(op, access, walked, split)) {
      expression.keepsZero &= keepsZero(op);
      return visit(op->getOperand(0), *operand);
    }
    if (split || !isElementwise(op))
      return false;
    expression.keepsZero &= keepsZero(op);
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return visit(operand, shapeOf(operand).empty() ? Access() : access);
    });
  }
};

/// Emits an expression's ops on scalars.
struct ScalarEmitter {
  OpBuilder &builder;
  const Contraction &contraction;
  const Expression &expression;
  llvm::function_ref<Value(unsigned)> leaf;
  /// Unrounded.
  Value root, partner;
  SmallVector<std::tuple<Value, Access, Value>> done;

  /// The scalar of the root or the partner, if `op` is that.
  Value rootOf(Operation *op) {
    if (!op)
      return nullptr;
    return op == expression.root      ? root
           : op == expression.partner ? partner
                                      : nullptr;
  }

  Value visit(Value value, const Access &access) {
    for (auto &[known, knownAccess, result] : done)
      if (known == value && knownAccess == access)
        return result;
    Value result = make(value, access);
    done.push_back({value, access, result});
    return result;
  }

  Value make(Value value, const Access &access) {
    Operation *op = value.getDefiningOp();
    auto type = RankedTensorType::get(
        {}, cast<ShapedType>(value.getType()).getElementType());
    if (Value sums = rootOf(op)) {
      if (sums.getType() == type)
        return sums;
      return sh::ConvertOp::create(builder, value.getLoc(), type, sums);
    }
    if (isa_and_nonnull<sh::ConvertOp>(op)) {
      Value from = op->getOperand(0);
      while (
          isa_and_nonnull<sh::TransposeOp, sh::ReshapeOp>(from.getDefiningOp()))
        from = from.getDefiningOp()->getOperand(0);
      Value sums = rootOf(from.getDefiningOp());
      if (sums && sums.getType() == type)
        return sums;
    }
    if (!op || isa<sh::IotaOp>(op)) {
      for (auto [i, known] : llvm::enumerate(expression.leaves))
        if (known.value == value && known.access == access)
          return leaf(i);
      // The collector saw all leaves; were one missing, an op without code
      // makes the kernel another strategy's.
      return UnrealizedConversionCastOp::create(builder, value.getLoc(), type,
                                                ValueRange())
          .getResult(0);
    }
    if (isSplat(op)) {
      auto dense = cast<DenseElementsAttr>(cast<sh::ConstantOp>(op).getValue());
      return sh::ConstantOp::create(
          builder, op->getLoc(),
          DenseElementsAttr::get(type, dense.getValues<Attribute>()[0]));
    }
    std::optional<Split> split;
    if (auto operand = operandAccess(op, access, contraction.walked, split))
      return visit(op->getOperand(0), *operand);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          visit(operand, shapeOf(operand).empty() ? Access() : access));
    OperationState state(op->getLoc(), op->getName());
    state.addOperands(operands);
    state.addTypes(type);
    state.addAttributes(op->getAttrs());
    return builder.create(state)->getResult(0);
  }
};
} // namespace

Value contraction::emitScalar(OpBuilder &builder,
                              const Contraction &contraction,
                              const Expression &expression,
                              llvm::function_ref<Value(unsigned)> leaf,
                              Value root, Value partner) {
  ScalarEmitter emitter{builder, contraction, expression, leaf,
                        root,    partner,     {}};
  return emitter.visit(expression.value, expression.access);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The dimensions of a dense tensor accessed by `access`; false if an index may
/// leave the tensor where that is not a window's padding.
static void setMemory(ArrayRef<int64_t> shape, const Access &access,
                      ArrayRef<Atom> space, int64_t &start,
                      SmallVectorImpl<MemoryDim> &memory) {
  int64_t stride = 1;
  SmallVector<MemoryDim> reversed;
  for (unsigned d = shape.size(); d-- > 0; stride *= shape[d]) {
    const DimIndex &index = access[d];
    if (auto atoms = wholeDimension(index, shape[d], space)) {
      int64_t inner = stride;
      for (unsigned atom : llvm::reverse(*atoms)) {
        int64_t size = space[atom].size;
        if (size > 1)
          reversed.push_back({size, inner, rowMajor({atom}, space), atom});
        inner *= size;
      }
      continue;
    }
    // A slice: always inside, so its first element can be the view's start.
    int64_t low = index.offset, high = index.offset;
    for (const Term &term : index.terms) {
      int64_t reach = term.coefficient * (space[term.atom].size - 1);
      (reach < 0 ? low : high) += reach;
    }
    bool inside = low >= 0 && high < shape[d];
    if (inside && index.terms.size() <= 1) {
      start += index.offset * stride;
      for (const Term &term : index.terms)
        if (int64_t size = space[term.atom].size; size > 1)
          reversed.push_back({size, stride * term.coefficient,
                              rowMajor({term.atom}, space), term.atom});
      continue;
    }
    reversed.push_back({shape[d], stride, index, std::nullopt});
  }
  memory.append(reversed.rbegin(), reversed.rend());
}

static void setMemory(Expression &expression, ArrayRef<Atom> space) {
  for (Leaf &leaf : expression.leaves) {
    if (leaf.isIota) {
      auto iota = cast<sh::IotaOp>(leaf.value.getDefiningOp());
      leaf.memory.push_back(
          {1, 0, leaf.access[iota.getIotaDimension()], std::nullopt});
      continue;
    }
    setMemory(shapeOf(leaf.value), leaf.access, space, leaf.start, leaf.memory);
  }
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

bool contraction::collectLeaves(Expression &expression, ArrayRef<Atom> walked,
                                std::optional<Split> &split) {
  Collector collector(walked, expression, split);
  return collector.visit(expression.value, expression.access);
}

bool contraction::followResult(Block &body, Operation *root,
                               const Access &access, ArrayRef<Atom> walked,
                               llvm::DenseMap<Value, Access> &known,
                               std::optional<Split> &split) {
  known[root->getResult(0)] = access;
  bool all = true;
  for (Operation &op : body.without_terminator()) {
    if (op.getNumResults() != 1)
      continue;
    for (Value operand : op.getOperands()) {
      auto it = known.find(operand);
      if (it == known.end())
        continue;
      Access from = it->second;
      std::optional<Access> result;
      if (isElementwise(&op) && shapeOf(operand) == shapeOf(op.getResult(0)))
        result = from;
      else
        result = resultAccess(&op, from, walked, split);
      if (result)
        known[op.getResult(0)] = *result;
      all &= result.has_value();
      break;
    }
  }
  return all;
}

bool contraction::collectOutputs(Block &body, ValueRange values,
                                 Contraction &contraction,
                                 std::optional<Split> &split) {
  llvm::DenseMap<Value, Access> known;
  if (!followResult(body, contraction.root, contraction.rootAccess,
                    contraction.walked, known, split))
    return false;
  for (Value value : values) {
    auto it = known.find(value);
    if (it == known.end())
      return false;
    Expression &output = contraction.outputs.emplace_back();
    output.value = value;
    output.access = it->second;
    output.root = contraction.root;
    output.rootAccess = contraction.rootAccess;
    if (!collectLeaves(output, contraction.walked, split))
      return false;
  }
  return !contraction.outputs.empty();
}

Accessed contraction::throughMoves(Accessed at, ArrayRef<Atom> walked) {
  std::optional<Split> split;
  while (Operation *op = at.value.getDefiningOp()) {
    auto operand = operandAccess(op, at.access, walked, split);
    if (!operand || split)
      break;
    at = {op->getOperand(0), *operand};
  }
  return at;
}

void contraction::finishMemory(Contraction &contraction) {
  for (Expression *expression : contraction.expressions())
    setMemory(*expression, contraction.walked);
  for (Expression &output : contraction.outputs) {
    int64_t start = 0;
    setMemory(shapeOf(output.value), output.access, contraction.walked, start,
              contraction.outputMemory.emplace_back());
  }
  contraction.space = contraction.walked;
  mergeAtoms(contraction);
  completeRoles(contraction);
}

std::optional<Contraction> contraction::analyzeContraction(Block &body) {
  Operation *root = nullptr;
  for (Operation &op : body.without_terminator())
    if (isa<sh::DotGeneralOp, sh::ConvolutionOp>(op)) {
      if (root)
        return std::nullopt;
      root = &op;
    }
  if (!root)
    return std::nullopt;

  // Reshapes may need loops in parts; each round adds one split.
  SmallVector<SmallVector<int64_t>> parts;
  for (int round = 0; round < 32; ++round) {
    std::optional<Loops> loops = loopsOf(root, parts);
    if (!loops)
      return std::nullopt;
    Contraction result;
    result.root = root;
    result.walked = loops->space;
    result.rootAccess = loops->result;
    result.lhs.value = root->getOperand(0);
    result.lhs.access = loops->lhs;
    result.rhs.value = root->getOperand(1);
    result.rhs.access = loops->rhs;

    std::optional<Split> split;
    bool good = true;
    for (Expression *operand : {&result.lhs, &result.rhs})
      good = good && collectLeaves(*operand, result.walked, split);
    good = good && collectOutputs(body, body.getTerminator()->getOperands(),
                                  result, split);
    if (split) {
      loops->split(*split, parts);
      continue;
    }
    if (!good ||
        (loops->padded && (!result.lhs.keepsZero || !result.rhs.keepsZero)))
      return std::nullopt;

    findInterval(result);
    finishMemory(result);
    return result;
  }
  return std::nullopt;
}
