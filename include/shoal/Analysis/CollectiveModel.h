// Seconds of a collective, by algorithm, in the alpha-beta model: a message of
// b bytes over a link takes latency + b / bandwidth.
//
// Algorithms (sources: Thakur, Rabenseifner, Gropp, "Optimization of collective
// communication operations in MPICH", 2005; NCCL's ring, tree and NVLS;
// BlueConnect, MLSys 2019, for the hierarchical ones). n members, S bytes of
// the whole tensor:
//
//   ring          all_gather, reduce_scatter: n-1 steps of S/n; all_reduce both
//   tree          all_reduce, broadcast: 2 log2(n) (or log2(n)) hops, pipelined
//   multicast     all_reduce by the switch: S (n+1)/n bytes leave each device;
//                 all_gather, reduce_scatter: a ring's bytes in two hops
//   hierarchical  one phase per level of links, the inner one on all its
//                 members' data, the outer ones on a share of it
//   direct        all_to_all and permutes: every message straight to its target
#ifndef SHOAL_ANALYSIS_COLLECTIVEMODEL_H
#define SHOAL_ANALYSIS_COLLECTIVEMODEL_H

#include "shoal/Analysis/Hardware.h"

namespace shoal {

enum class CollectiveType {
  AllGather,
  ReduceScatter,
  AllReduce,
  AllToAll,
  Permute, ///< also halo, reblock, send
  Broadcast,
};

/// How the members of a group lie on the links: `members[l]` is by how much the
/// group grows from a unit of level l-1 to one of level l, so that the product
/// is the group's size. {8} is a node's GPUs, {1, 4} one GPU of each of 4
/// nodes.
struct GroupShape {
  llvm::SmallVector<int64_t, 2> members;

  int64_t size() const;
  /// The outermost level that the group crosses.
  unsigned top() const;
  bool operator==(const GroupShape &o) const { return members == o.members; }
};

/// The shape of a group given as device numbers (positions in the hierarchy).
GroupShape shapeOfGroup(llvm::ArrayRef<int64_t> devices,
                        const Hardware &hardware);

struct CollectiveTime {
  double seconds = 0;
  llvm::StringRef algorithm;
  /// Seconds that the device's link of each level is busy sending.
  llvm::SmallVector<double, 2> busy;
};

/// The fastest algorithm. `bytesSent` is what a device sends in ring accounting
/// (CostModel.h), which for every type follows from the tensor's size.
CollectiveTime timeOfCollective(CollectiveType type, int64_t bytesSent,
                                const GroupShape &group,
                                const Hardware &hardware);

} // namespace shoal

#endif // SHOAL_ANALYSIS_COLLECTIVEMODEL_H
