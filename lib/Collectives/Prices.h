// Modelled seconds of collectives that do not exist yet.
#ifndef SHOAL_COLLECTIVES_PRICES_H
#define SHOAL_COLLECTIVES_PRICES_H

#include "dialects/Comm/Comm.h"
#include "shoal/Analysis/OpSeconds.h"

namespace shoal {

class Prices {
public:
  explicit Prices(const Hardware &hardware)
      : machine(hardware), times(hardware) {}

  const Hardware &hardware() const { return machine; }
  CollectiveTime of(mlir::Operation *op) {
    return times.of(llvm::cast<comm::CollectiveOpInterface>(op));
  }
  /// A collective like one that exists, of another size, kind or groups.
  /// `bytes`: of the whole tensor, the gathered or not yet scattered one; what
  /// a device holds before an all_to_all or permute.
  CollectiveTime of(CollectiveType type, int64_t bytes, comm::GroupsAttr groups,
                    mlir::Operation *from) {
    int64_t n = std::max<int64_t>(1, groups.getGroupSize(from));
    int64_t sent = type == CollectiveType::Permute     ? bytes
                   : type == CollectiveType::AllReduce ? 2 * (n - 1) * bytes / n
                                                       : (n - 1) * bytes / n;
    return timeOfCollective(type, sent, shapeOf(groups, from), machine);
  }
  const GroupShape &shapeOf(comm::GroupsAttr groups, mlir::Operation *from) {
    auto [shape, isNew] = shapes.try_emplace(groups);
    if (isNew)
      if (auto members = groups.getDeviceGroups(from); !members.empty())
        shape->second = shapeOfGroup(members.front(), machine);
    return shape->second;
  }

private:
  const Hardware &machine;
  CollectiveTimes times;
  llvm::DenseMap<mlir::Attribute, GroupShape> shapes;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_PRICES_H
