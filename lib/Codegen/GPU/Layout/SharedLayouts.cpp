//===- SharedLayouts.cpp - Swizzles, bank conflicts, ldmatrix -------------===//

#include "shoal/Codegen/GPU/SharedLayouts.h"
#include "shoal/Codegen/GPU/TileLayouts.h"

#include "F2.h"

#include "llvm/ADT/SmallSet.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <map>
#include <set>

using namespace llvm;

namespace shoal {

/// Bytes that shared memory delivers in one wavefront, and per bank.
static constexpr unsigned kWavefrontBytes = 128, kBankBytes = 4;

/// A layout from offset bits to flattened (row-major) tensor indices.
static LinearLayout fromOffsetColumns(ArrayRef<uint64_t> columns,
                                      ArrayRef<int64_t> shape) {
  LinearLayout::Bases bases(1);
  bases[0].first = kOffset.str();
  std::vector<std::pair<std::string, int64_t>> outs;
  for (auto [i, size] : enumerate(shape))
    outs.push_back({tensorDimName(i), size});
  for (uint64_t column : columns) {
    std::vector<int64_t> coordinates(shape.size());
    for (unsigned i = shape.size(); i-- > 0;) {
      coordinates[i] = column & (shape[i] - 1);
      column /= shape[i];
    }
    bases[0].second.push_back(coordinates);
  }
  return *LinearLayout::create(bases, outs);
}

LinearLayout plainSharedLayout(ArrayRef<int64_t> shape,
                               ArrayRef<unsigned> order) {
  LinearLayout result;
  for (unsigned i = 0; i < shape.size(); ++i)
    result = result * LinearLayout::identity1D(1, kOffset, tensorDimName(i));
  for (unsigned d : order)
    result =
        result * LinearLayout::identity1D(shape[d], kOffset, tensorDimName(d));
  return result;
}

LinearLayout swizzledSharedLayout(ArrayRef<int64_t> shape,
                                  ArrayRef<unsigned> order,
                                  unsigned elementBits) {
  LinearLayout plain = plainSharedLayout(shape, order);
  int64_t piece = std::max<int64_t>(1, 128 / elementBits);
  if (shape.size() < 2 || shape[order[0]] <= piece)
    return plain;
  int64_t rowPieces = shape[order[0]] / piece;
  int64_t pieces = std::min<int64_t>(rowPieces, 8);
  int64_t rowsPerLine = 8 / pieces;

  LinearLayout::Bases bases{{kOffset.str(), {}}};
  for (unsigned b = 0; b < plain.totalInBits(); ++b) {
    SmallVector<int64_t> coordinates = plain.basis(kOffset, b);
    if (int64_t row = coordinates[order[1]])
      coordinates[order[0]] = (row / rowsPerLine) % pieces * piece;
    bases[0].second.push_back({coordinates.begin(), coordinates.end()});
  }
  std::vector<std::pair<std::string, int64_t>> outs;
  for (const LinearLayout::Dim &dim : plain.outs())
    outs.push_back({dim.name, dim.size()});
  return *LinearLayout::create(bases, outs);
}

//===----------------------------------------------------------------------===//
// Layouts without conflicts by construction
//===----------------------------------------------------------------------===//

/// Vectors that complete `inside` to the span of `whole`.
static SmallVector<uint64_t> complete(ArrayRef<uint64_t> inside,
                                      ArrayRef<uint64_t> whole) {
  f2::Span span(inside);
  SmallVector<uint64_t> result;
  for (uint64_t vector : whole)
    if (span.add(vector))
      result.push_back(vector);
  return result;
}

/// A basis of the intersection of two spans.
static SmallVector<uint64_t> intersect(ArrayRef<uint64_t> a,
                                       ArrayRef<uint64_t> b) {
  SmallVector<uint64_t> basisA = complete({}, a), basisB = complete({}, b);
  SmallVector<uint64_t> both(basisA);
  both.append(basisB);
  f2::Span span(both);
  SmallVector<uint64_t> result;
  uint64_t maskA = (uint64_t(1) << basisA.size()) - 1;
  for (uint64_t relation : span.kernel())
    result.push_back(f2::multiply(basisA, relation & maskA));
  return complete({}, result);
}

static SmallVector<uint64_t> concat(ArrayRef<uint64_t> a,
                                    ArrayRef<uint64_t> b) {
  SmallVector<uint64_t> result(a);
  result.append(b.begin(), b.end());
  return result;
}

/// Chooses which tensor bits select the bank and which the segment (the line
/// of 128 bytes). Two lanes of a wavefront conflict if they differ in the
/// segment only, so the space of segments must meet neither lanes' space
/// modulo the vector. With P and Q the spans of vector and lanes on either
/// side, I = P ∩ Q, P = I + E, Q = I + F and C a complement of P + Q, the sums
/// e_i + f_i together with C are such a space, and the largest.
static SmallVector<uint64_t> bankFreeColumns(ArrayRef<uint64_t> vector,
                                             ArrayRef<uint64_t> lanesA,
                                             ArrayRef<uint64_t> lanesB,
                                             unsigned totalBits,
                                             unsigned elementBits) {
  SmallVector<uint64_t> units;
  for (unsigned i = 0; i < totalBits; ++i)
    units.push_back(uint64_t(1) << i);

  SmallVector<uint64_t> p = complete({}, concat(vector, lanesA));
  SmallVector<uint64_t> q = complete({}, concat(vector, lanesB));
  SmallVector<uint64_t> shared = intersect(p, q);
  SmallVector<uint64_t> e = complete(shared, p), f = complete(shared, q);
  SmallVector<uint64_t> candidates = complete(concat(p, f), units);
  for (unsigned i = 0; i < std::min(e.size(), f.size()); ++i)
    candidates.push_back(e[i] ^ f[i]);

  unsigned vectorBytesBits = vector.size() + Log2_32(elementBits / 8);
  unsigned bankBits = Log2_32(kWavefrontBytes) - vectorBytesBits;
  unsigned segmentBits = totalBits > vector.size() + bankBits
                             ? totalBits - vector.size() - bankBits
                             : 0;
  if (candidates.size() > segmentBits)
    candidates.resize(segmentBits);
  // Bank bits: what is left, lanes of the first side first so that its
  // addresses are simple.
  SmallVector<uint64_t> banks =
      complete(concat(vector, candidates), concat(p, concat(q, units)));
  SmallVector<uint64_t> columns(vector);
  columns.append(banks.begin(), banks.end());
  columns.append(candidates.begin(), candidates.end());
  return columns;
}

/// Basis vectors of the lanes that share a wavefront when each accesses
/// `vectorBytes`.
static SmallVector<uint64_t> wavefrontLanes(const LinearLayout &regs,
                                            unsigned vectorBytes) {
  unsigned bits = std::min(5u, Log2_32(kWavefrontBytes / vectorBytes));
  SmallVector<uint64_t> result;
  for (unsigned b = 0; b < std::min(bits, regs.inBits(kLane)); ++b)
    result.push_back(regs.flatBasis(kLane, b));
  return result;
}

/// Storage bits of an element: whole bytes.
static unsigned storageBits(unsigned elementBits) {
  return std::max(8u, elementBits);
}

LinearLayout conversionSharedLayout(const LinearLayout &src,
                                    const LinearLayout &dst,
                                    unsigned elementBits) {
  elementBits = storageBits(elementBits);
  SmallVector<uint64_t> vector;
  unsigned most = Log2_32(std::max(1u, 128 / elementBits));
  for (unsigned b = 0; b < dst.inBits(kRegister) && vector.size() < most; ++b) {
    uint64_t basis = dst.flatBasis(kRegister, b);
    if (!basis || is_contained(vector, basis))
      continue;
    for (unsigned c = 0; c < src.inBits(kRegister); ++c)
      if (src.flatBasis(kRegister, c) == basis) {
        vector.push_back(basis);
        break;
      }
  }
  unsigned bytes = (elementBits / 8) << vector.size();
  SmallVector<uint64_t> columns = bankFreeColumns(
      vector, wavefrontLanes(src, bytes), wavefrontLanes(dst, bytes),
      src.totalOutBits(), elementBits);
  return fromOffsetColumns(columns, src.outShape());
}

LinearLayout operandSharedLayout(ArrayRef<int64_t> shape,
                                 ArrayRef<unsigned> order, unsigned elementBits,
                                 const LinearLayout &read) {
  elementBits = storageBits(elementBits);
  int64_t piece =
      std::min<int64_t>(shape[order[0]], std::max(1u, 128 / elementBits));
  LinearLayout plain = plainSharedLayout(shape, order);
  SmallVector<uint64_t> vector, copyLanes;
  unsigned pieceBits = Log2_64(piece);
  unsigned copyBits = Log2_64(kWavefrontBytes / (piece * elementBits / 8));
  for (unsigned b = 0; b < plain.totalInBits(); ++b) {
    if (b < pieceBits)
      vector.push_back(plain.flatBases()[b]);
    else if (b < pieceBits + copyBits)
      copyLanes.push_back(plain.flatBases()[b]);
  }
  unsigned bytes = vectorWidth(read, order[0], elementBits) * elementBits / 8;
  SmallVector<uint64_t> columns =
      bankFreeColumns(vector, copyLanes, wavefrontLanes(read, bytes),
                      plain.totalInBits(), elementBits);
  return fromOffsetColumns(columns, shape);
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

LinearLayout sharedOffsets(const LinearLayout &regs,
                           const LinearLayout &shared) {
  return *regs.indexIn(shared);
}

SharedAccess analyzeSharedAccess(const LinearLayout &regs,
                                 const LinearLayout &shared,
                                 unsigned elementBits) {
  elementBits = storageBits(elementBits);
  LinearLayout offsets = sharedOffsets(regs, shared);
  SharedAccess result;
  result.vectorBits =
      vectorRegisterBits(offsets, 0, std::max(1u, 128 / elementBits));
  result.vector = int64_t(1) << result.vectorBits.size();

  // XORing all addresses with a constant permutes banks and lines, so that one
  // register and one warp stand for all.
  int64_t bytes = result.vector * elementBits / 8;
  int64_t lanes = offsets.inSize(kLane);
  int64_t group = std::min<int64_t>(lanes, kWavefrontBytes / bytes);
  result.wavefronts = result.idealWavefronts = 0;
  for (int64_t first = 0; first < lanes; first += group) {
    std::map<int64_t, std::set<int64_t>> wordsOfBank;
    std::set<int64_t> words;
    for (int64_t lane = first; lane < first + group; ++lane) {
      int64_t address = offsets.apply({{kLane, lane}})[0] * elementBits / 8;
      for (int64_t a = address / kBankBytes * kBankBytes; a < address + bytes;
           a += kBankBytes) {
        int64_t word = a / kBankBytes;
        words.insert(word);
        wordsOfBank[word % (kWavefrontBytes / kBankBytes)].insert(word);
      }
    }
    size_t most = 1;
    for (auto &[bank, set] : wordsOfBank)
      most = std::max(most, set.size());
    result.wavefronts += most;
    result.idealWavefronts +=
        divideCeil(words.size() * kBankBytes, kWavefrontBytes);
  }
  return result;
}

std::optional<MatrixAccess> matchMatrixAccess(const LinearLayout &regs,
                                              const LinearLayout &shared,
                                              unsigned elementBits) {
  if (elementBits != 8 && elementBits != 16 && elementBits != 32)
    return std::nullopt;
  LinearLayout offsets = sharedOffsets(regs, shared);
  unsigned packed = Log2_32(32 / elementBits);
  unsigned registers = offsets.inBits(kRegister);

  /// Bases, as the hardware sees them: which bits walk within a row of 16
  /// bytes, and which choose one of the eight rows.
  for (bool trans : {false, true}) {
    if (trans && elementBits != 16)
      continue;
    MatrixAccess result;
    result.trans = trans;
    SmallVector<uint64_t> within, rows;
    bool ok = registers >= packed;
    for (unsigned i = 0; ok && i < packed; ++i) {
      // The packed elements: consecutive in the row, or (trans) the lowest
      // register bit.
      unsigned bit = i;
      result.packedBits.push_back(bit);
      (trans ? rows : within).push_back(offsets.flatBasis(kRegister, bit));
    }
    for (unsigned b = 0; b < 5; ++b)
      (b < 2 == !trans ? within : rows).push_back(offsets.flatBasis(kLane, b));
    for (auto [i, basis] : enumerate(within))
      ok &= basis == uint64_t(1) << i;
    uint64_t rowMask = (uint64_t(1) << within.size()) - 1;
    auto aligned = [&](uint64_t basis) { return (basis & rowMask) == 0; };
    ok = ok && all_of(rows, aligned);
    for (unsigned b = packed; ok && b < registers; ++b)
      ok &= aligned(offsets.flatBasis(kRegister, b));
    for (StringRef in : {StringRef(kWarp), StringRef(kBlock)})
      for (unsigned b = 0; ok && b < offsets.inBits(in); ++b)
        ok &= aligned(offsets.flatBasis(in, b));
    if (!ok)
      continue;

    for (unsigned b = packed; b < registers; ++b)
      (result.matrixBits.size() < 2 ? result.matrixBits
                                    : result.instructionBits)
          .push_back(b);
    result.count = 1u << result.matrixBits.size();

    LinearLayout::Bases bases;
    auto vectorOf = [](uint64_t offset) {
      return std::vector<int64_t>{int64_t(offset)};
    };
    bases.push_back({kRegister.str(), {}});
    for (unsigned bit : result.instructionBits)
      bases.back().second.push_back(
          vectorOf(offsets.flatBasis(kRegister, bit)));
    bases.push_back({kLane.str(), {}});
    for (uint64_t row : rows)
      bases.back().second.push_back(vectorOf(row));
    for (unsigned i = 0; i < 2; ++i)
      bases.back().second.push_back(
          vectorOf(i < result.matrixBits.size()
                       ? offsets.flatBasis(kRegister, result.matrixBits[i])
                       : 0));
    for (StringRef in : {StringRef(kWarp), StringRef(kBlock)}) {
      bases.push_back({in.str(), {}});
      for (unsigned b = 0; b < offsets.inBits(in); ++b)
        bases.back().second.push_back(vectorOf(offsets.flatBasis(in, b)));
    }
    result.address = *LinearLayout::create(
        bases, {{kOffset.str(), offsets.outSize(kOffset)}});
    return result;
  }
  return std::nullopt;
}

} // namespace shoal
