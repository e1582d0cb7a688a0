// Where the pieces of one tensor lie on the mesh, in plain C++.
//
// A mesh is cut into *atoms*: sub-axes such that every sharding of interest is
// a list of whole atoms. A placement lists, for each tensor dimension, the
// atoms that cut it, major to minor, and the set of atoms over which the value
// is still a partial result. Over all other atoms the value is replicated.
#ifndef SHOAL_ANALYSIS_PLACEMENT_H
#define SHOAL_ANALYSIS_PLACEMENT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace shoal {

/// One piece of a mesh axis: the sub-axis `(preSize)size` of axis `axis`.
/// A whole axis is the atom with preSize 1 and the axis' size.
struct MeshAtom {
  int axis = 0;
  int64_t preSize = 1;
  int64_t size = 1;
  bool operator==(const MeshAtom &o) const {
    return axis == o.axis && preSize == o.preSize && size == o.size;
  }
};

/// Indices into a table of atoms, major to minor. No list is longer than what a
/// mesh of 65,536 devices, the most there may be, has atoms. Placements are
/// copied by the million while reshards are planned: plain memory.
class AtomList {
public:
  static constexpr size_t kCapacity = 23;

  AtomList() = default;
  AtomList(std::initializer_list<uint8_t> list)
      : AtomList(list.begin(), list.end()) {}
  template <typename It>
  AtomList(It first, It last) {
    append(first, last);
  }

  uint8_t *begin() { return items; }
  uint8_t *end() { return items + count; }
  const uint8_t *begin() const { return items; }
  const uint8_t *end() const { return items + count; }
  size_t size() const { return count; }
  bool empty() const { return count == 0; }
  uint8_t &operator[](size_t i) { return items[i]; }
  uint8_t operator[](size_t i) const { return items[i]; }
  uint8_t back() const { return items[count - 1]; }
  operator llvm::ArrayRef<uint8_t>() const { return {items, count}; }

  void clear() { count = 0; }
  void pop_back() { --count; }
  void push_back(uint8_t atom) {
    assert(count < kCapacity && "a mesh of more devices than there may be");
    items[count++] = atom;
  }
  template <typename It>
  void append(It first, It last) {
    for (; first != last; ++first)
      push_back(*first);
  }
  void append(llvm::ArrayRef<uint8_t> list) {
    append(list.begin(), list.end());
  }
  template <typename It>
  void assign(It first, It last) {
    clear();
    append(first, last);
  }
  /// To at most as many as there are.
  void truncate(size_t size) { count = static_cast<uint8_t>(size); }

  bool operator==(const AtomList &o) const {
    return llvm::ArrayRef<uint8_t>(*this) == llvm::ArrayRef<uint8_t>(o);
  }

private:
  uint8_t items[kCapacity] = {};
  uint8_t count = 0;
};
/// A set of atoms, bit i standing for atom i; at most 64 atoms per mesh.
using AtomSet = uint64_t;

inline AtomSet atomBit(unsigned atom) { return AtomSet(1) << atom; }

struct PlacementState {
  /// Per tensor dimension, the atoms that cut it.
  llvm::SmallVector<AtomList, 5> dims;
  /// Per tensor dimension, the block b: part i holds [i*b, (i+1)*b) cut at the
  /// dimension's size. An uncut dimension has its full size here.
  llvm::SmallVector<int64_t, 5> blocks;
  /// Atoms over which the value is partial, and how partial values combine
  /// (a ReductionKind; 0 when there are none).
  AtomSet partial = 0;
  unsigned partialKind = 0;

  bool operator==(const PlacementState &o) const {
    return dims == o.dims && blocks == o.blocks && partial == o.partial &&
           (!partial || partialKind == o.partialKind);
  }
  bool operator!=(const PlacementState &o) const { return !(*this == o); }

  /// Atoms that cut some dimension.
  AtomSet cut() const {
    AtomSet set = 0;
    for (const AtomList &list : dims)
      for (uint8_t atom : list)
        set |= atomBit(atom);
    return set;
  }
  /// Atoms in use, by a dimension or by the partial set.
  AtomSet used() const { return cut() | partial; }

  /// A replicated value of the given shape.
  static PlacementState replicated(llvm::ArrayRef<int64_t> shape);
  /// A value cut as `dims` says, with default blocks ceil(n / parts).
  static PlacementState tiled(llvm::ArrayRef<int64_t> shape,
                              llvm::ArrayRef<AtomList> dims,
                              llvm::ArrayRef<MeshAtom> atoms);

  /// Puts everything into a flat key for hashing and ordering.
  void appendKey(std::vector<int64_t> &key) const;
  /// Such as "[0,1][] +{2}"; for debugging and test output.
  std::string str() const;
};

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Product of the sizes of a list of atoms.
int64_t partCount(llvm::ArrayRef<uint8_t> list, llvm::ArrayRef<MeshAtom> atoms);
/// Product of the sizes of a set of atoms.
int64_t partCount(AtomSet set, llvm::ArrayRef<MeshAtom> atoms);

/// Number of elements each device holds (blocks multiplied).
int64_t localElements(const PlacementState &state);

/// Atoms whose summands have to be reduced between the two placements.
AtomSet toReduce(const PlacementState &from, const PlacementState &to);

/// Which part of a dimension that is cut by `list` a device has, by its
/// coordinates along all atoms.
inline int64_t partIndex(const AtomList &list, llvm::ArrayRef<MeshAtom> atoms,
                         const int64_t *coordinates) {
  int64_t index = 0;
  for (uint8_t atom : list)
    index = index * atoms[atom].size + coordinates[atom];
  return index;
}

/// Calls `fn` with the coordinates along all atoms of one device for each
/// combination of those along `used`; the others are 0. (Inline, like
/// partIndex: reshards are planned with it by the million.)
template <typename Fn>
void forEachDevice(AtomSet used, llvm::ArrayRef<MeshAtom> atoms, Fn fn) {
  int64_t coordinates[64] = {};
  for (int64_t device = 0, e = partCount(used, atoms); device < e; ++device) {
    int64_t rest = device;
    for (size_t i = 0; i < atoms.size(); ++i)
      if (used & atomBit(i)) {
        coordinates[i] = rest % atoms[i].size;
        rest /= atoms[i].size;
      }
    fn(static_cast<const int64_t *>(coordinates));
  }
}

/// The common refinement of a mesh's axes by the cut points (preSize and
/// preSize * size) of sub-axes. Cut points of one axis that do not divide one
/// another cannot be refined; these are returned in `conflict` (axis indices).
class AtomTable {
public:
  AtomTable() = default;
  AtomTable(llvm::ArrayRef<int64_t> axisSizes,
            llvm::ArrayRef<MeshAtom> subAxes);

  llvm::ArrayRef<MeshAtom> atoms() const { return table; }
  llvm::ArrayRef<int64_t> conflicts() const { return conflictAxes; }
  /// Atoms of the sub-axis, major to minor; empty for a sub-axis that is not a
  /// union of atoms (or has size 1), with `ok` set accordingly.
  AtomList expand(const MeshAtom &subAxis, bool *ok = nullptr) const;
  /// Joins neighbouring atoms of one axis back into the widest sub-axes.
  llvm::SmallVector<MeshAtom, 4> join(llvm::ArrayRef<uint8_t> list) const;
  size_t size() const { return table.size(); }

private:
  std::vector<MeshAtom> table;
  std::vector<int64_t> conflictAxes;
};

} // namespace shoal

#endif // SHOAL_ANALYSIS_PLACEMENT_H
