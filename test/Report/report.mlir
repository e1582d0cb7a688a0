// The report is made from a partitioned module: bytes in ring accounting times
// trip counts, flops of products, memory, and why each collective is there.
// RUN: shoal-compile %s --compile-from=partitioned --compile-to=partitioned --report=- --hardware=cpu | FileCheck %s
// RUN: shoal-compile %s --compile-from=partitioned --compile-to=partitioned --report=%t.json --table | FileCheck %s --check-prefix=TABLE
// RUN: FileCheck %s < %t.json

// CHECK: "mesh": {
// CHECK:   "dp"{{,[[:space:]]*}}2
// CHECK:   "tp"{{,[[:space:]]*}}4
// CHECK:   "devices": 8
shoal.mesh @m <["dp"=2, "tp"=4]>

// CHECK: "arguments": [
// CHECK:   "name": "arg0"
// CHECK:   "type": "f32"
// CHECK:   "shape": [{{[[:space:]]*}}16,{{[[:space:]]*}}64
// CHECK:   "sharding": "#shoal.sharding<@m, [{\"dp\"}, {}]>"
// CHECK:   "local_shape": [{{[[:space:]]*}}8,{{[[:space:]]*}}64
// CHECK:   "bytes_per_device": 2048
func.func @main(%x: tensor<8x64xf32> {shoal.sharding = #shoal.sharding<@m, [{"dp"}, {}]>,
                                      shoal.global_type = tensor<16x64xf32>},
                %w: tensor<64x16xf32>) -> tensor<8x16xf32> {
  // 2 * 8 * 16 * 64 = 16384 operations; all-reduce 2 * 3/4 * 512 bytes.
  // CHECK: "kind": "all_reduce"
  // CHECK: "axes": [{{[[:space:]]*}}"tp"
  // CHECK: "group_size": 4
  // CHECK: "bytes_sent_per_device": 768
  // CHECK: "count": 1
  // CHECK: "dynamic": false
  // CHECK: "reason": "partial sums"
  // CHECK: "loc": "{{.*}}report.mlir:[[# @LINE + 3]]:8"
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0]
      : (tensor<8x64xf32>, tensor<64x16xf32>) -> tensor<8x16xf32>
  %1 = comm.all_reduce add %0 over <@m, {"tp"}> {reason = "partial sums"} : tensor<8x16xf32>

  // CHECK: "kind": "all_gather"
  // CHECK: "bytes_sent_per_device": 1536
  // CHECK: "count": 3
  %c = stablehlo.constant dense<0> : tensor<i32>
  %2:2 = stablehlo.while(%i = %c, %a = %1) : tensor<i32>, tensor<8x16xf32>
      attributes {shoal.counted_loop = {index = 0 : i64, trip_count = 3 : i64}}
   cond {
    %n = stablehlo.constant dense<3> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
   } do {
    %g = comm.all_gather %a dim = 0 over <@m, {"dp"}> : (tensor<8x16xf32>) -> tensor<16x16xf32>
    %s = stablehlo.slice %g [0:8, 0:16] : (tensor<16x16xf32>) -> tensor<8x16xf32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %s : tensor<i32>, tensor<8x16xf32>
  }
  return %2#1 : tensor<8x16xf32>
}
// CHECK: "totals": {
// CHECK-NEXT: "bytes_sent_per_device": 2304
// CHECK-NEXT: "collective_count": 4
// CHECK: "flops_per_device": 16384
// CHECK: "peak_bytes_per_device": {{[1-9]}}
// CHECK: "modelled": {
// CHECK: "step_s":
// CHECK: "compile_s": {

// TABLE: Mesh: dp=2 tp=4 (8 devices)
// TABLE: collective  axes  ranks  times  sent per device  why
// TABLE: all_reduce  tp        4      1            768 B  partial sums
// TABLE: all_gather  dp        2      3           1.54 KB
// TABLE: Sent per device and step: 2.30 KB in 4 collectives
