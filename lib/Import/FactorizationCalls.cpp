#include "FactorizationCalls.h"

#include "llvm/ADT/StringSwitch.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::stablehlo;

namespace {

using Attributes = ArrayRef<std::pair<StringRef, char>>;

class Expansion {
public:
  Expansion(CustomCallOp op, OpBuilder &b, SmallVectorImpl<Value> &results)
      : op(op), b(b), results(results) {}

  bool run();

private:
  RankedTensorType type(unsigned operand) {
    return dyn_cast<RankedTensorType>(op->getOperand(operand).getType());
  }
  RankedTensorType resultType(unsigned result) {
    return dyn_cast<RankedTensorType>(op->getResult(result).getType());
  }
  bool takes(unsigned operands, unsigned count) {
    return op.getNumOperands() == operands && op.getNumResults() == count;
  }
  /// The type of batches of integers that tell how a routine fared.
  RankedTensorType infoType(unsigned inner = 2) {
    return RankedTensorType::get(type(0).getShape().drop_back(inner),
                                 b.getI32Type());
  }
  /// A number or truth value of the call's dictionary.
  bool flag(StringRef name, bool otherwise = false) {
    auto dict = op->getAttrOfType<DictionaryAttr>("mhlo.backend_config");
    if (!dict)
      dict = op->getAttrOfType<DictionaryAttr>("backend_config");
    Attribute value = dict ? dict.get(name) : Attribute();
    if (auto truth = dyn_cast_or_null<BoolAttr>(value))
      return truth.getValue();
    if (auto number = dyn_cast_or_null<IntegerAttr>(value))
      return !number.getValue().isZero();
    return otherwise;
  }
  CustomCallOp lapack(StringRef routine, TypeRange types, ValueRange operands,
                      Attributes attributes = {});
  Value permutation(Value pivots, RankedTensorType type);

  bool lu(bool fromZero);
  bool svd();
  bool eigenvalues();

  CustomCallOp op;
  OpBuilder &b;
  SmallVectorImpl<Value> &results;
  char letter = 0;
  bool isComplex = false;
};

/// @lapack_<letter><routine>_ffi with single characters as attributes.
CustomCallOp Expansion::lapack(StringRef routine, TypeRange types,
                               ValueRange operands, Attributes attributes) {
  SmallVector<NamedAttribute> config;
  Type byte = b.getIntegerType(8, /*isSigned=*/false);
  for (auto [name, value] : attributes)
    config.push_back(b.getNamedAttr(
        name, IntegerAttr::get(byte, static_cast<uint8_t>(value))));
  OperationState state(op.getLoc(), CustomCallOp::getOperationName());
  state.addOperands(operands);
  state.addTypes(types);
  state.addAttribute(
      "call_target_name",
      b.getStringAttr(("lapack_" + Twine(letter) + routine + "_ffi").str()));
  state.addAttribute("mhlo.backend_config", b.getDictionaryAttr(config));
  return cast<CustomCallOp>(b.create(state));
}

/// Where the rows end up that are swapped, one after the other, with those that
/// pivots (from 0) name: a loop over the pivots, all batches at once.
Value Expansion::permutation(Value pivots, RankedTensorType type) {
  Location loc = op.getLoc();
  auto pivotType = cast<RankedTensorType>(pivots.getType());
  Type element = type.getElementType();
  auto scalar = RankedTensorType::get({}, element);
  auto truth = RankedTensorType::get(type.getShape(), b.getI1Type());
  int64_t last = type.getRank() - 1;
  auto number = [&](int64_t value) -> Value {
    return ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(scalar, b.getIntegerAttr(element, value)));
  };
  SmallVector<int64_t> all(llvm::to_vector(llvm::seq<int64_t>(0, last + 1)));
  auto spread = [&](Value value, ArrayRef<int64_t> dims) -> Value {
    return BroadcastInDimOp::create(b, loc, type, value,
                                    b.getDenseI64ArrayAttr(dims));
  };
  Value places =
      IotaOp::create(b, loc, type, b.getI64IntegerAttr(last)).getResult();
  Value zero = number(0), one = number(1),
        count = number(pivotType.getShape().back());
  auto loop = WhileOp::create(b, loc, TypeRange{scalar, type},
                              ValueRange{zero, places});
  OpBuilder::InsertionGuard guard(b);
  Block *condition =
      b.createBlock(&loop.getCond(), {}, {scalar, type}, {loc, loc});
  Value more = CompareOp::create(b, loc, condition->getArgument(0), count,
                                 ComparisonDirection::LT);
  ReturnOp::create(b, loc, more);

