// shoal-compress-gradients: see Passes.td.
#include "TensorEmitter.h"
#include "shoal/Analysis/OpTraits.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cmath>

using namespace mlir;
using shoal::comm::AllReduceOp;
using shoal::comm::GroupsAttr;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_COMPRESSGRADIENTS
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// "topk:0.01@data", "lowrank:4@data+fsdp", "topk:0.1@*".
struct Method {
  double ratio = 0; ///< of the elements that are sent; 0: low rank
  int64_t rank = 0;
  std::string axes;

  static FailureOr<Method> parse(StringRef text) {
    Method method;
    auto [how, axes] = text.split('@');
    auto [name, number] = how.split(':');
    method.axes = axes.str();
    if (axes.empty())
      return failure();
    if (name == "topk" && !number.getAsDouble(method.ratio) &&
        method.ratio > 0 && method.ratio <= 1)
      return method;
    if (name == "lowrank" && !number.getAsInteger(10, method.rank) &&
        method.rank >= 1 && method.rank <= 64)
      return method;
    return failure();
  }

  bool isWanted(GroupsAttr groups) const {
    if (groups.isTable())
      return false;
    std::string name;
    for (AxisRefAttr axis : groups.getAxes())
      name += (name.empty() ? "" : "+") + axis.getName().str();
    return axes == "*" || axes == name;
  }
};

/// Blocks of a gradient, of each of which the same number of elements is sent.
struct Blocks {
  int64_t block, rows, kept;

  Blocks(int64_t count, double ratio, int64_t block)
      : block(std::min(block, count)), rows(llvm::divideCeil(count, block)),
        kept(std::max<int64_t>(
            1, static_cast<int64_t>(
                   std::ceil(ratio * static_cast<double>(this->block))))) {}
};

/// How a tensor is read as a matrix: the cut of its dimensions for which the
/// two factors are smallest.
std::pair<int64_t, int64_t> matrixOf(RankedTensorType type) {
  int64_t all = type.getNumElements(), a = 1, bestA = 1;
  for (int64_t d = 0; d + 1 < type.getRank(); ++d) {
    a *= type.getDimSize(d);
    if (a + all / a < bestA + all / bestA)
      bestA = a;
  }
  return {bestA, all / bestA};
}

class Emitter : public TensorEmitter {
public:
  explicit Emitter(AllReduceOp op) : TensorEmitter(op), op(op) {}

  /// The error of a device joins its gradient, its largest elements are sent to
  /// everyone, and what is not sent is its next error. Returns the sum and the
  /// error, of the shapes of the gradient and of `error`.
  std::pair<Value, Value> largest(Value error, Blocks blocks, int64_t n) {
    RankedTensorType type = op.getType();
    int64_t count = type.getNumElements(), rows = blocks.rows,
            block = blocks.block, k = blocks.kept;
    Value x = sh::AddOp::create(b, loc,
                                reshape(convert(op.getInput(), f32()), {count}),
                                reshape(error, {count}));
    x = reshape(padTo(x, 0, rows * block), {rows, block});
    auto top = chlo::TopKOp::create(
        b, loc, TypeRange{tensor({rows, k}), tensor({rows, k}, i32())},
        sh::AbsOp::create(b, loc, x), b.getI64IntegerAttr(k));
    Value where = top.getIndices();
    Value mine = sh::GatherOp::create(
        b, loc, tensor({rows, k}), x, reshape(where, {rows, k, 1}),
        sh::GatherDimensionNumbersAttr::get(
            b.getContext(), /*offsetDims=*/{}, /*collapsedSliceDims=*/{1},
            /*operandBatchingDims=*/{0}, /*startIndicesBatchingDims=*/{0},
            /*startIndexMap=*/{1}, /*indexVectorDim=*/2),
        b.getDenseI64ArrayAttr({1, 1}), b.getBoolAttr(false));
    // What is rounded on its way stays in the error as well.
    Value sent = convert(mine, type.getElementType());
    Value values = convert(gather(sent, n), f32());
    Value places =
        convert(gather(convert(where, IntegerType::get(b.getContext(), 16,
                                                       IntegerType::Unsigned)),
                       n),
                i32());
    Value sum = addAt(splat({rows, block}, 0), places, values);
    Value rest =
        addAt(x, where, sh::NegOp::create(b, loc, convert(sent, f32())));
    auto whole = [&](Value value) {
      return firstOf(reshape(value, {rows * block}), count);
    };
    return {
        convert(reshape(whole(sum), type.getShape()), type.getElementType()),
        reshape(finite(whole(rest)), typeOf(error).getShape())};
  }

