// RUN: shoal-opt %s --shoal-split-all-reduces="always=true" --cse | FileCheck %s
// RUN: shoal-opt %s --shoal-split-all-reduces="always=true remarks=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: shoal-opt %s --shoal-split-all-reduces="always=true groups=dp" | FileCheck %s --check-prefix=GROUPS
// Nothing so small is worth it.
// RUN: shoal-opt %s --shoal-split-all-reduces="hardware=dgx-h100" | FileCheck %s --check-prefix=SAME

// SAME-NOT: reduce_scatter
// GROUPS-NOT: reduce_scatter {{.*}}"tp"
// GROUPS: reduce_scatter {{.*}}"dp"
shoal.mesh @m <["dp"=2, "tp"=4]>

// Sequence parallelism: what stands between two products that devices share is
// computed on rows of each. The residual stays cut; each product's operand is
// gathered, once.
// REMARK: [[#@LINE+20]]:{{.*}} remark: 2 all_reduces leave shards, which are gathered where they are needed whole: what is between is computed on shards (modelled: {{[0-9.]+}} -> {{[0-9.]+}} us)
// CHECK-LABEL: func.func @layers
// CHECK-DAG: %[[X:.*]] = comm.all_slice %arg0 dim = 0 over <@m, {"tp"}> : (tensor<16x32xf32>) -> tensor<4x32xf32>
// CHECK-DAG: %[[S:.*]] = comm.reduce_scatter add %{{.*}} dim = 0 over <@m, {"tp"}> : (tensor<16x32xf32>) -> tensor<4x32xf32>
// CHECK: %[[H:.*]] = stablehlo.add %[[S]], %[[X]] : tensor<4x32xf32>
// CHECK: %[[M:.*]] = stablehlo.reduce(%[[H]] {{.*}} -> tensor<4xf32>
// CHECK: %[[B:.*]] = stablehlo.broadcast_in_dim %[[M]], dims = [0] : (tensor<4xf32>) -> tensor<4x32xf32>
// CHECK: %[[N:.*]] = stablehlo.subtract %[[H]], %[[B]]
// CHECK: %[[G:.*]] = comm.all_gather %[[N]] dim = 0 over <@m, {"tp"}> {{.*}} : (tensor<4x32xf32>) -> tensor<16x32xf32>
// CHECK: stablehlo.dot_general %[[G]], %arg1
// CHECK: %[[T:.*]] = comm.reduce_scatter add
// CHECK: %[[R:.*]] = stablehlo.add %[[T]], %[[H]] : tensor<4x32xf32>
// CHECK: %[[W:.*]] = comm.all_gather %[[R]] dim = 0
// CHECK: return %[[W]]
func.func @layers(%x: tensor<16x32xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}]>},
                  %w1: tensor<32x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {"tp"}]>},
                  %w2: tensor<8x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"tp"}, {}]>}) -> tensor<16x32xf32> {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.dot_general %x, %w1, contracting_dims = [1] x [0] : (tensor<16x32xf32>, tensor<32x8xf32>) -> tensor<16x8xf32>
  %1 = stablehlo.dot_general %0, %w2, contracting_dims = [1] x [0] : (tensor<16x8xf32>, tensor<8x32xf32>) -> tensor<16x32xf32>
  %2 = comm.all_reduce add %1 over <@m, {"tp"}> : tensor<16x32xf32>
  %3 = stablehlo.add %2, %x : tensor<16x32xf32>
  %4 = stablehlo.reduce(%3 init: %zero) applies stablehlo.maximum across dimensions = [1] : (tensor<16x32xf32>, tensor<f32>) -> tensor<16xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<16xf32>) -> tensor<16x32xf32>
  %6 = stablehlo.subtract %3, %5 : tensor<16x32xf32>
  %7 = stablehlo.dot_general %6, %w1, contracting_dims = [1] x [0] : (tensor<16x32xf32>, tensor<32x8xf32>) -> tensor<16x8xf32>
  %8 = stablehlo.dot_general %7, %w2, contracting_dims = [1] x [0] : (tensor<16x8xf32>, tensor<8x32xf32>) -> tensor<16x32xf32>
  %9 = comm.all_reduce add %8 over <@m, {"tp"}> : tensor<16x32xf32>
  %10 = stablehlo.add %9, %3 : tensor<16x32xf32>
  return %10 : tensor<16x32xf32>
}

