// Names of groups, and groups made from the axes of others.
#ifndef SHOAL_COLLECTIVES_GROUPAXES_H
#define SHOAL_COLLECTIVES_GROUPAXES_H

#include "dialects/Comm/Comm.h"

namespace shoal {

/// Groups over the axes of both, the first one's major; null if they are
/// tables, of different meshes, or share an axis.
inline comm::GroupsAttr joinGroups(comm::GroupsAttr major,
                                   comm::GroupsAttr minor) {
  if (major.isTable() || minor.isTable() ||
      major.getMeshOrRef() != minor.getMeshOrRef())
    return {};
  llvm::SmallVector<AxisRefAttr> axes(major.getAxes());
  for (AxisRefAttr axis : minor.getAxes()) {
    // Parts of one axis could be neighbours that have a shorter name.
    if (llvm::any_of(axes, [&](AxisRefAttr other) {
          return other.getName() == axis.getName();
        }))
      return {};
    axes.push_back(axis);
  }
  return comm::GroupsAttr::get(major.getMeshOrRef(), axes);
}

/// The axes of `all` without those of `some`; null if they are not among them.
inline comm::GroupsAttr withoutGroups(comm::GroupsAttr all,
                                      comm::GroupsAttr some) {
  if (all.isTable() || some.isTable() ||
      all.getMeshOrRef() != some.getMeshOrRef())
    return {};
  llvm::SmallVector<AxisRefAttr> rest;
  for (AxisRefAttr axis : all.getAxes())
    if (!llvm::is_contained(some.getAxes(), axis))
      rest.push_back(axis);
  if (rest.size() + some.getAxes().size() != all.getAxes().size())
    return {};
  return comm::GroupsAttr::get(all.getMeshOrRef(), rest);
}

/// "dp+tp": the axes of groups, as options name them; "" for tables.
inline std::string nameOfGroups(comm::GroupsAttr groups) {
  std::string text;
  if (!groups.isTable())
    for (AxisRefAttr axis : groups.getAxes())
      text += (text.empty() ? "" : "+") + axis.getName().str();
  return text;
}

} // namespace shoal

#endif // SHOAL_COLLECTIVES_GROUPAXES_H
