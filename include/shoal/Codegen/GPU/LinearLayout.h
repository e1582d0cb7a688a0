//===- LinearLayout.h - Which element lies where, as a GF(2) map ----------===//
//
// A linear layout is a linear map over GF(2) between named index spaces whose
// sizes are powers of two: an input index such as (register, lane, warp,
// block) is a string of bits, and each bit that is set contributes (XORs) its
// basis vector, a coordinate tuple in the output dimensions. Register tiles of
// GPU kernels, mma fragments and swizzled shared memory are all such maps, so
// conversions, vectorization and bank conflicts become linear algebra.
//
// Order of bits when several dimensions are read as one number:
//  - input dimensions: the first is the minor one (register, lane, warp,
//    block);
//  - output dimensions: the last is the minor one (row-major tensors);
//  - an inverse reverses both lists, so that it is the inverse on flattened
//    numbers as well.
//
// Reference: "Linear Layouts: Robust Code Generation of Efficient Tensor
// Computation Using F2" (arXiv 2505.23819).
//
//===----------------------------------------------------------------------===//

#ifndef SHOAL_CODEGEN_GPU_LINEARLAYOUT_H
#define SHOAL_CODEGEN_GPU_LINEARLAYOUT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shoal {

/// Names of the input dimensions of register tiles, and of shared memory.
inline constexpr llvm::StringLiteral kRegister = "register";
inline constexpr llvm::StringLiteral kLane = "lane";
inline constexpr llvm::StringLiteral kWarp = "warp";
inline constexpr llvm::StringLiteral kBlock = "block";
inline constexpr llvm::StringLiteral kOffset = "offset";

/// The name of tensor dimension `i`: "dim0", "dim1", ….
std::string tensorDimName(unsigned i);

class LinearLayout {
public:
  struct Dim {
    std::string name;
    unsigned bits = 0; // log2 of the size

    int64_t size() const { return int64_t(1) << bits; }
    bool operator==(const Dim &other) const = default;
  };
  /// One input dimension with a coordinate tuple for each of its bits.
  using Bases =
      std::vector<std::pair<std::string, std::vector<std::vector<int64_t>>>>;

  /// The map without dimensions: neutral in products.
  LinearLayout() = default;

  /// From coordinate tuples. None if a coordinate is outside its dimension, a
  /// tuple has the wrong length, a size is no power of two, a name is used
  /// twice, or more than 63 bits are asked for.
  static std::optional<LinearLayout>
  create(const Bases &bases,
         llvm::ArrayRef<std::pair<std::string, int64_t>> outs);

  /// in -> out, i -> i, for i in [0, size).
  static LinearLayout identity1D(int64_t size, llvm::StringRef in,
                                 llvm::StringRef out);
  /// in -> out, i -> i·stride; the output dimension has size·stride values.
  static LinearLayout strided1D(int64_t size, int64_t stride,
                                llvm::StringRef in, llvm::StringRef out);
  /// in -> out, i -> 0: broadcast along `in`.
  static LinearLayout zeros1D(int64_t size, llvm::StringRef in,
                              llvm::StringRef out, int64_t outSize = 1);

  // --- Shape -------------------------------------------------------------
  llvm::ArrayRef<Dim> ins() const { return inDims; }
  llvm::ArrayRef<Dim> outs() const { return outDims; }
  bool hasIn(llvm::StringRef name) const;
  bool hasOut(llvm::StringRef name) const;
  /// log2 of the size of a dimension; 0 if there is none of this name.
  unsigned inBits(llvm::StringRef name) const;
  unsigned outBits(llvm::StringRef name) const;
  int64_t inSize(llvm::StringRef name) const {
    return int64_t(1) << inBits(name);
  }
  int64_t outSize(llvm::StringRef name) const {
    return int64_t(1) << outBits(name);
  }
  unsigned totalInBits() const;
  unsigned totalOutBits() const;
  /// Sizes of the output dimensions, in order.
  llvm::SmallVector<int64_t> outShape() const;

  // --- Values ------------------------------------------------------------
  /// The coordinate tuple that bit `bit` of input `in` contributes.
  llvm::SmallVector<int64_t> basis(llvm::StringRef in, unsigned bit) const;
  /// The same, flattened (last output dimension minor).
  uint64_t flatBasis(llvm::StringRef in, unsigned bit) const;
  /// One coordinate of that tuple.
  int64_t basisOut(llvm::StringRef in, unsigned bit, llvm::StringRef out) const;
  /// Flattened basis vectors of all input bits, first dimension minor.
  llvm::ArrayRef<uint64_t> flatBases() const { return columns; }
  /// Applies the map; inputs not named are 0. Result in the order of outs().
  llvm::SmallVector<int64_t>
  apply(llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> indices) const;
  /// Applies the map to a flattened input; the result is flattened.
  uint64_t applyFlat(uint64_t index) const;
  /// Splits a flattened output into coordinates.
  llvm::SmallVector<int64_t> unflattenOut(uint64_t value) const;