  Block *body = b.createBlock(&loop.getBody(), {}, {scalar, type}, {loc, loc});
  Value i = body->getArgument(0), order = body->getArgument(1);
  SmallVector<Value> starts(last, zero);
  starts.push_back(i);
  // Column i of a tensor, at every place.
  auto column = [&](Value from) {
    SmallVector<int64_t> sizes(type.getShape());
    sizes.back() = 1;
    Value cut =
        DynamicSliceOp::create(b, loc, RankedTensorType::get(sizes, element),
                               from, starts, b.getDenseI64ArrayAttr(sizes));
    return spread(cut, all);
  };
  auto isAt = [&](Value place) -> Value {
    return CompareOp::create(
        b, loc, truth, places, place,
        ComparisonDirectionAttr::get(b.getContext(), ComparisonDirection::EQ),
        ComparisonTypeAttr());
  };
  Value here = isAt(spread(i, {})), there = isAt(column(pivots));
  Value masked =
      SelectOp::create(b, loc, there, order, spread(zero, {})).getResult();
  auto found = ReduceOp::create(
      b, loc,
      TypeRange{RankedTensorType::get(type.getShape().drop_back(), element)},
      ValueRange{masked}, ValueRange{zero}, b.getDenseI64ArrayAttr({last}));
  {
    OpBuilder::InsertionGuard inner(b);
    Block *sum =
        b.createBlock(&found.getBody(), {}, {scalar, scalar}, {loc, loc});
    Value total =
        AddOp::create(b, loc, sum->getArgument(0), sum->getArgument(1));
    ReturnOp::create(b, loc, total);
  }
  Value swapped = SelectOp::create(b, loc, there, column(order), order);
  Value next = SelectOp::create(
      b, loc, here,
      spread(found.getResult(0), ArrayRef<int64_t>(all).drop_back()), swapped);
  Value increment = AddOp::create(b, loc, i, one);
  ReturnOp::create(b, loc, ValueRange{increment, next});
  return loop.getResult(1);
}

/// LuDecomposition(x) -> factors, pivots from 0, the permutation;
/// cusolver_getrf_ffi(x) -> factors, pivots from 1, info.
bool Expansion::lu(bool fromZero) {
  if (!takes(1, 3))
    return false;
  auto pivotType = resultType(1);
  auto call =
      lapack("getrf", {op->getResult(0).getType(), pivotType, infoType()},
             op->getOperands());
  if (!fromZero) {
    results.append(call->result_begin(), call->result_end());
    return true;
  }
  Value one = ConstantOp::create(
      b, op.getLoc(),
      DenseElementsAttr::get(pivotType,
                             b.getIntegerAttr(pivotType.getElementType(), 1)));
  Value pivots = SubtractOp::create(b, op.getLoc(), call->getResult(1), one);
  results.append(
      {call->getResult(0), pivots, permutation(pivots, resultType(2))});
  return true;
}

/// cusolver_gesvdj_ffi(x) -> scratch, singular values, u, v (not its
/// conjugate transpose), info.
bool Expansion::svd() {
  if (!takes(1, 5))
    return false;
  auto v = resultType(3);
  int64_t rank = v.getRank();
  SmallVector<int64_t> shape(v.getShape()), order(rank);
  std::swap(shape[rank - 1], shape[rank - 2]);
  for (int64_t d = 0; d < rank; ++d)
    order[d] = d < rank - 2 ? d : 2 * rank - 3 - d;
  char mode = !flag("compute_uv", true) ? 'N' : flag("econ") ? 'S' : 'A';
  SmallVector<Type> types(op->getResultTypes());
  types[3] = v.clone(shape);
  auto call = lapack("gesdd", types, op->getOperands(), {{"mode", mode}});
  results.append(call->result_begin(), call->result_end());
  results[3] = TransposeOp::create(b, op.getLoc(), v, results[3],
                                   b.getDenseI64ArrayAttr(order));
  if (isComplex) {
    Value re = RealOp::create(b, op.getLoc(), results[3]),
          im = ImagOp::create(b, op.getLoc(), results[3]);
    im = NegOp::create(b, op.getLoc(), im);
    results[3] = ComplexOp::create(b, op.getLoc(), re, im);
  }
  return true;
}

/// cuhybrid_eig_real and cuhybrid_eig_comp, with geev's operands and results.
bool Expansion::eigenvalues() {
  if (!takes(1, isComplex ? 4 : 5))
    return false;
  auto call = lapack("geev", op->getResultTypes(), op->getOperands(),
                     {{"compute_left", flag("left") ? 'V' : 'N'},
                      {"compute_right", flag("right") ? 'V' : 'N'}});
  results.append(call->result_begin(), call->result_end());
  return true;
}

