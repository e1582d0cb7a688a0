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
#include <cstdint>
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

/// Indices into a table of atoms, major to minor.
using AtomList = llvm::SmallVector<uint8_t, 4>;
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
