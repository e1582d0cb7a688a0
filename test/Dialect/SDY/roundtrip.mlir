// RUN: shoal-opt --allow-unregistered-dialect %s | shoal-opt --allow-unregistered-dialect | FileCheck %s
// RUN: shoal-opt --allow-unregistered-dialect %s --mlir-print-op-generic | shoal-opt --allow-unregistered-dialect | FileCheck %s
// RUN: shoal-opt --allow-unregistered-dialect %s --emit-bytecode | shoal-opt --allow-unregistered-dialect | FileCheck %s

// CHECK: sdy.mesh @m = <["a"=2, "b"=4, "c"=8]> {stablehlo.mesh = {axes = [{name = "data", size = 2 : i64}]}}
sdy.mesh @m = <["a"=2, "b"=4, "c"=8]> {stablehlo.mesh = {axes = [{name = "data", size = 2 : i64}]}} loc("x")
// CHECK: sdy.mesh @reordered = <["a"=2, "b"=2], device_ids=[0, 2, 1, 3]>
sdy.mesh @reordered = <["a"=2, "b"=2], device_ids=[0, 2, 1, 3]>
// Ids in order are dropped.
// CHECK: sdy.mesh @ordered = <["a"=2]>
sdy.mesh @ordered = <["a"=2], device_ids=[0, 1]>
// CHECK: sdy.mesh @maximal = <[], device_ids=[3]>
sdy.mesh @maximal = <[], device_ids=[3]>
// CHECK: sdy.mesh @empty = <[]>
sdy.mesh @empty = <[]>

