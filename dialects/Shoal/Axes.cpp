// Algebra on lists of mesh axes and sub-axes, and accessors of meshes.
#include "dialects/Shoal/Axes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace shoal {

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

int64_t MeshAttr::getAxisIndex(StringRef name) const {
  for (auto [i, axis] : llvm::enumerate(getAxes()))
    if (axis.getName() == name)
      return i;
  return -1;
}

int64_t MeshAttr::getAxisSize(StringRef name) const {
  int64_t i = getAxisIndex(name);
  return i < 0 ? 0 : getAxes()[i].getSize();
}

int64_t MeshAttr::getNumDevices() const {
  int64_t n = 1;
  for (MeshAxisAttr axis : getAxes())
    n *= axis.getSize();
  return n;
}

int64_t MeshAttr::getDeviceId(int64_t position) const {
  return getDeviceIds().empty() ? position : getDeviceIds()[position];
}

int64_t MeshAttr::getPosition(int64_t deviceId) const {
  if (getDeviceIds().empty())
    return deviceId >= 0 && deviceId < getNumDevices() ? deviceId : -1;
  auto it = llvm::find(getDeviceIds(), deviceId);
  return it == getDeviceIds().end() ? -1 : it - getDeviceIds().begin();
}

SmallVector<int64_t> MeshAttr::getCoordinates(int64_t position) const {
  SmallVector<int64_t> coordinates(getAxes().size());
  for (int64_t i = getAxes().size() - 1; i >= 0; --i) {
    coordinates[i] = position % getAxes()[i].getSize();
    position /= getAxes()[i].getSize();
  }
  return coordinates;
}

AxisTopologyAttr MeshAttr::getAxisTopology(StringRef name) const {
  for (AxisTopologyAttr entry : getTopology())
    if (entry.getName() == name)
      return entry;
  return {};
}

//===----------------------------------------------------------------------===//
// One axis
//===----------------------------------------------------------------------===//

int64_t AxisRefAttr::getSize(MeshAttr mesh) const {
  return isSubAxis() ? getSubSize() : mesh.getAxisSize(getName());
}

bool AxisRefAttr::overlaps(AxisRefAttr other, MeshAttr mesh) const {
  return getName() == other.getName() && getPre() < other.getNext(mesh) &&
         other.getPre() < getNext(mesh);
}

bool AxisRefAttr::contains(AxisRefAttr other, MeshAttr mesh) const {
  return getName() == other.getName() && getPre() <= other.getPre() &&
         other.getNext(mesh) <= getNext(mesh);
}

