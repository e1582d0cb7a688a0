#include "shoal/Analysis/Placement.h"

#include <algorithm>
#include <set>

using namespace shoal;
using llvm::ArrayRef;

int64_t shoal::partCount(ArrayRef<uint8_t> list, ArrayRef<MeshAtom> atoms) {
  int64_t count = 1;
  for (uint8_t atom : list)
    count *= atoms[atom].size;
  return count;
}

int64_t shoal::partCount(AtomSet set, ArrayRef<MeshAtom> atoms) {
  int64_t count = 1;
  for (size_t i = 0; i < atoms.size(); ++i)
    if (set & atomBit(i))
      count *= atoms[i].size;
  return count;
}

int64_t shoal::localElements(const PlacementState &state) {
  int64_t count = 1;
  for (int64_t block : state.blocks)
    count *= block;
  return count;
}

AtomSet shoal::toReduce(const PlacementState &from, const PlacementState &to) {
  return from.partialKind == to.partialKind ? from.partial & ~to.partial
                                            : from.partial;
}

PlacementState PlacementState::replicated(ArrayRef<int64_t> shape) {
  PlacementState state;
  state.dims.resize(shape.size());
  state.blocks.assign(shape.begin(), shape.end());
  return state;
}

PlacementState PlacementState::tiled(ArrayRef<int64_t> shape,
                                     ArrayRef<AtomList> dims,
                                     ArrayRef<MeshAtom> atoms) {
  PlacementState state = replicated(shape);
  for (size_t d = 0; d < dims.size(); ++d) {
    state.dims[d] = dims[d];
    state.blocks[d] = ceilDiv(shape[d], partCount(dims[d], atoms));
  }
  return state;
}

void PlacementState::appendKey(std::vector<int64_t> &key) const {
  for (size_t d = 0; d < dims.size(); ++d) {
    int64_t packed = 1;
    for (uint8_t atom : dims[d])
      packed = packed * 65 + atom + 1;
    key.push_back(packed);
    key.push_back(blocks[d]);
  }
  key.push_back(static_cast<int64_t>(partial));
  key.push_back(partial ? partialKind : 0);
}

std::string PlacementState::str() const {
  std::string text;
  for (size_t d = 0; d < dims.size(); ++d) {
    text += "[";
    for (size_t i = 0; i < dims[d].size(); ++i)
      text += (i ? "," : "") + std::to_string(dims[d][i]);
    text += "]";
  }
  if (partial) {
    text += " partial{";
    for (unsigned i = 0; i < 64; ++i)
      if (partial & atomBit(i))
        text += std::to_string(i) + " ";
    text.back() = '}';
  }
  return text;
}

AtomTable::AtomTable(ArrayRef<int64_t> axisSizes, ArrayRef<MeshAtom> subAxes) {
  for (size_t axis = 0; axis < axisSizes.size(); ++axis) {
    int64_t size = axisSizes[axis];
    if (size <= 1)
      continue;
    std::set<int64_t> cuts = {1, size};
    for (const MeshAtom &sub : subAxes)
      if (sub.axis == static_cast<int>(axis)) {
        cuts.insert(sub.preSize);
        cuts.insert(sub.preSize * sub.size);
      }
    int64_t last = 1;
    for (int64_t cut : cuts) {
      if (cut == 1 || cut > size)
        continue;
      if (cut % last || size % cut) {
        if (conflictAxes.empty() ||
            conflictAxes.back() != static_cast<int64_t>(axis))
          conflictAxes.push_back(axis);
        continue;
      }
      table.push_back({static_cast<int>(axis), last, cut / last});
      last = cut;
    }
    // A cut that was skipped may have left the end of the axis uncovered.
    if (last != size)
      table.push_back({static_cast<int>(axis), last, size / last});
  }
}

AtomList AtomTable::expand(const MeshAtom &sub, bool *ok) const {
  AtomList list;
  int64_t covered = 1;
  for (size_t i = 0; i < table.size(); ++i) {
    const MeshAtom &atom = table[i];
    if (atom.axis == sub.axis && atom.preSize >= sub.preSize &&
        atom.preSize * atom.size <= sub.preSize * sub.size) {
      list.push_back(i);
      covered *= atom.size;
    }
  }
  if (ok)
    *ok = covered == sub.size;
  return list;
}

llvm::SmallVector<MeshAtom, 4> AtomTable::join(ArrayRef<uint8_t> list) const {
  llvm::SmallVector<MeshAtom, 4> result;
  for (uint8_t index : list) {
    const MeshAtom &atom = table[index];
    if (!result.empty() && result.back().axis == atom.axis &&
        result.back().preSize * result.back().size == atom.preSize)
      result.back().size *= atom.size;
    else
      result.push_back(atom);
  }
  return result;
}
