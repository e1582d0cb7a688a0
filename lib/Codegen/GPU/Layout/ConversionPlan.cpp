//===- ConversionPlan.cpp - How to change a register layout ---------------===//
//
// Reads everything off one linear map: for a register and lane of the result,
// where the operand holds that element. If warps keep their elements and the
// map can be made a bijection of (register, lane), it factors into a select of
// registers by the sender's lane, one shuffle per register, and a select by
// the receiver's lane.
//
//===----------------------------------------------------------------------===//

#include "shoal/Codegen/GPU/SharedLayouts.h"

#include "F2.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace llvm;

namespace shoal {

static constexpr unsigned kLaneBits = 5;

/// The flattened basis of a bit of `layout`, in the numbering of `like`.
static SmallVector<uint64_t> basesOf(const LinearLayout &layout, StringRef in) {
  SmallVector<uint64_t> result;
  for (unsigned b = 0; b < layout.inBits(in); ++b)
    result.push_back(layout.flatBasis(in, b));
  return result;
}

static bool sameBases(const LinearLayout &a, const LinearLayout &b,
                      StringRef in) {
  for (unsigned i = 0, e = std::max(a.inBits(in), b.inBits(in)); i < e; ++i)
    if (a.flatBasis(in, i) != b.flatBasis(in, i))
      return false;
  return true;
}

/// The value of the linear map `columns` at every number below 2^size.
static SmallVector<unsigned> tabulate(ArrayRef<uint64_t> columns) {
  SmallVector<unsigned> result(size_t(1) << columns.size());
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = f2::multiply(columns, i);
  return result;
}

static bool planRegisters(const LinearLayout &src, const LinearLayout &dst,
                          ConversionPlan &plan) {
  f2::Span span(basesOf(src, kRegister));
  SmallVector<uint64_t> columns;
  for (uint64_t basis : basesOf(dst, kRegister)) {
    std::optional<uint64_t> source = span.solve(basis);
    if (!source)
      return false;
    columns.push_back(*source);
  }
  plan.sources = tabulate(columns);
  plan.kind = ConversionPlan::Kind::Registers;
  plan.cost = 0;
  return true;
}

namespace {
/// A register dimension without bits that map to 0.
struct PackedRegisters {
  SmallVector<uint64_t> bases;
  SmallVector<unsigned> positions; // of the bits that are kept

