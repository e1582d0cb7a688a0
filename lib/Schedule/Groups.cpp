// Mesh axes as digits of the rank. See Groups.h.
#include "shoal/Schedule/Groups.h"

using namespace mlir;
using namespace shoal;

FailureOr<SmallVector<int64_t>> shoal::getDigits(ArrayRef<AxisRefAttr> axes,
                                                 MeshAttr mesh) {
  SmallVector<int64_t> digits;
  for (AxisRefAttr axis : axes) {
    int64_t index = mesh.getAxisIndex(axis.getName());
    if (index < 0)
      return failure();
    int64_t stride = 1;
    for (MeshAxisAttr minor : mesh.getAxes().drop_front(index + 1))
      stride *= minor.getSize();
    int64_t size = axis.getSize(mesh), next = axis.getNext(mesh);
    int64_t whole = mesh.getAxes()[index].getSize();
    if (size <= 0 || next <= 0 || whole % next != 0)
      return failure();
    stride *= whole / next;
    if (size > 1)
      digits.append({size, stride});
  }
  return digits;
}

FailureOr<plan::GroupAttr> shoal::getPlanGroup(Operation *op,
                                               comm::GroupsAttr groups) {
  MLIRContext *context = op->getContext();
  MeshAttr program =
      getProgramMesh(op->getParentWithTrait<OpTrait::SymbolTable>());
  std::string name;
  llvm::raw_string_ostream os(name);
  if (!groups.isTable()) {
    MeshAttr mesh = groups.getMesh(op);
    if (!mesh) {
      op->emitOpError("refers to an unknown mesh");
      return failure();
    }
    auto digits = getDigits(groups.getAxes(), mesh);
    if (failed(digits)) {
      op->emitOpError("refers to an axis that the mesh does not have");
      return failure();
    }
    llvm::interleave(
        groups.getAxes(), os,
        [&](AxisRefAttr axis) {
          os << axis.getName();
          if (axis.isSubAxis())
            os << ":(" << axis.getPreSize() << ")" << axis.getSubSize();
        },
        ",");
    return plan::GroupAttr::get(context, StringAttr::get(context, name),
                                *digits, 0, {});
  }
  SmallVector<int64_t> table;
  int64_t size = 0;
  for (ArrayRef<int64_t> row : groups.getDeviceGroups(op)) {
    if (size && static_cast<int64_t>(row.size()) != size) {
      op->emitOpError("has groups of unlike sizes, which is not supported");
      return failure();
    }
    size = row.size();
    for (int64_t id : row)
      table.push_back(program && !program.getDeviceIds().empty()
                          ? program.getPosition(id)
                          : id);
  }
  if (llvm::is_contained(table, -1) || size == 0) {
    op->emitOpError("names a device that the mesh does not have");
    return failure();
  }
  return plan::GroupAttr::get(context, StringAttr::get(context, "table"), {},
                              size, table);
}

SmallVector<int64_t> shoal::firstGroup(plan::GroupAttr group) {
  if (group.getTableSize() > 0)
    return SmallVector<int64_t>(
        group.getTable().take_front(group.getTableSize()));
  SmallVector<int64_t> members{0};
  ArrayRef<int64_t> digits = group.getDigits();
  for (size_t d = 0; d + 1 < digits.size(); d += 2) {
    SmallVector<int64_t> next;
    for (int64_t member : members)
      for (int64_t i = 0; i < digits[d]; ++i)
        next.push_back(member + i * digits[d + 1]);
    members = std::move(next);
  }
  return members;
}

MeshAttr shoal::getProgramMesh(Operation *module) {
  MeshAttr result;
  if (!module)
    return result;
  for (Operation &op : module->getRegion(0).front())
    if (auto mesh = dyn_cast<MeshOp>(op)) {
      MeshAttr attr = mesh.getMesh();
      if (attr.getAxes().empty())
        continue;
      if (!result || attr.getNumDevices() > result.getNumDevices())
        result = attr;
    }
  return result;
}
