// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt %s --mlir-print-op-generic | shoal-opt | FileCheck %s

// CHECK: shoal.mesh @m <["dp"=2, "tp"=4]>
shoal.mesh @m <["dp"=2, "tp"=4]>
// CHECK: shoal.mesh @ids <["x"=2], device_ids=[1, 0], topology={"x" = (4.500000e+02, 2.500000e+00)}>
shoal.mesh @ids <["x"=2], device_ids=[1, 0], topology={"x" = (450.0, 2.5)}>
// CHECK: shoal.mesh @maximal <[], device_ids=[3]>
shoal.mesh @maximal <[], device_ids=[3]>
// CHECK: shoal.mesh @empty <[]>
shoal.mesh @empty <[]>

// CHECK: shoal.rule "my_matmul" <([i, k], [k, j])->([i, j]) {i, j, k} reduction={k} linear=[0]>
shoal.rule "my_matmul" <([i, k], [k, j])->([i, j]) {i, j, k} reduction={k} linear=[0]>
// CHECK: shoal.rule "reshape_like" <([ij, _])->([i, j]) {i=4, j=8} reduction={i} reduction_kinds={max} need_replication={j} permutation={i} blocked_propagation={j} custom>
shoal.rule "reshape_like" <([ij, _])->([i, j]) {i=4, j=8} reduction={i} reduction_kinds={max} need_replication={j} permutation={i} blocked_propagation={j}, custom>

// CHECK-LABEL: func @shardings
// CHECK-SAME: #shoal.sharding<@m, [{"dp", "tp":(1)2, ?}p1, {} block 5]>
// CHECK-SAME: #shoal.sharding<@m, [{}, {?}], replicated = {"dp"}, partial = add {"tp"}>
// CHECK-SAME: #shoal.sharding<mesh<["a"=2]>, [{"a"}]>
func.func @shardings(
    %a: tensor<8x5xf32> {shoal.sharding = #shoal.sharding<@m, [{"dp", "tp":(1)2, ?}p1, {} block 5]>},
    %b: tensor<8x5xf32> {shoal.sharding = #shoal.sharding<@m, [{}, {?}], replicated = {"dp"}, partial = add {"tp"}>},
    %c: tensor<8xf32> {shoal.sharding = #shoal.sharding<mesh<["a"=2]>, [{"a"}]>})
    -> (tensor<8x5xf32> {shoal.sharding = #shoal.sharding<@m, [{"tp"}, {}]>}) {
  // CHECK: shoal.constraint %{{.*}} <@m, [{"dp"}, {?}]> : tensor<8x5xf32>
  %0 = shoal.constraint %a <@m, [{"dp"}, {?}]> : tensor<8x5xf32>
  // CHECK: shoal.reshard %{{.*}} <@m, [{"tp"}, {"dp"} block 3]> : tensor<8x5xf32>
  %1 = shoal.reshard %0 <@m, [{"tp"}, {"dp"} block 3]> : tensor<8x5xf32>
  // CHECK: shoal.group %{{.*}} id = 7 : tensor<8x5xf32>
  shoal.group %0 id = 7 : tensor<8x5xf32>
  // CHECK: shoal.barrier %{{.*}} allowed_direction = forward : tensor<8x5xf32>
  %2 = shoal.barrier %1 allowed_direction = forward : tensor<8x5xf32>
  return %2 : tensor<8x5xf32>
}

// CHECK-LABEL: func @annotations
func.func @annotations(%a: tensor<8xf32>) -> tensor<8xf32> attributes {
    shoal.sharding_rule = #shoal.op_rule<([i])->([i]) {i=8}>} {
  // CHECK: shoal.form = #shoal.form<@m, [{"dp"}, {} block 5], strategy = "halo">
  // CHECK-SAME: shoal.shardings = #shoal.sharding_per_value<[<@m, [{"dp"}]>]>
  %0 = builtin.unrealized_conversion_cast %a : tensor<8xf32> to tensor<8xf32> {
      shoal.form = #shoal.form<@m, [{"dp"}, {} block 5], strategy = "halo">,
      shoal.shardings = #shoal.sharding_per_value<[<@m, [{"dp"}]>]>}
  return %0 : tensor<8xf32>
}

// CHECK-LABEL: func @manual
func.func @manual(%a: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // CHECK: shoal.manual(%{{.*}}) in_shardings=[<@m, [{"dp", "tp"}, {?}]>] out_shardings=[<@m, [{"dp"}, {}]>] manual_axes={"dp"} (%{{.*}}: tensor<4x8xf32>) {
  // CHECK:   shoal.manual(%{{.*}}) in_shardings=[<@m, [{"tp"}, {?}]>]
  // CHECK:     shoal.return %{{.*}} : tensor<1x8xf32>
  // CHECK:   } : (tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %0 = shoal.manual(%a) in_shardings=[<@m, [{"dp", "tp"}, {?}]>]
      out_shardings=[<@m, [{"dp"}, {}]>] manual_axes={"dp"}
      (%b: tensor<4x8xf32>) {
    %1 = shoal.manual(%b) in_shardings=[<@m, [{"tp"}, {?}]>]
        out_shardings=[<@m, [{"tp"}, {}]>] manual_axes={"tp"}
        (%c: tensor<1x8xf32>) {
      shoal.return %c : tensor<1x8xf32>
    } : (tensor<4x8xf32>) -> tensor<4x8xf32>
    shoal.return %1 : tensor<4x8xf32>
  } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}
