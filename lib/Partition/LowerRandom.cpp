// rng_bit_generator with its result cut: each device computes the counters of
// its own elements and makes just those, so that the numbers are the same in
// every sharding and nothing is sent. The layout of counters over a tensor is
// that of runtime/support/Random.cpp.

#include "Partitioner.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {
/// Words of 32 and 64 bits, for all elements of a shape.
class Words {
public:
  Words(ArrayRef<int64_t> shape, LocalBuilder &b)
      : shape(shape), b(b), u32(b.getIntegerType(32, false)),
        u64(b.getIntegerType(64, false)) {}

  Value all(Value scalar) { return b.broadcast(scalar, shape); }
  Value number(Type type, uint64_t value) {
    return b.splat(
        shape, type,
        IntegerAttr::get(type, APInt(type.getIntOrFloatBitWidth(), value)));
  }
  Value low(Value x) { // Of a ui64, as ui32.
    return b.convert(
        sh::AndOp::create(b, b.loc(), x.getType(), x, like(x, 0xffffffffu)),
        u32);
  }
  Value high(Value x) {
    return b.convert(shift<sh::ShiftRightLogicalOp>(x, 32), u32);
  }
  Value join(Value low, Value high) {
    Value up = shift<sh::ShiftLeftOp>(b.convert(high, u64), 32);
    return sh::OrOp::create(b, b.loc(), up.getType(), b.convert(low, u64), up);
  }
  Value bitXor(Value x, Value y) {
    return sh::XorOp::create(b, b.loc(), x.getType(), x, y);
  }
  Value rotate(Value x, unsigned by) {
    Value left = shift<sh::ShiftLeftOp>(x, by);
    Value right = shift<sh::ShiftRightLogicalOp>(x, 32 - by);
    return sh::OrOp::create(b, b.loc(), x.getType(), left, right);
  }
  template <typename Op>
  Value shift(Value x, unsigned by) {
    return Op::create(b, b.loc(), x.getType(), x, like(x, by));
  }
  Value like(Value x, uint64_t value) {
    auto type = typeOf(x);
    Type element = type.getElementType();
    return b.splat(type.getShape(), element,
                   IntegerAttr::get(
                       element, APInt(element.getIntOrFloatBitWidth(), value)));
  }

  SmallVector<Value> threeFry(Value key, Value counter) {
    static constexpr unsigned rotations[2][4] = {{13, 15, 26, 6},
                                                 {17, 29, 16, 24}};
    Value k0 = low(key), k1 = high(key);
    Value k2 = bitXor(bitXor(k0, k1), like(k0, 0x1bd11bdau));
    Value keys[3] = {all(k0), all(k1), all(k2)};
    Value x0 = b.add(low(counter), keys[0]);
    Value x1 = b.add(high(counter), keys[1]);
    for (unsigned round = 0; round < 5; ++round) {
      for (unsigned by : rotations[round % 2]) {
        x0 = b.add(x0, x1);
        x1 = bitXor(rotate(x1, by), x0);
      }
      x0 = b.add(x0, keys[(round + 1) % 3]);
      x1 = b.add(b.add(x1, keys[(round + 2) % 3]), like(x1, round + 1));
    }
    return {x0, x1};
  }

  SmallVector<Value> philox(Value key, Value lowCounter, Value highCounter) {
    Value k0 = low(key), k1 = high(key);
    SmallVector<Value> x = {low(lowCounter), high(lowCounter), low(highCounter),
                            high(highCounter)};
    for (int round = 0; round < 10; ++round) {
      Value p0 = b.convert(x[0], u64), p1 = b.convert(x[2], u64);
      p0 = b.mul(p0, like(p0, 0xd2511f53u));
      p1 = b.mul(p1, like(p1, 0xcd9e8d57u));
      x = {bitXor(bitXor(high(p1), x[1]), all(k0)), low(p1),
           bitXor(bitXor(high(p0), x[3]), all(k1)), low(p0)};
      k0 = b.add(k0, like(k0, 0x9e3779b9u));
      k1 = b.add(k1, like(k1, 0xbb67ae85u));
    }
    return x;
  }

  SmallVector<int64_t> shape;
  LocalBuilder &b;
  Type u32, u64;
};
} // namespace

