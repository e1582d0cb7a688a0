// Fourier transforms along cut dimensions. A transform of several dimensions is
// one after another; where a dimension is cut, the cut goes to another one
// meanwhile (an all-to-all there and one back). With no dimension to go to, a
// transform of n = p·m elements over p devices is p of m and m of p elements,
// with three all-to-alls in place of a gather.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OrderedForms.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static Value transpose(Value value, ArrayRef<int64_t> order, LocalBuilder &b) {
  SmallVector<int64_t> shape;
  for (int64_t d : order)
    shape.push_back(typeOf(value).getDimSize(d));
  return sh::TransposeOp::create(
      b, b.loc(), b.tensorType(shape, b.elementOf(value)), value, order);
}

static Value reshape(Value value, ArrayRef<int64_t> shape, LocalBuilder &b) {
  return sh::ReshapeOp::create(b, b.loc(),
                               b.tensorType(shape, b.elementOf(value)), value);
}

/// `length`: of the transform, which for IRFFT is that of the result.
Value OpLowering::transformAlong(Value value, int64_t dim, int64_t length,
                                 sh::FftType type) {
  int64_t rank = typeOf(value).getRank();
  SmallVector<int64_t> order;
  for (int64_t d = 0; d < rank; ++d)
    order.push_back(d);
  std::swap(order[dim], order[rank - 1]);
  bool moved = dim != rank - 1;
  if (moved)
    value = transpose(value, order, b);
  SmallVector<int64_t> shape(typeOf(value).getShape());
  Type element = b.elementOf(value);
  if (type == sh::FftType::RFFT) {
    shape.back() = length / 2 + 1;
    element = ComplexType::get(element);
  } else if (type == sh::FftType::IRFFT) {
    shape.back() = length;
    element = cast<ComplexType>(element).getElementType();
  }
  value = sh::FftOp::create(b, b.loc(), b.tensorType(shape, element), value,
                            type, ArrayRef<int64_t>{length});
  return moved ? transpose(value, order, b) : value;
}

/// Element d·m + j of the dimension is element (d, j) of a matrix whose rows
/// are on the devices. Columns are transformed first (j1 to k1), turned by
/// w^(k1·j2), then rows (j2 to k2); element k1 + p·k2 of the result is (k1,
/// k2).
Value OpLowering::dividedTransform(Value value) {
  auto fft = cast<sh::FftOp>(op);
  auto type = typeOf(value);
  int64_t last = type.getRank() - 1, m = type.getDimSize(last);
  AtomList atoms = atomsOf(0, last);
  int64_t p = partCount(ArrayRef<uint8_t>(atoms), mesh.atoms());
  int64_t outer = type.getNumElements() / m, few = m / p;
  auto groups = comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
  auto swap = [&](Value matrix) {
    // [outer, p, few]: row i goes to device i; rows come from all devices.
    return comm::AllToAllOp::create(
        b, b.loc(), matrix.getType(), matrix, 1, 1, groups,
        b.getStringAttr("rows and columns of a divided stablehlo.fft"),
        b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
  };
  SmallVector<int64_t> shape = {outer, p, few};
  value = swap(reshape(value, shape, b));
  value = transformAlong(value, 1, p, fft.getFftType());

  // w^(k1·j2), j2 = this device's stretch of columns; k1·j2 < n, and the angle
  // is worked out in f64.
  Type f64 = b.getF64Type(), i64 = b.getI64Type();
  SmallVector<int64_t> plane = {p, few};
  Value j2 = b.add(b.iota({few}, 0, i64),
                   b.broadcast(b.mul(b.convert(b.axisIndex(atoms), i64),
                                     b.scalarInt(few, i64)),
                               {few}));
  Value product = b.mul(b.broadcast(b.iota({p}, 0, i64), plane, {0}),
                        b.broadcast(j2, plane, {1}));
  bool inverse = fft.getFftType() == sh::FftType::IFFT;
  double turn = (inverse ? 2 : -2) * 3.14159265358979323846 / double(p * m);
  Value angle = b.mul(b.convert(product, f64),
                      b.splat(plane, f64, b.getF64FloatAttr(turn)));
  Type part = cast<ComplexType>(type.getElementType()).getElementType();
  Value re = sh::CosineOp::create(b, b.loc(), angle.getType(), angle);
  Value im = sh::SineOp::create(b, b.loc(), angle.getType(), angle);
  Value factor = sh::ComplexOp::create(
      b, b.loc(), b.tensorType(plane, type.getElementType()),
      b.convert(re, part), b.convert(im, part));
  value = b.mul(value, b.broadcast(factor, shape, {1, 2}));

  value = reshape(swap(value), {outer, m}, b);
  value = transformAlong(value, 1, m, fft.getFftType());
  value = swap(reshape(value, shape, b));
  value = transpose(value, {0, 2, 1}, b);
  return reshape(value, type.getShape(), b);
}

SmallVector<Value> OpLowering::lowerFft(ArrayRef<Value> operands) {
  auto fft = cast<sh::FftOp>(op);
  ArrayRef<int64_t> lengths = fft.getFftLength();
  int64_t rank = model.shape(0).size(), first = rank - lengths.size();
  PlacementState state = model.placement(form, 0);
  Value value = operands[0];
  // The real side is the last dimension, whole: first on the way there, last on
  // the way back.
  bool toReal = fft.getFftType() == sh::FftType::IRFFT;
  SmallVector<int64_t> dims;
  for (int64_t d = first; d < rank; ++d)
    dims.insert(toReal ? dims.end() : dims.begin(), d);
  SmallVector<int64_t> shape(model.shape(0));
  for (int64_t d : dims) {
    int64_t length = lengths[d - first];
    sh::FftType type = fft.getFftType();
    if (type == sh::FftType::RFFT && d != rank - 1)
      type = sh::FftType::FFT;
    if (type == sh::FftType::IRFFT && d != rank - 1)
      type = sh::FftType::IFFT;
    if (state.dims[d].empty()) {
      value = transformAlong(value, d, length, type);
      shape[d] = model.shape(1)[d];
      state.blocks[d] = shape[d];
      continue;
    }
    int64_t helper = transformHelper(state, d, mesh.atoms());
    if (helper < 0) {
      value = dividedTransform(value);
      continue;
    }
    PlacementState moved = state;
    moved.dims[helper].append(state.dims[d]);
    moved.dims[d].clear();
    moved.blocks[d] = shape[d];
    moved.blocks[helper] =
        ceilDiv(shape[helper],
                partCount(ArrayRef<uint8_t>(moved.dims[helper]), mesh.atoms()));
    StringRef reason = "a cut dimension that stablehlo.fft transforms";
    value =
        emitReshard(value, shape, state, moved, reason, op->getLoc(), mesh, b);
    value = transformAlong(value, d, length, type);
    value =
        emitReshard(value, shape, moved, state, reason, op->getLoc(), mesh, b);
  }
  return {value};
}