  explicit PackedRegisters(const LinearLayout &layout) {
    for (auto [i, basis] : enumerate(basesOf(layout, kRegister)))
      if (basis) {
        bases.push_back(basis);
        positions.push_back(i);
      }
  }
};
} // namespace

static bool planShuffle(const LinearLayout &src, const LinearLayout &dst,
                        ConversionPlan &plan) {
  if (src.inBits(kLane) != kLaneBits || dst.inBits(kLane) != kLaneBits)
    return false;
  PackedRegisters srcRegisters(src), dstRegisters(dst);
  auto columnsOf = [](const PackedRegisters &registers,
                      const LinearLayout &layout) {
    SmallVector<uint64_t> columns(registers.bases);
    columns.append(basesOf(layout, kLane));
    return columns;
  };
  f2::Span srcSpan(columnsOf(srcRegisters, src));
  f2::Span dstSpan(columnsOf(dstRegisters, dst));

  // Copies that the result has and the operand lacks: virtual operand
  // registers, the same as those without the bit.
  unsigned srcFree = srcSpan.kernel().size(), dstFree = dstSpan.kernel().size();
  unsigned srcReal = srcRegisters.bases.size();
  for (; srcFree < dstFree; ++srcFree)
    srcRegisters.bases.push_back(0);
  unsigned srcBits = srcRegisters.bases.size();
  unsigned dstBits = dstRegisters.bases.size();
  if (dstBits > srcBits)
    return false;
  SmallVector<uint64_t> srcColumns = columnsOf(srcRegisters, src);
  srcSpan = f2::Span(srcColumns);
  f2::Span onlyRegisters(srcRegisters.bases);

  // sourceOf[i]: where the operand holds what bit i of the result adds; the
  // numbering is registers, then lanes. Lanes first, as they may stay.
  unsigned total = srcBits + kLaneBits;
  SmallVector<uint64_t> sourceOf(total);
  f2::Span used;
  auto choose = [&](unsigned bit, uint64_t preferred) {
    if (used.add(preferred)) {
      sourceOf[bit] = preferred;
      return true;
    }
    for (uint64_t kernel : srcSpan.kernel())
      if (used.add(preferred ^ kernel)) {
        sourceOf[bit] = preferred ^ kernel;
        return true;
      }
    return false;
  };
  for (unsigned b = 0; b < kLaneBits; ++b) {
    uint64_t basis = dst.flatBasis(kLane, b);
    uint64_t lane = uint64_t(1) << (srcBits + b);
    std::optional<uint64_t> source =
        onlyRegisters.solve(basis ^ src.flatBasis(kLane, b));
    source = source ? *source ^ lane : srcSpan.solve(basis);
    if (!source || !choose(srcBits + b, *source))
      return false;
  }
  for (unsigned b = 0; b < dstBits; ++b) {
    uint64_t basis = dstRegisters.bases[b];
    std::optional<uint64_t> source = onlyRegisters.solve(basis);
    if (!source)
      source = srcSpan.solve(basis);
    if (!source || !choose(b, *source))
      return false;
  }
  // Result registers that nobody reads complete the bijection.
  unsigned next = dstBits;
  for (unsigned b = 0; b < total && next < srcBits; ++b)
    if (used.add(uint64_t(1) << b))
      sourceOf[next++] = uint64_t(1) << b;
  if (next != srcBits)
    return false;

  // sourceOf = [[Sr, Sl], [Tr, Tl]] from (result register, lane) to (operand
  // register, lane).
  uint64_t registerMask = (uint64_t(1) << srcBits) - 1;
  SmallVector<uint64_t> sr, sl, tr, tl;
  for (unsigned b = 0; b < total; ++b) {
    (b < srcBits ? sr : sl).push_back(sourceOf[b] & registerMask);
    (b < srcBits ? tr : tl).push_back(sourceOf[b] >> srcBits);
  }

  // Lane l receives result register r ^ rho(l) in round r, where rho makes the
  // sender's lane M·l = Tl·l + Tr·rho(l) a bijection.
  f2::Span lanes(tl);
  uint64_t pivots = lanes.pivotMask();
  SmallVector<uint64_t> rho(kLaneBits, 0), m(tl);
  unsigned candidate = 0;
  for (unsigned b = 0; b < kLaneBits; ++b) {
    if (pivots >> b & 1)
      continue;
    while (candidate < srcBits && !lanes.add(tr[candidate]))
      ++candidate;
    if (candidate == srcBits)
      return false;
    rho[b] = uint64_t(1) << candidate;
    m[b] ^= tr[candidate++];
  }
  f2::Span mSpan(m);
  SmallVector<uint64_t> g; // operand register of lane l's round 0
  for (unsigned b = 0; b < kLaneBits; ++b)
    g.push_back(f2::multiply(sr, rho[b]) ^ sl[b]);
  auto sendOf = [&](uint64_t lane) {
    return f2::multiply(g, *mSpan.solve(lane));
  };

  plan.kind = ConversionPlan::Kind::Shuffle;
  size_t count = size_t(1) << srcBits;
  plan.cost = 0;
  plan.lanesMove = false;
  for (unsigned b = 0; b < kLaneBits; ++b) {
    plan.laneFrom[b] = m[b];
    plan.sendXor[b] = sendOf(uint64_t(1) << b);
    plan.receiveXor[b] = rho[b];
    plan.lanesMove |= m[b] != uint64_t(1) << b;
    plan.cost += (plan.sendXor[b] ? count : 0) + (rho[b] ? count : 0);
  }
  for (size_t r = 0; r < count; ++r) {
    uint64_t lane = f2::multiply(tr, r);
    plan.roundLane.push_back(lane);
    plan.sendRegister.push_back(f2::multiply(sr, r) ^ sendOf(lane));
    plan.lanesMove |= lane != 0;
    // Packed operand register r in the operand's own numbering.
    unsigned original = 0;
    for (unsigned b = 0; b < srcReal; ++b)
      original |= (r >> b & 1) << srcRegisters.positions[b];
    plan.sendOrder.push_back(original);
  }
  plan.cost += plan.lanesMove ? 2 * count : 0;
  // Result registers in their own numbering to the packed one.
  for (size_t r = 0, e = size_t(1) << dst.inBits(kRegister); r < e; ++r) {
    unsigned packed = 0;
    for (unsigned b = 0; b < dstBits; ++b)
      packed |= (r >> dstRegisters.positions[b] & 1) << b;
    plan.receiveOrder.push_back(packed);
  }
  return true;
}

static ConversionPlan planShared(const LinearLayout &src,
                                 const LinearLayout &dst,
                                 unsigned elementBits) {
  ConversionPlan plan;
  plan.kind = ConversionPlan::Kind::Shared;
  plan.shared = conversionSharedLayout(src, dst, elementBits);
  plan.store = analyzeSharedAccess(src, plan.shared, elementBits);
  plan.load = analyzeSharedAccess(dst, plan.shared, elementBits);
  plan.sharedBytes =
      (int64_t(1) << src.totalOutBits()) * std::max(8u, elementBits) / 8;
  // A barrier before and one after; an access costs its wavefronts.
  plan.cost =
      40 +
      src.inSize(kRegister) / plan.store.vector * (1 + plan.store.wavefronts) +
      dst.inSize(kRegister) / plan.load.vector * (1 + plan.load.wavefronts);
  return plan;
}

std::optional<ConversionPlan> planConversion(const LinearLayout &src,
                                             const LinearLayout &dst,
                                             unsigned elementBits) {
  if (src.outs() != dst.outs() || !src.isSurjective() || !dst.isSurjective() ||
      !sameBases(src, dst, kBlock))
    return std::nullopt;

  ConversionPlan plan;
  bool sameWarps = sameBases(src, dst, kWarp);
  if (sameWarps && sameBases(src, dst, kLane)) {
    if (src.inBits(kRegister) == dst.inBits(kRegister) &&
        sameBases(src, dst, kRegister))
      return plan;
    if (planRegisters(src, dst, plan))
      return plan;
  }
  ConversionPlan shared = planShared(src, dst, elementBits);
  if (sameWarps && planShuffle(src, dst, plan) && plan.cost <= shared.cost)
    return plan;
  return shared;
}

} // namespace shoal
