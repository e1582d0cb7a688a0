// Algebra on lists of mesh axes and sub-axes. A list is read major to minor:
// it numbers the devices of a group, and the parts of a dimension it cuts.
#ifndef DIALECTS_SHOAL_AXES_H
#define DIALECTS_SHOAL_AXES_H

#include "dialects/Shoal/Shoal.h"

#include <optional>

namespace shoal {

using AxisList = llvm::SmallVector<AxisRefAttr>;
using AxisListRef = llvm::ArrayRef<AxisRefAttr>;

/// Number of devices along all axes of the list (1 for an empty one).
int64_t getAxesSize(AxisListRef axes, MeshAttr mesh);

/// Merges neighbours that are consecutive parts of one axis ("x":(1)2,
/// "x":(2)2 gives "x":(1)4, or "x") and drops parts of size 1 of larger axes.
/// Whole axes of size 1 are kept: a user may have named them.
AxisList normalizeAxes(AxisListRef axes, MeshAttr mesh);

/// True if some axis of `a` shares a part with some axis of `b`.
bool axesOverlap(AxisListRef a, AxisListRef b, MeshAttr mesh);

/// True if `prefix` is a leading part of `axes`, sub-axes split where needed.
bool isAxesPrefix(AxisListRef prefix, AxisListRef axes, MeshAttr mesh);

/// The longest list that is a leading part of both, splitting sub-axes.
AxisList getCommonPrefix(AxisListRef a, AxisListRef b, MeshAttr mesh);

/// What follows `prefix` in `axes`; nullopt if it is no leading part.
std::optional<AxisList> dropAxesPrefix(AxisListRef axes, AxisListRef prefix,
                                       MeshAttr mesh);

/// Splits `axes` into a leading part of exactly `size` devices and the rest;
/// nullopt if no sub-axis boundary can give that size.
std::optional<std::pair<AxisList, AxisList>>
splitAxes(AxisListRef axes, int64_t size, MeshAttr mesh);

/// The common refinement: the sub-axes into which all the lists' entries can
/// be cut so that any two entries either share an atom entirely or not at all.
/// In mesh order, major to minor; nullopt if two cuts of an axis do not divide
/// one another ("x":(1)2 against "x":(1)3), which verified shardings over one
/// mesh may still have. Axes that no list names are left out.
std::optional<AxisList> getAtoms(llvm::ArrayRef<AxisListRef> lists,
                                 MeshAttr mesh);

/// `axes` written as the atoms it consists of, in its own order. Atoms must
/// refine it (see getAtoms).
AxisList expandToAtoms(AxisListRef axes, AxisListRef atoms, MeshAttr mesh);

/// Whole mesh axes (or rests of them) that `axes` does not name, in mesh
/// order. nullopt if the gaps of an axis cannot be written as sub-axes.
std::optional<AxisList> getUnusedAxes(AxisListRef axes, MeshAttr mesh);

/// Index of the device at mesh position `position` within the numbering that
/// `axes` gives, 0 … getAxesSize - 1.
int64_t getIndexAlong(AxisListRef axes, int64_t position, MeshAttr mesh);

/// The groups of mesh positions that differ only along `axes`; within a group
/// ordered by getIndexAlong, groups ordered by their first position.
llvm::SmallVector<llvm::SmallVector<int64_t>> getGroups(AxisListRef axes,
                                                        MeshAttr mesh);

/// For messages: {"dp", "tp":(1)2}.
std::string axesToString(AxisListRef axes);

} // namespace shoal

#endif // DIALECTS_SHOAL_AXES_H