// ZeRO: a device updates a shard; the state that only it needs is carried as a
// shard and gathered after the loop, new weights in each iteration.
// CHECK-LABEL: func.func @update
// CHECK: %[[M:.*]] = comm.all_slice %arg1 dim = 0
// CHECK: %[[L:.*]]:3 = stablehlo.while(%{{.*}} = %{{.*}}, %[[W:.*]] = %arg0, %[[S:.*]] = %[[M]]) : tensor<i32>, tensor<32x8xf32>, tensor<16x8xf32>
// CHECK: %[[P:.*]] = comm.all_slice %[[W]] dim = 0
// CHECK: %[[D:.*]] = comm.reduce_scatter add {{.*}} over <@m, {"dp"}> : (tensor<32x8xf32>) -> tensor<16x8xf32>
// CHECK: %[[V:.*]] = stablehlo.add %[[S]], %[[D]] : tensor<16x8xf32>
// CHECK: %[[U:.*]] = stablehlo.subtract %[[P]], %[[V]] : tensor<16x8xf32>
// CHECK: %[[G:.*]] = comm.all_gather %[[U]] dim = 0
// CHECK: stablehlo.return %{{.*}}, %[[G]], %[[V]]
// CHECK: comm.all_gather %[[L]]#2
func.func @update(%p: tensor<32x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}]>},
                  %m: tensor<32x8xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {}]>},
                  %x: tensor<4x32xf32> {shoal.sharding = #shoal.sharding<@m, [{"dp"}, {}]>}) -> (tensor<32x8xf32>, tensor<32x8xf32>) {
  %c0 = stablehlo.constant dense<0> : tensor<i32>
  %0:3 = stablehlo.while(%i = %c0, %w = %p, %s = %m) : tensor<i32>, tensor<32x8xf32>, tensor<32x8xf32>
    cond {
      %c64 = stablehlo.constant dense<64> : tensor<i32>
      %less = stablehlo.compare LT, %i, %c64 : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %less : tensor<i1>
    } do {
      %c1 = stablehlo.constant dense<1> : tensor<i32>
      %n = stablehlo.add %i, %c1 : tensor<i32>
      %y = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<4x32xf32>, tensor<32x8xf32>) -> tensor<4x8xf32>
      %d = stablehlo.dot_general %x, %y, contracting_dims = [0] x [0] : (tensor<4x32xf32>, tensor<4x8xf32>) -> tensor<32x8xf32>
      %g = comm.all_reduce add %d over <@m, {"dp"}> : tensor<32x8xf32>
      %v = stablehlo.add %s, %g : tensor<32x8xf32>
      %u = stablehlo.subtract %w, %v : tensor<32x8xf32>
      stablehlo.return %n, %u, %v : tensor<i32>, tensor<32x8xf32>, tensor<32x8xf32>
    }
  return %0#1, %0#2 : tensor<32x8xf32>, tensor<32x8xf32>
}