AxisRefAttr AxisRefAttr::getNormalized(StringRef name, int64_t pre,
                                       int64_t size, MeshAttr mesh) {
  if (pre == 1 && size == mesh.getAxisSize(name))
    return get(mesh.getContext(), name);
  return get(mesh.getContext(), name, pre, size);
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

int64_t getAxesSize(AxisListRef axes, MeshAttr mesh) {
  int64_t n = 1;
  for (AxisRefAttr axis : axes)
    n *= axis.getSize(mesh);
  return n;
}

AxisList normalizeAxes(AxisListRef axes, MeshAttr mesh) {
  AxisList result;
  for (AxisRefAttr axis : axes) {
    if (axis.isSubAxis() && axis.getSubSize() == 1)
      continue;
    axis = AxisRefAttr::getNormalized(axis.getName(), axis.getPre(),
                                      axis.getSize(mesh), mesh);
    if (!result.empty() && result.back().getName() == axis.getName() &&
        result.back().getNext(mesh) == axis.getPre()) {
      AxisRefAttr last = result.back();
      result.back() = AxisRefAttr::getNormalized(
          axis.getName(), last.getPre(),
          last.getSize(mesh) * axis.getSize(mesh), mesh);
      continue;
    }
    result.push_back(axis);
  }
  return result;
}

bool axesOverlap(AxisListRef a, AxisListRef b, MeshAttr mesh) {
  return llvm::any_of(a, [&](AxisRefAttr x) {
    return llvm::any_of(b, [&](AxisRefAttr y) { return x.overlaps(y, mesh); });
  });
}

AxisList getCommonPrefix(AxisListRef a, AxisListRef b, MeshAttr mesh) {
  AxisList restA(a), restB(b), result;
  size_t i = 0, j = 0;
  while (i < restA.size() && j < restB.size()) {
    AxisRefAttr x = restA[i], y = restB[j];
    if (x.getName() != y.getName() || x.getPre() != y.getPre())
      break;
    int64_t sizeX = x.getSize(mesh), sizeY = y.getSize(mesh);
    int64_t small = std::min(sizeX, sizeY), large = std::max(sizeX, sizeY);
    if (small == 0 || large % small)
      break;
    result.push_back(
        AxisRefAttr::getNormalized(x.getName(), x.getPre(), small, mesh));
    auto advance = [&](AxisList &list, size_t &at, AxisRefAttr axis,
                       int64_t size) {
      if (size == small)
        ++at;
      else
        list[at] = AxisRefAttr::getNormalized(
            axis.getName(), axis.getPre() * small, size / small, mesh);
    };
    advance(restA, i, x, sizeX);
    advance(restB, j, y, sizeY);
  }
  return normalizeAxes(result, mesh);
}

bool isAxesPrefix(AxisListRef prefix, AxisListRef axes, MeshAttr mesh) {
  return normalizeAxes(prefix, mesh) == getCommonPrefix(prefix, axes, mesh);
}

std::optional<AxisList> dropAxesPrefix(AxisListRef axes, AxisListRef prefix,
                                       MeshAttr mesh) {
  if (!isAxesPrefix(prefix, axes, mesh))
    return std::nullopt;
  auto split = splitAxes(axes, getAxesSize(prefix, mesh), mesh);
  if (!split)
    return std::nullopt;
  return split->second;
}

std::optional<std::pair<AxisList, AxisList>>
splitAxes(AxisListRef axes, int64_t size, MeshAttr mesh) {
  AxisList front;
  size_t i = 0;
  // Axes of size 1 at the cut stay in front.
  for (; i < axes.size(); ++i) {
    int64_t axisSize = axes[i].getSize(mesh);
    if (axisSize == 0 || size % axisSize)
      break;
    front.push_back(axes[i]);
    size /= axisSize;
  }
  AxisList back(axes.drop_front(i));
  if (size == 1)
    return std::make_pair(front, back);
  if (i == axes.size())
    return std::nullopt;
  AxisRefAttr axis = axes[i];
  int64_t axisSize = axis.getSize(mesh);
  if (axisSize % size)
    return std::nullopt;
  front.push_back(
      AxisRefAttr::getNormalized(axis.getName(), axis.getPre(), size, mesh));
  back[0] = AxisRefAttr::getNormalized(axis.getName(), axis.getPre() * size,
                                       axisSize / size, mesh);
  return std::make_pair(front, back);
}

std::optional<AxisList> getAtoms(llvm::ArrayRef<AxisListRef> lists,
                                 MeshAttr mesh) {
  AxisList atoms;
  for (MeshAxisAttr meshAxis : mesh.getAxes()) {
    StringRef name = meshAxis.getName();
    SmallVector<int64_t> cuts;
    SmallVector<AxisRefAttr> entries;
    for (AxisListRef list : lists)
      for (AxisRefAttr axis : list)
        if (axis.getName() == name) {
          cuts.push_back(axis.getPre());
          cuts.push_back(axis.getNext(mesh));
          entries.push_back(axis);
        }
    llvm::sort(cuts);
    cuts.erase(llvm::unique(cuts), cuts.end());
    if (cuts.size() == 1) // A named axis of size 1.
      atoms.push_back(AxisRefAttr::get(mesh.getContext(), name));
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      if (cuts[i + 1] % cuts[i])
        return std::nullopt;
      AxisRefAttr atom = AxisRefAttr::getNormalized(
          name, cuts[i], cuts[i + 1] / cuts[i], mesh);
      if (llvm::any_of(entries,
                       [&](AxisRefAttr e) { return e.contains(atom, mesh); }))
        atoms.push_back(atom);
    }
  }
  return atoms;
}