  struct LowRank {
    Value sum, error, basis;
  };
  /// PowerSGD: the gradients, as matrices M, are projected to the columns P of
  /// their sum times the last step's basis, made orthonormal. P and the sum of
  /// transpose(M) P, the next basis, are all that is sent.
  LowRank lowRank(Value error, Value basis, int64_t r) {
    RankedTensorType type = op.getType();
    auto [rows, columns] = matrixOf(type);
    Value m = sh::AddOp::create(
        b, loc, reshape(convert(op.getInput(), f32()), {rows, columns}),
        reshape(error, {rows, columns}));
    Value q = startingBasis(reshape(basis, {columns, r}));
    Value p = orthonormal(reduce(product(m, 1, q, 0)));
    Value mine = product(m, 0, p, 0);
    Value next = reduce(mine);
    Value sum = product(p, 1, next, 1);
    Value rest = sh::SubtractOp::create(b, loc, m, product(p, 1, mine, 1));
    return {convert(reshape(sum, type.getShape()), type.getElementType()),
            reshape(finite(rest), typeOf(error).getShape()),
            reshape(finite(next), typeOf(basis).getShape())};
  }

private:
  Type f32() { return b.getF32Type(); }
  Type i32() { return b.getI32Type(); }

  /// What is no number is sent once, not kept.
  Value finite(Value value) {
    return sh::SelectOp::create(b, loc, sh::IsFiniteOp::create(b, loc, value),
                                value, splat(typeOf(value).getShape(), 0));
  }

  /// [rows, k] of every device side by side.
  Value gather(Value value, int64_t n) {
    SmallVector<int64_t> shape(typeOf(value).getShape());
    shape[1] *= n;
    return comm::AllGatherOp::create(
        b, loc, tensor(shape, typeOf(value).getElementType()), value, 1,
        op.getGroups(), op.getReasonAttr(), op.getProvenanceAttr());
  }

  Value reduce(Value value) {
    return AllReduceOp::create(b, loc, value.getType(), op.getKind(), value,
                               op.getGroups(), op.getReasonAttr(),
                               op.getProvenanceAttr());
  }