// A sum along the index is a sum of the shards' sums; it starts once, so only
// from zero.
// CHECK-LABEL: func.func @sums
// CHECK: %[[S:.*]] = comm.reduce_scatter add %arg0
// CHECK: %[[T:.*]] = stablehlo.tanh %{{.*}} : tensor<8xf32>
// CHECK: %[[D:.*]] = stablehlo.reduce(%[[T]] init: %{{.*}}) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
// CHECK: %[[A:.*]] = comm.all_reduce add %[[D]] over <@m, {"tp"}>
// CHECK: %[[W:.*]] = comm.all_gather
// CHECK: %[[B:.*]] = stablehlo.reduce(%[[W]] init: %arg1) applies stablehlo.add across dimensions = [0] : (tensor<32xf32>, tensor<f32>) -> tensor<f32>
// CHECK: return %[[A]], %[[B]]
func.func @sums(%x: tensor<32xf32> {shoal.sharding = #shoal.sharding<@m, [{"dp", "tp"}]>},
                %init: tensor<f32> {shoal.sharding = #shoal.sharding<@m, []>}) -> (tensor<f32>, tensor<f32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = comm.all_reduce add %x over <@m, {"tp"}> : tensor<32xf32>
  %1 = stablehlo.exponential %0 : tensor<32xf32>
  %2 = stablehlo.tanh %1 : tensor<32xf32>
  %3 = stablehlo.reduce(%2 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<32xf32>, tensor<f32>) -> tensor<f32>
  %4 = stablehlo.cosine %1 : tensor<32xf32>
  %5 = stablehlo.reduce(%4 init: %init) applies stablehlo.add across dimensions = [0] : (tensor<32xf32>, tensor<f32>) -> tensor<f32>
  return %3, %5 : tensor<f32>, tensor<f32>
}

// Six rows on four devices are padded, where nothing is summed along them.
// CHECK-LABEL: func.func @uneven
// CHECK: %[[S:.*]] = comm.reduce_scatter max %arg0 dim = 0 over <@m, {"tp"}> : (tensor<6xi32>) -> tensor<2xi32>
// CHECK: %[[N:.*]] = stablehlo.negate %[[S]] : tensor<2xi32>
// CHECK: comm.all_gather %[[N]] dim = 0 over <@m, {"tp"}> {{.*}} : (tensor<2xi32>) -> tensor<6xi32>
func.func @uneven(%x: tensor<6xi32> {shoal.sharding = #shoal.sharding<@m, [{"tp"}]>}) -> tensor<6xi32> {
  %0 = comm.all_reduce max %x over <@m, {"tp"}> : tensor<6xi32>
  %1 = stablehlo.negate %0 : tensor<6xi32>
  return %1 : tensor<6xi32>
}

// What differs between devices is no shard of anything: not what only some of
// them have, nor under a predicate that they do not share, nor over groups that
// are no axes.
// CHECK-LABEL: func.func @apart
// CHECK-NOT: reduce_scatter
// CHECK: return
func.func @apart(%x: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"tp"}]>},
                 %y: tensor<8xf32>,
                 %p: tensor<i1> {shoal.sharding = #shoal.sharding<@m, []>}) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %0 = comm.all_reduce add %x over <@m, {"tp"}> : tensor<8xf32>
  %1 = stablehlo.add %0, %y : tensor<8xf32>
  %i = comm.axis_index over <@m, {"tp"}> : tensor<i32>
  %c = stablehlo.constant dense<0> : tensor<i32>
  %q = stablehlo.compare EQ, %i, %c : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %2 = "stablehlo.if"(%q) ({
    %n = stablehlo.negate %0 : tensor<8xf32>
    stablehlo.return %n : tensor<8xf32>
  }, {
    stablehlo.return %0 : tensor<8xf32>
  }) : (tensor<i1>) -> tensor<8xf32>
  %3 = comm.all_reduce add %x over <[[0, 1, 2, 3], [4, 5, 6, 7]]> : tensor<8xf32>
  %4 = stablehlo.negate %3 : tensor<8xf32>
  return %1, %2, %4 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// A branch that all of them take together may yield a shard.
// CHECK-LABEL: func.func @together
// CHECK: %[[S:.*]] = comm.reduce_scatter add %arg0 dim = 0 over <@m, {"tp"}> : (tensor<8xf32>) -> tensor<2xf32>
// CHECK: %[[I:.*]] = "stablehlo.if"(%arg1)
// CHECK: stablehlo.negate %[[S]] : tensor<2xf32>
// CHECK: comm.all_gather %[[I]] dim = 0
func.func @together(%x: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"tp"}]>},
                    %p: tensor<i1> {shoal.sharding = #shoal.sharding<@m, []>}) -> tensor<8xf32> {
  %0 = comm.all_reduce add %x over <@m, {"tp"}> : tensor<8xf32>
  %1 = "stablehlo.if"(%p) ({
    %n = stablehlo.negate %0 : tensor<8xf32>
    stablehlo.return %n : tensor<8xf32>
  }, {
    stablehlo.return %0 : tensor<8xf32>
  }) : (tensor<i1>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
