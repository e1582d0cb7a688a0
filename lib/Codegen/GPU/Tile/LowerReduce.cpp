// Reductions and scans: within a thread, between lanes, between warps.

#include "TileLowering.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

namespace {
/// A bit of the layout that moves along the reduced axis.
struct AxisBit {
  StringRef in;
  unsigned bit;
  int64_t basis;
};

/// Elements of all operands at one place.
using Element = Registers;

class AxisCombiner {
public:
  AxisCombiner(Lowering &l, LayoutAttr layout, unsigned axis,
               llvm::Function *body)
      : l(l), ir(l.ir), layout(layout), axis(axis), body(body) {
    const LinearLayout &map = layout.getMap();
    std::string out = tensorDimName(axis);
    for (StringRef in : {StringRef(kRegister), StringRef(kLane), StringRef(kWarp)})
      for (unsigned bit = 0; bit < map.inBits(in); ++bit)
        if (int64_t basis = map.basisOut(in, bit, out))
          bits.push_back({in, bit, basis});
  }

  Element combine(const Element &a, const Element &b) {
    SmallVector<llvm::Value *> arguments(a);
    arguments.append(b.begin(), b.end());
    return l.callBody(body, arguments);
  }
  Element select(llvm::Value *condition, const Element &a, const Element &b) {
    Element result;
    for (auto [x, y] : llvm::zip_equal(a, b))
      result.push_back(ir.CreateSelect(condition, x, y));
    return result;
  }
  /// i1: bit `bit` of the lane or warp number is set.
  llvm::Value *isSet(StringRef in, unsigned bit) {
    llvm::Value *number = in == kLane ? l.lane() : l.warp();
    return ir.CreateICmpNE(ir.CreateAnd(number, l.i32(1 << bit)), l.i32(0));
  }
  static bool sameBasis(const LinearLayout &map, StringRef a, unsigned bitA,
                        StringRef b, unsigned bitB) {
    return map.basis(a, bitA) == map.basis(b, bitB);
  }

  Lowering &l;
  IRBuilder &ir;
  LayoutAttr layout;
  unsigned axis;
  llvm::Function *body;
  SmallVector<AxisBit> bits;
};
} // namespace

/// Bases along the axis must be independent single bits that move nothing
/// else: what the layouts of strategies and mma fragments have.
static LogicalResult checkAxis(Operation *op, const AxisCombiner &c) {
  const LinearLayout &map = c.layout.getMap();
  int64_t seen = 0;
  for (const AxisBit &bit : c.bits) {
    SmallVector<int64_t> basis = map.basis(bit.in, bit.bit);
    bool single = llvm::isPowerOf2_64(bit.basis) && !(seen & bit.basis);
    for (auto [d, value] : llvm::enumerate(basis))
      single &= d == c.axis || value == 0;
    if (!single)
      return op->emitOpError() << "along an axis whose layout is mixed: convert "
                                  "the layout before";
    seen |= bit.basis;
  }
  return success();
}

/// Bytes and offset of each operand's part in scratch.
static SmallVector<int64_t> scratchParts(ValueRange inputs, int64_t elements,
                                         int64_t &total) {
  SmallVector<int64_t> offsets;
  total = 0;
  for (Value input : inputs) {
    int64_t bytes = tile::getElementBytes(
        cast<RankedTensorType>(input.getType()).getElementType());
    total = llvm::alignTo(total, 8);
    offsets.push_back(total);
    total += bytes * elements;
  }
  return offsets;
}

/// i1 and narrow integers lie in whole bytes.
static void storeShared(Lowering &l, llvm::Value *value, llvm::Value *offset,
                        int64_t bytes) {
  IRBuilder &ir = l.ir;
  if (value->getType()->isIntegerTy() &&
      value->getType()->getIntegerBitWidth() < 8)
    value = ir.CreateZExt(value, ir.getInt8Ty());
  ir.CreateAlignedStore(value, l.sharedPointer(offset), llvm::Align(bytes));
}
static llvm::Value *loadShared(Lowering &l, llvm::Type *type,
                               llvm::Value *offset, int64_t bytes) {
  IRBuilder &ir = l.ir;
  bool narrow = type->isIntegerTy() && type->getIntegerBitWidth() < 8;
  llvm::Value *value =
      ir.CreateAlignedLoad(narrow ? ir.getInt8Ty() : type,
                           l.sharedPointer(offset), llvm::Align(bytes));
  return narrow ? ir.CreateTrunc(value, type) : value;
}