  /// Adds values [rows, k] to [rows, block], in each row at the places.
  Value addAt(Value to, Value places, Value values) {
    SmallVector<int64_t> shape(typeOf(places).getShape());
    shape.push_back(1);
    auto scatter = sh::ScatterOp::create(
        b, loc, TypeRange{to.getType()}, ValueRange{to}, reshape(places, shape),
        ValueRange{values},
        sh::ScatterDimensionNumbersAttr::get(
            b.getContext(), /*updateWindowDims=*/{},
            /*insertedWindowDims=*/{1}, /*inputBatchingDims=*/{0},
            /*scatterIndicesBatchingDims=*/{0},
            /*scatterDimsToOperandDims=*/{1}, /*indexVectorDim=*/2),
        false, false);
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&scatter.getUpdateComputation());
    Value x = body->addArgument(tensor({}), loc),
          y = body->addArgument(tensor({}), loc);
    sh::ReturnOp::create(b, loc, sh::AddOp::create(b, loc, x, y).getResult());
    return scatter.getResult(0);
  }

  /// Sums over a dimension of each; the others stay, those of `x` first.
  Value product(Value x, int64_t xDim, Value y, int64_t yDim) {
    auto numbers = sh::DotDimensionNumbersAttr::get(b.getContext(), {}, {},
                                                    {xDim}, {yDim});
    SmallVector<int64_t> shape{typeOf(x).getDimSize(1 - xDim),
                               typeOf(y).getDimSize(1 - yDim)};
    return sh::DotGeneralOp::create(b, loc, tensor(shape), x, y, numbers,
                                    ArrayAttr(), sh::DotAlgorithmAttr());
  }

  /// In the first step the basis is 0: numbers like random ones instead, the
  /// same on all devices.
  Value startingBasis(Value basis) {
    ArrayRef<int64_t> shape = typeOf(basis).getShape();
    auto along = [&](uint64_t d, float times) -> Value {
      Value index = sh::IotaOp::create(b, loc, tensor(shape), d);
      return sh::MulOp::create(b, loc, index, splat(shape, times));
    };
    Value angle =
        sh::AddOp::create(b, loc, along(0, 12.9898f), along(1, 78.233f));
    Value wild = sh::MulOp::create(b, loc, sh::SineOp::create(b, loc, angle),
                                   splat(shape, 43758.547f));
    Value start =
        sh::SubtractOp::create(b, loc, wild, sh::FloorOp::create(b, loc, wild));
    start = sh::SubtractOp::create(b, loc, start, splat(shape, 0.5));
    Value any = fold(fold(sh::AbsOp::create(b, loc, basis), 1, true), 0, true);
    Value isZero = sh::CompareOp::create(b, loc, any, splat({}, 0),
                                         sh::ComparisonDirection::EQ);
    return sh::SelectOp::create(b, loc, spread(isZero, shape, {}), start,
                                basis);
  }

  /// Gram and Schmidt's way, column by column. Columns that depend on those
  /// before them become 0, or rounding's direction.
  Value orthonormal(Value p) {
    int64_t rows = typeOf(p).getDimSize(0), count = typeOf(p).getDimSize(1);
    SmallVector<Value> done;
    for (int64_t c = 0; c < count; ++c) {
      Value column = sh::SliceOp::create(
          b, loc, tensor({rows, 1}), p, ArrayRef<int64_t>{0, c},
          ArrayRef<int64_t>{rows, c + 1}, ArrayRef<int64_t>{1, 1});
      // Scaled first, so that squares neither vanish nor overflow.
      column = over(column, largestOf(column));
      for (Value other : done) {
        Value overlap = product(other, 0, column, 0); // [1, 1]
        column = sh::SubtractOp::create(b, loc, column,
                                        product(other, 1, overlap, 0));
      }
      column = over(column, largestOf(column));
      Value square = product(column, 0, column, 0);
      done.push_back(
          over(column, reshape(sh::SqrtOp::create(b, loc, square), {})));
    }
    if (done.size() == 1)
      return done.front();
    return sh::ConcatenateOp::create(b, loc, p.getType(), done, 1);
  }
  Value largestOf(Value x) {
    return fold(fold(sh::AbsOp::create(b, loc, x), 1, true), 0, true);
  }
  /// x / by, or 0 where by is.
  Value over(Value x, Value by) {
    ArrayRef<int64_t> shape = typeOf(x).getShape();
    Value isZero = sh::CompareOp::create(b, loc, by, splat({}, 0),
                                         sh::ComparisonDirection::EQ);
    Value divisor = sh::SelectOp::create(b, loc, isZero, splat({}, 1), by);
    return sh::DivOp::create(b, loc, x, spread(divisor, shape, {}));
  }

  AllReduceOp op;
};

/// Whether the value goes into a result of its function by ops that keep
/// elements apart: a gradient does, an activation goes into products.
bool reachesResult(Value value) {
  SmallVector<Value> todo{value};
  llvm::SmallPtrSet<Operation *, 32> seen;
  while (!todo.empty())
    for (Operation *user : todo.pop_back_val().getUsers()) {
      if (isa<func::ReturnOp>(user))
        return true;
      OpClass how = classify(user);
      bool keeps = how == OpClass::Elementwise ||
                   (how == OpClass::IndexMap && !isa<sh::GatherOp>(user)) ||
                   isa<comm::AllSliceOp, comm::AllGatherOp>(user);
      if (keeps && seen.insert(user).second)
        llvm::append_range(todo, user->getResults());
    }
  return false;
}

struct CompressGradients : impl::CompressGradientsBase<CompressGradients> {
  using CompressGradientsBase::CompressGradientsBase;