bool Expansion::run() {
  enum Kind {
    None,
    Qr,
    Q,
    Lu,
    LuFromZero,
    Symmetric,
    SymmetricTpu,
    Cholesky,
    Svd,
    Eigenvalues,
    Tridiagonal,
    Permutation
  };
  auto kind =
      llvm::StringSwitch<Kind>(op.getCallTargetName())
          .Cases({"Qr", "cusolver_geqrf_ffi", "cublas_geqrf_batched_ffi"}, Qr)
          .Cases({"ProductOfElementaryHouseholderReflectors",
                  "cusolver_orgqr_ffi"},
                 Q)
          .Case("LuDecomposition", LuFromZero)
          .Cases({"cusolver_getrf_ffi", "cublas_getrf_batched_ffi"}, Lu)
          .Case("Eigh", SymmetricTpu)
          .Case("cusolver_syevd_ffi", Symmetric)
          .Case("cusolver_potrf_ffi", Cholesky)
          .Case("cusolver_gesvdj_ffi", Svd)
          .Cases({"cuhybrid_eig_real", "cuhybrid_eig_comp"}, Eigenvalues)
          .Case("cusparse_gtsv2_ffi", Tridiagonal)
          .Case("cu_lu_pivots_to_permutation", Permutation)
          .Default(None);
  if (kind == None || op.getNumOperands() == 0 || op.getNumResults() == 0)
    return false;
  for (Type t : llvm::concat<Type>(SmallVector<Type>(op->getOperandTypes()),
                                   SmallVector<Type>(op->getResultTypes()))) {
    auto tensor = dyn_cast<RankedTensorType>(t);
    if (!tensor || !tensor.hasStaticShape())
      return false;
  }
  if (kind == Permutation) {
    if (!takes(1, 1) || type(0).getRank() != resultType(0).getRank() ||
        type(0).getRank() == 0 ||
        type(0).getElementType() != resultType(0).getElementType() ||
        !type(0).getElementType().isSignlessInteger())
      return false;
    results.push_back(permutation(op->getOperand(0), resultType(0)));
    return true;
  }
  Type element = type(0).getElementType();
  auto complex = dyn_cast<ComplexType>(element);
  isComplex = bool(complex);
  Type part = complex ? complex.getElementType() : element;
  if (part.isF32())
    letter = complex ? 'c' : 's';
  else if (part.isF64())
    letter = complex ? 'z' : 'd';
  else
    return false;
  int64_t rank = type(0).getRank();
  if (rank < (kind == Tridiagonal ? 1 : 2))
    return false;

  CustomCallOp call;
  switch (kind) {
  case Lu:
  case LuFromZero:
    return lu(kind == LuFromZero);
  case Svd:
    return svd();
  case Eigenvalues:
    return eigenvalues();
  case Qr: {
    auto shape = type(0).getShape().take_back(2);
    if (!takes(1, 2) || resultType(1).getRank() == 0 ||
        resultType(1).getShape().back() != std::min(shape[0], shape[1]))
      return false;
    call = lapack("geqrf", op->getResultTypes(), op->getOperands());
    break;
  }
  case Q:
    if (!takes(2, 1))
      return false;
    call = lapack(isComplex ? "ungqr" : "orgqr", op->getResultTypes(),
                  op->getOperands());
    break;
  case Cholesky:
    if (!takes(1, 2))
      return false;
    call = lapack("potrf", op->getResultTypes(), op->getOperands(),
                  {{"uplo", flag("lower", true) ? 'L' : 'U'}});
    break;
  case Symmetric:
  case SymmetricTpu: {
    if (!takes(1, kind == Symmetric ? 3 : 2))
      return false;
    bool lower = flag("lower", true);
    // "lower,sorted,iterations,tolerance"
    if (auto config = op->getAttrOfType<StringAttr>("backend_config");
        config && kind == SymmetricTpu)
      lower = !config.getValue().starts_with("0");
    SmallVector<Type> types(op->getResultTypes());
    if (kind == SymmetricTpu)
      types.push_back(infoType());
    call = lapack(isComplex ? "heevd" : "syevd", types, op->getOperands(),
                  {{"mode", 'V'}, {"uplo", lower ? 'L' : 'U'}});
    break;
  }
  case Tridiagonal: {
    if (!takes(4, 1))
      return false;
    SmallVector<Type> types(op->getOperandTypes());
    types.push_back(infoType(1));
    call = lapack("gtsv", types, op->getOperands());
    results.push_back(call->getResult(3));
    return true;
  }
  case Permutation:
  case None:
    return false;
  }
  llvm::append_range(results,
                     call->getResults().take_front(op.getNumResults()));
  return true;
}

} // namespace

bool shoal::expandFactorization(CustomCallOp op, OpBuilder &builder,
                                SmallVectorImpl<Value> &results) {
  return Expansion(op, builder, results).run();
}