LogicalResult tile::lowerReduce(Lowering &l, ReduceOp op) {
  LayoutAttr layout = tile::getLayout(op.getInputs()[0]);
  LayoutAttr resultLayout = tile::getLayout(op.getResult(0));
  llvm::Function *body = l.body(op.getBody());
  if (!body)
    return failure();
  AxisCombiner c(l, layout, op.getAxis(), body);
  if (failed(checkAxis(op, c)))
    return failure();
  IRBuilder &ir = l.ir;
  const LinearLayout &map = layout.getMap();

  // Registers that differ in the reduced axis only form a group.
  unsigned count = layout.getNumRegisters(), axisMask = 0;
  for (const AxisBit &bit : c.bits)
    if (bit.in == kRegister)
      axisMask |= 1u << bit.bit;
  std::map<unsigned, Element> values;
  for (unsigned reg = 0; reg < count; ++reg)
    for (Value input : op.getInputs())
      values[reg].push_back(l.registers(input)[reg]);

  // In order: from the axis' least significant bit up. Otherwise registers
  // first, which saves shuffles.
  SmallVector<AxisBit> order(c.bits);
  if (op.getOrdered())
    llvm::sort(order, [](const AxisBit &a, const AxisBit &b) {
      return a.basis < b.basis;
    });
  SmallVector<AxisBit> warpBits;
  int64_t highestWarp = 0;
  for (const AxisBit &bit : order)
    if (bit.in == kWarp) {
      warpBits.push_back(bit);
      highestWarp = std::max(highestWarp, bit.basis);
    }
  bool warpsDone = warpBits.empty();

  auto exchangeWarps = [&]() -> LogicalResult {
    warpsDone = true;
    // Lane bits that hold copies need not write; all that hold parts do. The
    // place: warp, register, lane.
    int64_t warps = l.func.getLaunch().getWarps();
    int64_t slots = values.size() * 32;
    int64_t total;
    SmallVector<int64_t> parts =
        scratchParts(op.getInputs(), warps * slots, total);
    // Where every lane holds the same, one lane writes for all.
    bool lanesDiffer = false;
    for (unsigned bit = 0; bit < map.inBits(kLane); ++bit)
      for (int64_t d = 0, rank = map.outs().size(); d < rank; ++d)
        if (uint64_t(d) != op.getAxis())
          lanesDiffer |= map.basisOut(kLane, bit, tensorDimName(d)) != 0;
    if (op.getOrdered())
      lanesDiffer = true;
    int64_t scratch = l.beginScratch(total);
    auto offsetOf = [&](llvm::Value *warp, unsigned slot, int64_t part,
                        int64_t bytes) {
      llvm::Value *index = ir.CreateAdd(
          ir.CreateMul(warp, l.i32(slots)), l.i32(slot * 32));
      if (lanesDiffer)
        index = ir.CreateAdd(index, l.lane());
      return ir.CreateAdd(ir.CreateMul(index, l.i32(bytes)),
                          l.i32(scratch + part));
    };
    auto bytesOf = [&](unsigned i) {
      return tile::getElementBytes(
          cast<RankedTensorType>(op.getInputs()[i].getType()).getElementType());
    };
    llvm::Value *writes =
        lanesDiffer ? nullptr : ir.CreateICmpEQ(l.lane(), l.i32(0));
    l.ifThen(writes, [&] {
      unsigned slot = 0;
      for (auto &[reg, element] : values) {
        for (auto [i, value] : llvm::enumerate(element))
          storeShared(l, value, offsetOf(l.warp(), slot, parts[i], bytesOf(i)),
                      bytesOf(i));
        ++slot;
      }
    });
    l.barrier();
    unsigned warpMask = 0;
    for (const AxisBit &bit : warpBits)
      warpMask |= 1u << bit.bit;
    llvm::Value *others = ir.CreateAnd(l.warp(), l.i32(~warpMask & 31));
    unsigned slot = 0;
    for (auto &[reg, element] : values) {
      Element sum;
      // In the order of the axis: bit k of the loop is the k-th lowest basis.
      SmallVector<AxisBit> sorted(warpBits);
      llvm::sort(sorted, [](const AxisBit &a, const AxisBit &b) {
        return a.basis < b.basis;
      });
      for (unsigned step = 0; step < 1u << sorted.size(); ++step) {
        unsigned warp = 0;
        for (auto [k, bit] : llvm::enumerate(sorted))
          if (step >> k & 1)
            warp |= 1u << bit.bit;
        llvm::Value *from = ir.CreateOr(others, l.i32(warp));
        Element next;
        for (auto [i, value] : llvm::enumerate(element))
          next.push_back(
              loadShared(l, value->getType(),
                         offsetOf(from, slot, parts[i], bytesOf(i)), bytesOf(i)));
        sum = step == 0 ? next : c.combine(sum, next);
      }
      element = sum;
      ++slot;
    }
    return success();
  };

  for (const AxisBit &bit : order) {
    if (bit.in == kRegister) {
      std::map<unsigned, Element> next;
      for (auto &[reg, element] : values)
        if (!(reg >> bit.bit & 1))
          next[reg] = c.combine(element, values[reg | 1u << bit.bit]);
      values = std::move(next);
    } else if (bit.in == kLane) {
      for (auto &[reg, element] : values) {
        Element other;
        for (llvm::Value *value : element)
          other.push_back(l.shuffleXor(value, 1u << bit.bit));
        if (!op.getOrdered()) {
          element = c.combine(element, other);
          continue;
        }
        llvm::Value *upper = c.isSet(kLane, bit.bit);
        element = c.combine(c.select(upper, other, element),
                            c.select(upper, element, other));
      }
    } else if (!warpsDone) {
      // Warps meet once, in the place of their lowest bit; in order this needs
      // their bits to be neighbours.
      if (op.getOrdered())
        for (const AxisBit &other : order)
          if (other.in != kWarp && other.basis > bit.basis &&
              other.basis < highestWarp)
            return op.emitOpError()
                   << "in order, along an axis where warps are interleaved with "
                      "lanes or registers: convert the layout before";
      if (failed(exchangeWarps()))
        return failure();
    }
  }

  // What is left are the result's registers, once copies are left out.
  SmallVector<unsigned> keptBits;
  for (unsigned bit = 0; bit < map.inBits(kRegister); ++bit)
    if (!(axisMask >> bit & 1) &&
        llvm::any_of(map.basis(kRegister, bit), [](int64_t v) { return v; }))
      keptBits.push_back(bit);
  if (int64_t(1) << keptBits.size() != resultLayout.getNumRegisters())
    return op.emitOpError() << "has an unexpected result layout";
  SmallVector<Registers> results(op.getNumResults());
  for (unsigned reg = 0; reg < 1u << keptBits.size(); ++reg) {
    unsigned source = 0;
    for (auto [i, bit] : llvm::enumerate(keptBits))
      if (reg >> i & 1)
        source |= 1u << bit;
    for (auto [list, value] : llvm::zip_equal(results, values[source]))
      list.push_back(value);
  }
  for (auto [result, list] : llvm::zip_equal(op.getResults(), results))
    l.setRegisters(result, std::move(list));
  return success();
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

LogicalResult tile::lowerScan(Lowering &l, ScanOp op) {
  LayoutAttr layout = tile::getLayout(op.getInputs()[0]);
  llvm::Function *body = l.body(op.getBody());
  if (!body)
    return failure();
  AxisCombiner c(l, layout, op.getAxis(), body);
  if (failed(checkAxis(op, c)))
    return failure();
  IRBuilder &ir = l.ir;
  unsigned count = layout.getNumRegisters();
  std::vector<Element> values(count);
  for (unsigned reg = 0; reg < count; ++reg)
    for (Value input : op.getInputs())
      values[reg].push_back(l.registers(input)[reg]);
  SmallVector<AxisBit> order(c.bits);
  llvm::sort(order, [](const AxisBit &a, const AxisBit &b) {
    return a.basis < b.basis;
  });
  const LinearLayout &map = layout.getMap();
  bool reverse = op.getReverse();

  // From the lowest bit up: a segment of 2^k neighbours has its scan; two
  // segments become one by combining the earlier one's total into the later.
  // The total is the scan's value at the segment's end: index bits below k all
  // set (cleared in reverse).
  SmallVector<AxisBit> below;
  auto combineInto = [&](Element &value, const Element &total,
                         llvm::Value *later) {
    Element sum = c.combine(total, value);
    value = later ? c.select(later, sum, value) : sum;
  };
  for (const AxisBit &bit : order) {
    // Where a segment's total lies: registers, lanes, warps at the end.
    unsigned endReg = 0, regMask = 0, endLane = 0, laneMask = 0, endWarp = 0,
             warpMask = 0;
    for (const AxisBit &low : below) {
      unsigned one = 1u << low.bit;
      (low.in == kRegister ? regMask : low.in == kLane ? laneMask : warpMask) |=
          one;
      if (!reverse)
        (low.in == kRegister ? endReg : low.in == kLane ? endLane : endWarp) |=
            one;
    }
    unsigned self = 1u << bit.bit;
    bool fromWarps = warpMask != 0 || bit.in == kWarp;
    if (fromWarps) {
      // Totals through shared memory: one slot per (register group, thread).
      int64_t warps = l.func.getLaunch().getWarps(), total;
      SmallVector<unsigned> groups;
      for (unsigned reg = 0; reg < count; ++reg)
        if ((reg & regMask) == endReg)
          groups.push_back(reg);
      SmallVector<int64_t> parts =
          scratchParts(op.getInputs(), groups.size() * warps * 32, total);
      int64_t scratch = l.beginScratch(total);
      auto bytesOf = [&](unsigned i) {
        return tile::getElementBytes(
            cast<RankedTensorType>(op.getInputs()[i].getType())
                .getElementType());
      };
      auto offsetOf = [&](unsigned group, llvm::Value *thread, unsigned i) {
        llvm::Value *index =
            ir.CreateAdd(thread, l.i32(group * warps * 32));
        return ir.CreateAdd(ir.CreateMul(index, l.i32(bytesOf(i))),
                            l.i32(scratch + parts[i]));
      };
      for (auto [g, reg] : llvm::enumerate(groups))
        for (unsigned i = 0; i < values[reg].size(); ++i)
          storeShared(l, values[reg][i], offsetOf(g, l.threadId(), i),
                      bytesOf(i));
      l.barrier();
      unsigned threadMask = laneMask | warpMask << 5;
      unsigned threadEnd = endLane | endWarp << 5;
      std::vector<Element> next = values;
      for (unsigned reg = 0; reg < count; ++reg) {
        unsigned groupReg = (reg & ~regMask) | endReg;
        llvm::Value *thread = ir.CreateOr(
            ir.CreateAnd(l.threadId(), l.i32(~threadMask)), l.i32(threadEnd));
        llvm::Value *later = nullptr;
        if (bit.in == kRegister) {
          bool isLater = bool(reg & self) != reverse;
          if (!isLater)
            continue;
          groupReg ^= self;
        } else {
          unsigned shifted = bit.in == kLane ? self : self << 5;
          llvm::Value *set = ir.CreateICmpNE(
              ir.CreateAnd(l.threadId(), l.i32(shifted)), l.i32(0));
          later = reverse ? ir.CreateNot(set) : set;
          thread = ir.CreateXor(thread, l.i32(shifted));
        }
        unsigned g = llvm::find(groups, groupReg) - groups.begin();
        Element totals;
        for (unsigned i = 0; i < values[reg].size(); ++i)
          totals.push_back(loadShared(l, values[reg][i]->getType(),
                                      offsetOf(g, thread, i), bytesOf(i)));
        combineInto(next[reg], totals, later);
      }
      values = std::move(next);
    } else if (bit.in == kLane || laneMask) {
      std::vector<Element> next = values;
      std::map<unsigned, Element> fetched;
      for (unsigned reg = 0; reg < count; ++reg) {
        unsigned groupReg = (reg & ~regMask) | endReg;
        llvm::Value *later = nullptr;
        unsigned flip = 0;
        if (bit.in == kRegister) {
          if (bool(reg & self) == reverse)
            continue;
          groupReg ^= self;
        } else {
          flip = self;
          llvm::Value *set = c.isSet(kLane, bit.bit);
          later = reverse ? ir.CreateNot(set) : set;
        }
        Element &totals = fetched[groupReg];
        if (totals.empty()) {
          llvm::Value *from = ir.CreateXor(
              ir.CreateOr(ir.CreateAnd(l.lane(), l.i32(~laneMask & 31)),
                          l.i32(endLane)),
              l.i32(flip));
          for (llvm::Value *value : values[groupReg])
            totals.push_back(l.shuffleIndex(value, from));
        }
        combineInto(next[reg], totals, later);
      }
      values = std::move(next);
    } else {
      std::vector<Element> next = values;
      for (unsigned reg = 0; reg < count; ++reg)
        if (bool(reg & self) != reverse)
          combineInto(next[reg], values[((reg & ~regMask) | endReg) ^ self],
                      nullptr);
      values = std::move(next);
    }
    below.push_back(bit);
  }
  (void)map;
  for (unsigned i = 0; i < op.getNumResults(); ++i) {
    Registers list;
    for (unsigned reg = 0; reg < count; ++reg)
      list.push_back(values[reg][i]);
    l.setRegisters(op.getResult(i), std::move(list));
  }
  return success();
}