  void runOnOperation() override {
    if (how.empty())
      return;
    ModuleOp module = getOperation();
    FailureOr<Method> method = Method::parse(how);
    auto refuse = [&](const Twine &why) {
      module.emitError() << "--compress-gradients: " << why;
      signalPassFailure();
    };
    if (failed(method))
      return refuse("'" + how +
                    "' is no method; write topk:RATIO@AXES or "
                    "lowrank:RANK@AXES, with axes like data+fsdp or *");
    if (block < 2 || block > 65536)
      return refuse("blocks must have 2 to 65536 elements");
    func::FuncOp entry;
    for (auto func : module.getOps<func::FuncOp>())
      if (!func.isExternal() && (!entry || func.getSymName() == "main"))
        entry = func;
    if (!entry)
      return;
    SmallVector<AllReduceOp> ops(entry.getBody().front().getOps<AllReduceOp>());
    int64_t count = 0;
    for (AllReduceOp op : ops)
      count += compress(entry, op, *method);
    if (count == 0 && remarks)
      entry.emitRemark() << "--compress-gradients: no sum over '"
                         << method->axes
                         << "' goes into a result and would send less";
  }

private:
  /// A new argument and result of the entry, f32, of each device its own.
  Value addState(func::FuncOp entry, GroupsAttr groups, RankedTensorType local,
                 StringRef role) {
    MeshAttr mesh = groups.getMesh(entry);
    MLIRContext *context = &getContext();
    SmallVector<AxisRefAttr> axes;
    for (MeshAxisAttr axis : mesh.getAxes())
      axes.push_back(AxisRefAttr::get(context, axis.getName()));
    SmallVector<DimShardingAttr> dims(
        local.getRank(), DimShardingAttr::get(context, {}, /*isOpen=*/false));
    dims[0] = DimShardingAttr::get(context, axes, /*isOpen=*/false);
    SmallVector<int64_t> shape(local.getShape());
    shape[0] = mesh.getNumDevices();
    Builder b(context);
    auto attributes = [&](bool isArgument) {
      NamedAttrList list;
      list.set("shoal.sharding",
               ShardingAttr::get(groups.getMeshOrRef(), dims));
      list.set("shoal.global_type", TypeAttr::get(RankedTensorType::get(
                                        shape, local.getElementType())));
      list.set("shoal.role", b.getStringAttr(role));
      if (isArgument)
        list.set("tf.aliasing_output", b.getI32IntegerAttr(static_cast<int32_t>(
                                           entry.getNumResults())));
      return list.getDictionary(context);
    };
    (void)entry.insertArgument(entry.getNumArguments(), local, attributes(true),
                               entry.getLoc());
    (void)entry.insertResult(entry.getNumResults(), local, attributes(false));
    return entry.getArguments().back();
  }

  static void giveBack(func::FuncOp entry, Value state) {
    Operation *end = entry.getBody().front().getTerminator();
    end->insertOperands(end->getNumOperands(), state);
  }

  bool compress(func::FuncOp entry, AllReduceOp op, const Method &method) {
    RankedTensorType type = op.getType();
    auto real = dyn_cast<FloatType>(type.getElementType());
    int64_t n = op.getGroups().getGroupSize(op),
            bytes = comm::getTensorBytes(type), count = type.getNumElements();
    if (op.getKind() != ReductionKind::Add || !real || real.getWidth() < 16 ||
        real.getWidth() > 32 || n < 2 || bytes < minBytes ||
        !method.isWanted(op.getGroups()) || !reachesResult(op.getResult()))
      return false;
    Blocks blocks(count, method.ratio, block);
    auto [rows, columns] = matrixOf(type);
    double before =
        2.0 * static_cast<double>((n - 1) * bytes) / static_cast<double>(n);
    double after =
        method.ratio > 0
            ? static_cast<double>((n - 1) * blocks.rows * blocks.kept) *
                  (real.getWidth() / 8.0 + 2)
            : 2.0 * static_cast<double>((n - 1) * method.rank) *
                  static_cast<double>(rows + columns) * 4 /
                  static_cast<double>(n);
    if (after >= before ||
        (method.rank && method.rank >= std::min(rows, columns)))
      return false;
    std::string where;
    llvm::raw_string_ostream(where) << op.getLoc();
    Type f32 = Float32Type::get(&getContext());
    SmallVector<int64_t> shape{1};
    llvm::append_range(shape, type.getShape());
    unsigned argument = entry.getNumArguments(), result = entry.getNumResults();
    Value error =
        addState(entry, op.getGroups(), RankedTensorType::get(shape, f32),
                 "error of the compressed sum at " + where);
    Emitter emitter(op);
    Value sum;
    if (method.ratio > 0) {
      auto [all, rest] = emitter.largest(error, blocks, n);
      sum = all;
      giveBack(entry, rest);
    } else {
      Value basis =
          addState(entry, op.getGroups(),
                   RankedTensorType::get({1, columns, method.rank}, f32),
                   "basis of the compressed sum at " + where);
      auto low = emitter.lowRank(error, basis, method.rank);
      sum = low.sum;
      giveBack(entry, low.error);
      giveBack(entry, low.basis);
    }
    if (remarks)
      op.emitRemark() << "compressed: " << llvm::formatv("{0:f0}", before)
                      << " -> " << llvm::formatv("{0:f0}", after)
                      << " bytes sent; what is left out is result " << result
                      << ", which is argument " << argument
                      << " of the next step (zeros in the first)";
    op.getResult().replaceAllUsesWith(sum);
    op.erase();
    return true;
  }
};

} // namespace
} // namespace shoal