SmallVector<Value> OpLowering::lowerRandomBits(ArrayRef<Value> operands) {
  auto random = cast<sh::RngBitGeneratorOp>(op);
  size_t result = model.numOperands() + 1;
  ArrayRef<int64_t> global = model.shape(result);
  bool isCutAnywhere = false;
  for (size_t d = 0; d < global.size(); ++d)
    isCutAnywhere |= isCut(result, d);
  if (!isCutAnywhere)
    return cloneLocal(operands);

  auto type = cast<RankedTensorType>(localResultTypes()[1]);
  auto stateType = typeOf(operands[0]);
  Words w(type.getShape(), b);
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  bool isThreeFry = random.getRngAlgorithm() == sh::RngAlgorithm::THREE_FRY;
  int64_t words = stateType.getDimSize(0);
  SmallVector<Value> state;
  Value whole = operands[0];
  if (b.elementOf(whole) != w.u64)
    whole = sh::BitcastConvertOp::create(b, b.loc(),
                                         b.tensorType({words}, w.u64), whole);
  for (int64_t i = 0; i < words; ++i)
    state.push_back(sh::ReshapeOp::create(b, b.loc(), b.tensorType({}, w.u64),
                                          b.slice(whole, 0, i, i + 1)));

  // Where each element lies, in a shape in which ThreeFry's two words of one
  // counter are neighbours along `split`.
  int64_t split = -1;
  if (isThreeFry && width < 64) {
    for (size_t d = 0; d < global.size() && split < 0; ++d)
      if (global[d] % 2 == 0)
        split = d;
    if (split < 0)
      for (size_t d = 0; d < global.size(); ++d)
        if (split < 0 || global[d] > global[split])
          split = d;
  }
  Value place, which;
  uint64_t count = 1;
  for (int64_t d = global.size() - 1; d >= 0; --d) {
    int64_t block = type.getDimSize(d);
    Value at = b.iota({block}, 0, w.u64);
    if (isCut(result, d))
      at = b.add(at,
                 b.broadcast(b.convert(offsetOf(result, d), w.u64), {block}));
    int64_t size = global[d];
    if (d == split) {
      which = b.broadcast(
          sh::AndOp::create(b, b.loc(), at.getType(), at, w.like(at, 1)),
          type.getShape(), {d});
      at = w.shift<sh::ShiftRightLogicalOp>(at, 1);
      size = (size + 1) / 2;
    }
    at = b.broadcast(b.mul(at, w.like(at, count)), type.getShape(), {d});
    place = place ? b.add(at, place) : at;
    count *= size;
  }

  auto isZero = [&](Value x) {
    return b.compare(LocalBuilder::Compare::EQ, x, w.like(x, 0));
  };
  Value bits;
  uint64_t used = count;
  if (isThreeFry) {
    SmallVector<Value> x = w.threeFry(state[0], b.add(w.all(state[1]), place));
    bits =
        width == 64 ? w.join(x[0], x[1]) : b.select(isZero(which), x[0], x[1]);
  } else {
    unsigned log = width == 64 ? 1 : 2;
    used = (count + (1 << log) - 1) >> log;
    Value lowStart = w.all(state[1]);
    Value lowCounter =
        b.add(lowStart, w.shift<sh::ShiftRightLogicalOp>(place, log));
    Value carry = b.convert(
        b.compare(LocalBuilder::Compare::LT, lowCounter, lowStart), w.u64);
    Value highCounter = b.add(w.all(words < 3 ? state[0] : state[2]), carry);
    SmallVector<Value> x = w.philox(state[0], lowCounter, highCounter);
    auto bit = [&](unsigned k) {
      return isZero(sh::AndOp::create(b, b.loc(), place.getType(), place,
                                      w.like(place, uint64_t(1) << k)));
    };
    if (width == 64) {
      bits = b.select(bit(0), w.join(x[0], x[1]), w.join(x[2], x[3]));
    } else {
      Value even = bit(0);
      bits = b.select(bit(1), b.select(even, x[0], x[1]),
                      b.select(even, x[2], x[3]));
    }
  }
  if (width < 32)
    bits = b.convert(sh::AndOp::create(b, b.loc(), bits.getType(), bits,
                                       w.like(bits, (1u << width) - 1)),
                     b.getIntegerType(width, false));
  if (b.elementOf(bits) != type.getElementType())
    bits = sh::BitcastConvertOp::create(b, b.loc(), type, bits);

  // The state after it.
  Value next = b.add(state[1], w.like(state[1], used));
  if (words > 2)
    state[2] = b.add(
        state[2],
        b.convert(b.compare(LocalBuilder::Compare::LT, next, state[1]), w.u64));
  state[1] = next;
  SmallVector<Value> pieces;
  for (Value word : state)
    pieces.push_back(b.broadcast(word, {1}));
  Value after = sh::ConcatenateOp::create(
      b, b.loc(), b.tensorType({words}, w.u64), pieces, 0);
  if (after.getType() != stateType)
    after = sh::BitcastConvertOp::create(b, b.loc(), stateType, after);
  return {after, bits};
}
