//===- ShardableOpInterface.td - Ops that state their sharding rule -------===//
#ifndef SHOAL_SHARDABLE_OP_INTERFACE_TD
#define SHOAL_SHARDABLE_OP_INTERFACE_TD

include "mlir/IR/Interfaces.td"

def ShardableOpInterface : OpInterface<"ShardableOpInterface"> {
  let cppNamespace = "::shoal";
  let description = [{
    An op that says which dimensions of its operands and results are one and
    the same index. Propagation, choice of forms, partitioning, cost model and
    reports read that one rule. Ops of other dialects get it as external models
    in `lib/Analysis/ShardingRules`.
  }];
  let methods = [
    InterfaceMethod<[{
      The op's rule. It depends on types and attributes alone, never on
      shardings. An op whose values share no index returns a rule without
      shared factors, not an empty one.
    }], "::shoal::ShardingRule", "getShardingRule", (ins)>
  ];
}

#endif // SHOAL_SHARDABLE_OP_INTERFACE_TD