  // --- Properties --------------------------------------------------------
  unsigned rank() const;
  bool isSurjective() const { return rank() == totalOutBits(); }
  bool isInjective() const { return rank() == totalInBits(); }
  bool isInvertible() const { return isSurjective() && isInjective(); }
  bool isZero() const;
  /// Bits of each input dimension (in order of ins()) that are not pivots:
  /// the map with these bits set to 0 reaches everything it reached before.
  /// Earlier dimensions keep their bits, later ones are called free, so a
  /// value that several warps hold is stored by the one with these bits 0.
  llvm::SmallVector<std::pair<std::string, uint64_t>> freeVariableMasks() const;
  /// A basis of the inputs (flattened) that map to 0.
  llvm::SmallVector<uint64_t> kernel() const;
  /// True if both hold the same outputs at every input they share, where a
  /// dimension missing on one side must be broadcast (all zeros) on the other.
  bool equalModuloBroadcast(const LinearLayout &other) const;
  bool operator==(const LinearLayout &other) const = default;

  // --- Algebra -----------------------------------------------------------
  /// Direct sum: this layout in the low bits of every dimension of a common
  /// name, `outer` above it. Dimensions new in `outer` are appended.
  LinearLayout operator*(const LinearLayout &outer) const;
  /// x -> outer(this(x)). The outputs of this are inputs of `outer` by name
  /// and no larger there; inputs of `outer` without a source are 0.
  LinearLayout compose(const LinearLayout &outer) const;
  /// The inverse; none if there is none.
  std::optional<LinearLayout> invert() const;
  /// A right inverse: this(pseudoInvert(y)) = y for every y that is reached,
  /// with free variables 0. None if the map is not surjective.
  std::optional<LinearLayout> pseudoInvert() const;
  /// x -> the (first possible) index at which `other` holds what this layout
  /// holds at x; none if `other` does not reach it. Outputs must agree.
  std::optional<LinearLayout> indexIn(const LinearLayout &other) const;
  /// Only these inputs and outputs, in the order given.
  LinearLayout sublayout(llvm::ArrayRef<llvm::StringRef> ins,
                         llvm::ArrayRef<llvm::StringRef> outs) const;
  /// The layout q with tile * q = this, if there is one.
  std::optional<LinearLayout> divideLeft(const LinearLayout &tile) const;

  // --- Reshaping ---------------------------------------------------------
  /// All outputs as one, row-major.
  LinearLayout flattenOuts(llvm::StringRef name) const;
  /// All inputs as one, the first minor.
  LinearLayout flattenIns(llvm::StringRef name) const;
  /// Outputs split anew, row-major; the product of sizes stays.
  LinearLayout
  reshapeOuts(llvm::ArrayRef<std::pair<std::string, int64_t>> outs) const;
  /// The same outputs in another order (changes only how they flatten).
  LinearLayout transposeOuts(llvm::ArrayRef<llvm::StringRef> order) const;
  /// The same inputs in another order.
  LinearLayout transposeIns(llvm::ArrayRef<llvm::StringRef> order) const;
  LinearLayout renameIn(llvm::StringRef from, llvm::StringRef to) const;
  LinearLayout renameOut(llvm::StringRef from, llvm::StringRef to) const;
  /// An output dropped: inputs that only moved along it become broadcast.
  LinearLayout dropOut(llvm::StringRef name) const;
  /// A new output of size 1 before position `pos`.
  LinearLayout insertUnitOut(unsigned pos, llvm::StringRef name) const;
  /// An output made larger (nothing reaches the new part) or smaller (bits
  /// above are cleared, so their inputs become broadcast).
  LinearLayout resizeOut(llvm::StringRef name, int64_t size) const;
  /// An input made smaller, or larger with bits that map to 0.
  LinearLayout resizeIn(llvm::StringRef name, int64_t size) const;
  /// The bits of an input in another order: new bit i is old bit order[i].
  /// Bits left out are dropped.
  LinearLayout selectInBits(llvm::StringRef name,
                            llvm::ArrayRef<unsigned> order) const;
  /// The bits of an input that map to 0 removed (register duplicates).
  LinearLayout removeZeroBits(llvm::StringRef name) const;

  // --- Text --------------------------------------------------------------
  /// {register = [[0, 1], [0, 2]], lane = […]} -> {dim0 = 16, dim1 = 32}
  void print(llvm::raw_ostream &os) const;
  std::string str() const;
  /// Reads what print wrote; on failure `error` (if given) says why.
  static std::optional<LinearLayout> parse(llvm::StringRef text,
                                           std::string *error = nullptr);

  friend llvm::hash_code hash_value(const LinearLayout &layout);

private:
  /// Position of the lowest bit of input/output dimension `i` in a flattened
  /// number.
  unsigned inShift(unsigned i) const;
  unsigned outShift(unsigned i) const;
  int findIn(llvm::StringRef name) const;
  int findOut(llvm::StringRef name) const;
  /// This layout's flattened output moved to the dimensions `outs` (by name).
  uint64_t remapOut(uint64_t value, const LinearLayout &to) const;

  std::vector<Dim> inDims, outDims;
  /// One flattened output per input bit.
  std::vector<uint64_t> columns;
};

inline llvm::raw_ostream &operator<<(llvm::raw_ostream &os,
                                     const LinearLayout &layout) {
  layout.print(os);
  return os;
}

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_LINEARLAYOUT_H