AxisList expandToAtoms(AxisListRef axes, AxisListRef atoms, MeshAttr mesh) {
  AxisList result;
  for (AxisRefAttr axis : axes)
    for (AxisRefAttr atom : atoms)
      if (axis.contains(atom, mesh))
        result.push_back(atom);
  return result;
}

std::optional<AxisList> getUnusedAxes(AxisListRef axes, MeshAttr mesh) {
  AxisList unused;
  for (MeshAxisAttr meshAxis : mesh.getAxes()) {
    StringRef name = meshAxis.getName();
    SmallVector<std::pair<int64_t, int64_t>> used;
    for (AxisRefAttr axis : axes)
      if (axis.getName() == name)
        used.push_back({axis.getPre(), axis.getNext(mesh)});
    if (used.empty()) {
      unused.push_back(AxisRefAttr::get(mesh.getContext(), name));
      continue;
    }
    llvm::sort(used);
    used.push_back({meshAxis.getSize(), meshAxis.getSize()});
    int64_t at = 1;
    for (auto [pre, next] : used) {
      if (pre > at) {
        if (pre % at)
          return std::nullopt;
        unused.push_back(AxisRefAttr::getNormalized(name, at, pre / at, mesh));
      }
      at = std::max(at, next);
    }
  }
  return unused;
}

int64_t getIndexAlong(AxisListRef axes, int64_t position, MeshAttr mesh) {
  SmallVector<int64_t> coordinates = mesh.getCoordinates(position);
  int64_t index = 0;
  for (AxisRefAttr axis : axes) {
    int64_t at = mesh.getAxisIndex(axis.getName());
    int64_t size = axis.getSize(mesh);
    // The axis is pre × size × post: take the middle digit.
    int64_t post = mesh.getAxes()[at].getSize() / axis.getNext(mesh);
    index = index * size + (coordinates[at] / post) % size;
  }
  return index;
}

SmallVector<SmallVector<int64_t>> getGroups(AxisListRef axes, MeshAttr mesh) {
  int64_t numDevices = mesh.getNumDevices(), size = getAxesSize(axes, mesh);
  // Strides, in positions, of each listed axis.
  SmallVector<int64_t> sizes, strides;
  for (AxisRefAttr axis : axes) {
    int64_t at = mesh.getAxisIndex(axis.getName());
    int64_t stride = mesh.getAxes()[at].getSize() / axis.getNext(mesh);
    for (size_t k = at + 1; k < mesh.getAxes().size(); ++k)
      stride *= mesh.getAxes()[k].getSize();
    sizes.push_back(axis.getSize(mesh));
    strides.push_back(stride);
  }
  SmallVector<int64_t> offsets(size, 0);
  for (int64_t i = 0; i < size; ++i) {
    int64_t rest = i;
    for (int64_t k = sizes.size() - 1; k >= 0; --k) {
      offsets[i] += rest % sizes[k] * strides[k];
      rest /= sizes[k];
    }
  }
  SmallVector<SmallVector<int64_t>> groups;
  for (int64_t position = 0; position < numDevices; ++position) {
    bool isFirst = true;
    for (size_t k = 0; k < sizes.size(); ++k)
      isFirst &= position / strides[k] % sizes[k] == 0;
    if (!isFirst)
      continue;
    SmallVector<int64_t> &group = groups.emplace_back();
    for (int64_t offset : offsets)
      group.push_back(position + offset);
  }
  return groups;
}

std::string axesToString(AxisListRef axes) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '{';
  llvm::interleaveComma(axes, os, [&](AxisRefAttr axis) {
    os << '"' << axis.getName() << '"';
    if (axis.isSubAxis())
      os << ":(" << axis.getPreSize() << ')' << axis.getSubSize();
  });
  os << '}';
  return text;
}

} // namespace shoal
