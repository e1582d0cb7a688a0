// How two numberings of devices relate.
#include "MeshRelations.h"

#include "llvm/ADT/STLExtras.h"

#include <set>

using namespace mlir;
using namespace shoal;

std::optional<AxisList> shoal::findRun(MeshAttr mesh, int64_t stride,
                                       int64_t size) {
  if (size > 1 && stride < 1)
    return std::nullopt;
  AxisList minorFirst;
  int64_t axisStride = 1;
  for (MeshAxisAttr axis : llvm::reverse(mesh.getAxes())) {
    int64_t full = axis.getSize(), next = axisStride * full;
    if (size > 1 && stride < next && full > 1) {
      if (stride % axisStride)
        return std::nullopt;
      int64_t skipped = stride / axisStride; // Minor part that is left out.
      if (full % skipped)
        return std::nullopt;
      int64_t left = full / skipped;
      int64_t taken = std::min(left, size);
      if (left % taken || size % taken)
        return std::nullopt;
      // The part major to what is taken.
      int64_t pre = left / taken;
      minorFirst.push_back(
          AxisRefAttr::getNormalized(axis.getName(), pre, taken, mesh));
      stride *= taken;
      size /= taken;
    }
    axisStride = next;
  }
  if (size != 1)
    return std::nullopt;
  return AxisList(llvm::reverse(minorFirst));
}

std::optional<AxisMap> shoal::relateMeshes(MeshAttr other, MeshAttr mesh) {
  int64_t count = mesh.getNumDevices();
  if (other.getNumDevices() != count || other.isMaximal() || mesh.isMaximal())
    return std::nullopt;
  // position in `other` -> position in `mesh`.
  SmallVector<int64_t> positionOfId(count);
  for (int64_t position = 0; position < count; ++position)
    positionOfId[mesh.getDeviceId(position)] = position;
  SmallVector<int64_t> to(count);
  for (int64_t position = 0; position < count; ++position)
    to[position] = positionOfId[other.getDeviceId(position)];
  if (to[0] != 0)
    return std::nullopt;

  AxisMap result;
  SmallVector<std::pair<int64_t, int64_t>> axes; // stride in other, size
  int64_t stride = 1;
  for (MeshAxisAttr axis : llvm::reverse(other.getAxes())) {
    axes.push_back({stride, axis.getSize()});
    // The steps along the axis as runs, from minor to major.
    AxisList list;
    for (int64_t done = 1; done < axis.getSize();) {
      int64_t step = to[done * stride];
      // The longest run of constant stride that divides what is left.
      int64_t size = 1;
      for (int64_t next = 2; done * next <= axis.getSize(); ++next)
        if (to[done * (next - 1) * stride] != step * (next - 1))
          break;
        else if (axis.getSize() % (done * next) == 0)
          size = next;
      if (size == 1)
        return std::nullopt;
      std::optional<AxisList> part = findRun(mesh, step, size);
      if (!part)
        return std::nullopt;
      list.insert(list.begin(), part->begin(), part->end());
      done *= size;
    }
    result[axis.getName()] = normalizeAxes(list, mesh);
    stride *= axis.getSize();
  }
  // The steps along the axes must add up everywhere.
  for (int64_t position = 0; position < count; ++position) {
    int64_t sum = 0;
    for (auto [axisStride, size] : axes)
      sum += to[position / axisStride % size * axisStride];
    if (sum != to[position])
      return std::nullopt;
  }
  return result;
}

std::optional<AxisList>
shoal::findGroupAxes(ArrayRef<SmallVector<int64_t>> groups, MeshAttr mesh) {
  // The group of the first device says which axes; all must agree.
  AxisList axes;
  for (ArrayRef<int64_t> group : groups) {
    if (!llvm::is_contained(group, mesh.getDeviceId(0)))
      continue;
    if (mesh.getPosition(group.front()) != 0)
      return std::nullopt;
    int64_t count = group.size();
    for (int64_t done = 1; done < count;) {
      int64_t step = mesh.getPosition(group[done]), size = 1;
      if (step < 0)
        return std::nullopt;
      for (int64_t next = 2; done * next <= count; ++next)
        if (mesh.getPosition(group[done * (next - 1)]) != step * (next - 1))
          break;
        else if (count % (done * next) == 0)
          size = next;
      std::optional<AxisList> part =
          size > 1 ? findRun(mesh, step, size) : std::nullopt;
      if (!part)
        return std::nullopt;
      axes.insert(axes.begin(), part->begin(), part->end());
      done *= size;
    }
  }
  axes = normalizeAxes(axes, mesh);

  SmallVector<SmallVector<int64_t>> expected = getGroups(axes, mesh), actual;
  for (ArrayRef<int64_t> group : groups) {
    actual.emplace_back();
    for (int64_t id : group)
      actual.back().push_back(mesh.getPosition(id));
  }
  llvm::sort(expected);
  llvm::sort(actual);
  if (expected != actual)
    return std::nullopt;
  return axes;
}