// CHECK-LABEL: func.func @attributes(
// CHECK-SAME{LITERAL}: #sdy.sharding<@m, [{"a", "c":(1)2, ?}p1, {?}], replicated={"b"}, unreduced={"c":(2)2}>
// CHECK-SAME{LITERAL}: #sdy.sharding<mesh<["a"=2, "b"=2]>, [{"a"}, {}]>
// CHECK-SAME{LITERAL}: #sdy.sharding<mesh<[], device_ids=[3]>, []>
// CHECK-SAME{LITERAL}: -> (tensor<16x32xf32> {sdy.sharding = #sdy.sharding<@m, [{}, {"b"}p2], unreduced=max{"a"}>}) {
func.func @attributes(
    %x: tensor<16x32xf32> {sdy.sharding = #sdy.sharding<@m, [{"a", "c":(1)2, ?}p1, {?}], replicated={"b"}, unreduced={"c":(2)2}>},
    %y: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<mesh<["a"=2, "b"=2]>, [{"a"}, {}]>},
    %z: tensor<4xf32> {sdy.sharding = #sdy.sharding<mesh<[], device_ids=[3]>, []>})
    -> (tensor<16x32xf32> {sdy.sharding = #sdy.sharding<@m, [{}, {"b"}p2], unreduced=max{"a"}>}) {
  return %x : tensor<16x32xf32>
}

// CHECK-LABEL: func.func @ops
func.func @ops(%x: tensor<16x32xf32>) -> tensor<16x32xf32> {
  // CHECK: sdy.sharding_constraint %{{.*}} <@m, [{"a", ?}, {}]> {foo} : tensor<16x32xf32>
  %0 = sdy.sharding_constraint %x <@m, [{"a", ?}, {}]> {foo} : tensor<16x32xf32>
  // CHECK: sdy.reshard %{{.*}} <@m, [{"a", ?}, {}]> : tensor<16x32xf32>
  %1 = sdy.reshard %0 <@m, [{"a", ?}, {}]> : tensor<16x32xf32>
  // CHECK: sdy.sharding_group %{{.*}} group_id=3 : tensor<16x32xf32>
  sdy.sharding_group %x group_id=3 : tensor<16x32xf32>
  // CHECK: sdy.propagation_barrier %{{.*}} allowed_direction=FORWARD : tensor<16x32xf32>
  %2 = sdy.propagation_barrier %1 allowed_direction=FORWARD : tensor<16x32xf32>
  // CHECK: sdy.named_computation<"f">(%{{.*}}) in_shardings=[<@m, [{}, {}]>] out_shardings=[<@m, [{}, {}]>] (%[[A:.*]]: tensor<16x32xf32>) {
  // CHECK-NEXT: sdy.return %[[A]] : tensor<16x32xf32>
  // CHECK-NEXT: } {foo} : (tensor<16x32xf32>) -> tensor<16x32xf32>
  %3 = sdy.named_computation<"f">(%2) in_shardings=[<@m, [{}, {}]>] out_shardings=[<@m, [{}, {}]>] (%i: tensor<16x32xf32>) {
    sdy.return %i : tensor<16x32xf32>
  } {foo} : (tensor<16x32xf32>) -> tensor<16x32xf32>
  // CHECK: sdy.constant dense<1.000000e+00> : tensor<4xf32>
  %4 = sdy.constant dense<1.0> : tensor<4xf32>
  // CHECK: sdy.data_flow_edge %{{.*}} sharding=<@m, [{?}, {?}]> : tensor<16x32xf32>
  %5 = sdy.data_flow_edge %3 sharding=<@m, [{?}, {?}]> : tensor<16x32xf32>
  // CHECK: sdy.func_data_flow_edge %{{.*}} : tensor<16x32xf32>
  %6 = sdy.func_data_flow_edge %5 : tensor<16x32xf32>
  return %6 : tensor<16x32xf32>
}

// CHECK-LABEL: func.func @manual
func.func @manual(%x: tensor<16x32xf32>, %y: tensor<8x8xf32>) -> tensor<16x32xf32> {
  // CHECK: sdy.manual_computation(%{{.*}}, %{{.*}}) in_shardings=[<@m, [{"a"}, {"b", "c"}]>, <@m, [{}, {}]>]
  // CHECK-SAME: out_shardings=[<@m, [{"a"}, {"b"}]>] manual_axes={"a", "b"} (%{{.*}}: tensor<8x8xf32>, %{{.*}}: tensor<8x8xf32>) {
  %0 = sdy.manual_computation(%x, %y) in_shardings=[<@m, [{"a"}, {"b", "c"}]>, <@m, [{}, {}]>] out_shardings=[<@m, [{"a"}, {"b"}]>] manual_axes={"a", "b"} (%i: tensor<8x8xf32>, %j: tensor<8x8xf32>) {
    // CHECK: sdy.manual_computation() in_shardings=[] out_shardings=[<@m, []>] manual_axes={"c"} () {
    %t = sdy.manual_computation() in_shardings=[] out_shardings=[<@m, []>] manual_axes={"c"} () {
      %q = sdy.constant dense<1> : tensor<i32>
      sdy.return %q : tensor<i32>
    } : () -> tensor<i32>
    sdy.return %i : tensor<8x8xf32>
  } : (tensor<16x32xf32>, tensor<8x8xf32>) -> tensor<16x32xf32>
  // CHECK: sdy.manual_computation() in_shardings=[] out_shardings=[] manual_axes={} () {
  sdy.manual_computation() in_shardings=[] out_shardings=[] manual_axes={} () {
    sdy.return
  } : () -> ()
  return %0 : tensor<16x32xf32>
}

// CHECK-LABEL: func.func @collectives
func.func @collectives(%x: tensor<16x32xf32>) {
  // CHECK: sdy.all_gather [{}, {"b", "c":(1)2}] %{{.*}} out_sharding=<@m, [{}, {}]> : tensor<16x32xf32>
  %0 = sdy.all_gather [{}, {"b", "c":(1)2}] %x out_sharding=<@m, [{}, {}]> : tensor<16x32xf32>
  // CHECK: sdy.all_slice [{"a"}, {}] %{{.*}} out_sharding=<@m, [{"a"}, {"b"}]>
  %1 = sdy.all_slice [{"a"}, {}] %x out_sharding=<@m, [{"a"}, {"b"}]> : tensor<16x32xf32>
  // CHECK: sdy.all_to_all [{"b"}: 1->0] %{{.*}} out_sharding=<@m, [{"b"}, {}]>
  %2 = sdy.all_to_all [{"b"}: 1->0] %x out_sharding=<@m, [{"b"}, {}]> : tensor<16x32xf32>
  // CHECK: sdy.all_reduce {"a"} %{{.*}} out_sharding=<@m, [{}, {"b"}]>
  %3 = sdy.all_reduce {"a"} %x out_sharding=<@m, [{}, {"b"}]> : tensor<16x32xf32>
  // CHECK: sdy.reduce_scatter [{"a"}, {}] %{{.*}} out_sharding=<@m, [{"a"}, {"b"}]>
  %4 = sdy.reduce_scatter [{"a"}, {}] %x out_sharding=<@m, [{"a"}, {"b"}]> : tensor<16x32xf32>
  // CHECK: sdy.collective_permute %{{.*}} out_sharding=<@m, [{}, {"c":(1)4}]>
  %5 = sdy.collective_permute %x out_sharding=<@m, [{}, {"c":(1)4}]> : tensor<16x32xf32>
  // CHECK: sdy.replicated_to_unreduced {"a"} %{{.*}} out_sharding=<@m, [{}, {"b"}], unreduced={"a"}>
  %6 = sdy.replicated_to_unreduced {"a"} %x out_sharding=<@m, [{}, {"b"}], unreduced={"a"}> : tensor<16x32xf32>
  // CHECK: sdy.sharded_to_unreduced [{}, {"b"}] %{{.*}} out_sharding=<@m, [{}, {}], unreduced={"b"}>
  %7 = sdy.sharded_to_unreduced [{}, {"b"}] %x out_sharding=<@m, [{}, {}], unreduced={"b"}> : tensor<16x32xf32>
  return
}

// Rules stand on ops of any dialect; a reshape of two factors, a factor beyond
// z, a dimension without factor, and each kind of factor.
// CHECK-LABEL: func.func @rules
func.func @rules(%x: tensor<16x32xf32>, %s: tensor<f32>) {
  // CHECK: {sdy.sharding_rule = #sdy.op_sharding_rule<([i, jk])->([k, l], [*, ij]) {i=16, j=8, k=4, l=2} reduction={i} need_replication={j} permutation={k} blocked_propagation={l}, custom>}
  %0:2 = "test.op"(%x) {sdy.sharding_rule = #sdy.op_sharding_rule<([i, jk])->([k, l], [*, ij]) {i=16, j=8, k=4, l=2} reduction={i} need_replication={j} permutation={k} blocked_propagation={l}, custom>} : (tensor<16x32xf32>) -> (tensor<4x2xf32>, tensor<3x128xf32>)
  // CHECK: #sdy.op_sharding_rule<([i, zz_1])->() {i=1, j=1, k=1, l=1, m=1, n=1, o=1, p=1, q=1, r=1, s=1, t=1, u=1, v=1, w=1, x=1, y=1, z=2, z_1=2}>
  "test.op"(%x) {sdy.sharding_rule = #sdy.op_sharding_rule<([i, zz_1])->() {i=1, j=1, k=1, l=1, m=1, n=1, o=1, p=1, q=1, r=1, s=1, t=1, u=1, v=1, w=1, x=1, y=1, z=2, z_1=2}>} : (tensor<16x32xf32>) -> ()
  // CHECK: #sdy.op_sharding_rule<([])->()>
  "test.op"(%s) {sdy.sharding_rule = #sdy.op_sharding_rule<([])->()>} : (tensor<f32>) -> ()
  // CHECK: #sdy.sharding_per_value<[<@m, [{}, {"a"}]>]>
  %1 = "test.op"(%x) {sdy.sharding = #sdy.sharding_per_value<[<@m, [{}, {"a"}]>]>} : (tensor<16x32xf32>) -> tensor<16x32xf32>
  return
}