/// The strides at which a numbering of `count` devices changes from one axis,
/// or run of equally spaced devices, to the next.
static std::set<int64_t> findCuts(MeshAttr mesh, int64_t count) {
  std::set<int64_t> cuts;
  int64_t stride = 1;
  for (MeshAxisAttr axis : llvm::reverse(mesh.getAxes())) {
    for (int64_t done = 1; done < axis.getSize();) {
      int64_t step = mesh.getDeviceId(done * stride), size = 1;
      for (int64_t next = 2; done * next <= axis.getSize(); ++next)
        if (mesh.getDeviceId(done * (next - 1) * stride) != step * (next - 1))
          break;
        else if (axis.getSize() % (done * next) == 0)
          size = next;
      if (size == 1)
        break;
      if (step > 1)
        cuts.insert(step);
      if (step * size < count)
        cuts.insert(step * size);
      done *= size;
    }
    stride *= axis.getSize();
  }
  return cuts;
}

MeshAttr shoal::refineMeshes(ArrayRef<MeshAttr> meshes, int64_t count,
                             MLIRContext *context) {
  std::set<int64_t> chain = {1, count};
  for (MeshAttr mesh : meshes)
    for (int64_t cut : findCuts(mesh, count)) {
      auto next = chain.lower_bound(cut);
      if (next != chain.end() && next != chain.begin() && *next % cut == 0 &&
          cut % *std::prev(next) == 0)
        chain.insert(cut);
    }
  SmallVector<int64_t> sizes; // minor to major
  for (auto it = chain.begin(); std::next(it) != chain.end(); ++it)
    sizes.push_back(*std::next(it) / *it);
  SmallVector<MeshAxisAttr> axes;
  for (auto [index, size] : llvm::enumerate(llvm::reverse(sizes)))
    axes.push_back(
        MeshAxisAttr::get(context, "x" + std::to_string(index), size));
  return MeshAttr::get(context, axes);
}

MeshAttr shoal::cutAxes(MeshAttr mesh, ArrayRef<AxisRefAttr> parts) {
  MLIRContext *context = mesh.getContext();
  auto isName = [&](const std::string &name) { return mesh.hasAxis(name); };
  SmallVector<MeshAxisAttr> axes;
  SmallVector<AxisTopologyAttr> topology;
  for (MeshAxisAttr axis : mesh.getAxes()) {
    std::set<int64_t> chain = {1, axis.getSize()};
    for (AxisRefAttr part : parts)
      if (part.getName() == axis.getName() && part.isSubAxis()) {
        chain.insert(part.getPre());
        chain.insert(part.getNext(mesh));
      }
    AxisTopologyAttr links = mesh.getAxisTopology(axis.getName());
    if (chain.size() <= 2) {
      axes.push_back(axis);
      if (links)
        topology.push_back(links);
      continue;
    }
    int64_t number = 0;
    for (auto it = chain.begin(); std::next(it) != chain.end(); ++it) {
      if (*std::next(it) % *it)
        return {};
      std::string name;
      do
        name = (axis.getName() + "_" + Twine(number++)).str();
      while (isName(name));
      axes.push_back(MeshAxisAttr::get(context, name, *std::next(it) / *it));
      if (links)
        topology.push_back(AxisTopologyAttr::get(
            context, name, links.getBandwidthGBs(), links.getLatencyUs()));
    }
  }
  return MeshAttr::get(context, axes, mesh.getDeviceIds(), topology);
}

/// Replaces every axis of a list by what it is on the common mesh. A sub-axis
/// becomes the matching part of that.
static std::optional<AxisList> mapAxes(ArrayRef<AxisRefAttr> axes,
                                       const AxisMap &map, MeshAttr to) {
  AxisList result;
  for (AxisRefAttr axis : axes) {
    auto found = map.find(axis.getName());
    if (found == map.end())
      return std::nullopt;
    AxisList list = found->second;
    if (axis.isSubAxis()) {
      auto head = splitAxes(list, axis.getPreSize(), to);
      if (!head)
        return std::nullopt;
      auto part = splitAxes(head->second, axis.getSubSize(), to);
      if (!part)
        return std::nullopt;
      list = part->first;
    }
    llvm::append_range(result, list);
  }
  return normalizeAxes(result, to);
}

ShardingAttr shoal::mapSharding(ShardingAttr sharding, const AxisMap &map,
                                MeshAttr to, Attribute meshRef) {
  bool failed = false;
  auto convert = [&](ArrayRef<AxisRefAttr> axes) {
    std::optional<AxisList> mapped = mapAxes(axes, map, to);
    failed |= !mapped;
    return mapped.value_or(AxisList());
  };
  SmallVector<DimShardingAttr> dims;
  for (DimShardingAttr dim : sharding.getDims())
    dims.push_back(dim.withAxes(convert(dim.getAxes())));
  AxisList replicated = convert(sharding.getReplicated());
  AxisList partial = convert(sharding.getPartialAxes());
  if (failed)
    return {};
  return ShardingAttr::get(meshRef, dims, replicated, sharding.getPartialKind(),
                           partial);
}
