// RUN: shoal-opt %s --shoal-compress-gradients="how=topk:0.01@x min-bytes=64 block=256" | FileCheck %s
// RUN: shoal-opt %s --shoal-compress-gradients="how=lowrank:2@x min-bytes=64" | FileCheck %s --check-prefix=LOW
// RUN: shoal-opt %s --shoal-compress-gradients="how=topk:0.01@* min-bytes=64 block=256 remarks=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Nothing unless it is asked for, and only over the axes that are named.
// RUN: shoal-opt %s --shoal-compress-gradients | FileCheck %s --check-prefix=EXACT
// RUN: shoal-opt %s --shoal-compress-gradients="how=topk:0.01@y min-bytes=64" | FileCheck %s --check-prefix=EXACT
// Half of the elements with their places are more bytes than all of them.
// RUN: shoal-opt %s --shoal-compress-gradients="how=topk:0.5@x min-bytes=64" | FileCheck %s --check-prefix=EXACT
// RUN: not shoal-opt %s --shoal-compress-gradients="how=topk:2@x" 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: not shoal-opt %s --shoal-compress-gradients="how=lowrank:4" 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: --compress-gradients: '{{.*}}' is no method; write topk:RATIO@AXES or lowrank:RANK@AXES

shoal.mesh @m <["x"=4, "y"=2]>

// EXACT-NOT: shoal.role
// EXACT: comm.all_reduce add

// The gradient's sum: an argument and a result more, of each device its own. An
// activation's sum, which goes into a product, is left alone; so is one in a
// loop.
// CHECK: func.func @main(
// CHECK-SAME: %[[ERROR:[a-z0-9]+]]: tensor<1x40x32xf32> {shoal.global_type = tensor<8x40x32xf32>, shoal.role = "error of the compressed sum at {{.*}}", shoal.sharding = #shoal.sharding<@m, {{\[}}{"x", "y"}, {}, {}]>, tf.aliasing_output = 2 : i32})
// CHECK-SAME: -> (tensor<40x32xbf16>, tensor<16x16xf32>, tensor<1x40x32xf32> {shoal.global_type
// CHECK: comm.all_reduce add %{{.*}} over <@m, {"x"}> : tensor<16x32xf32>
// CHECK: %[[X:.*]] = stablehlo.reshape %{{.*}} : (tensor<1280xf32>) -> tensor<5x256xf32>
// CHECK: %[[A:.*]] = stablehlo.abs %[[X]]
// CHECK: %[[V:.*]], %[[I:.*]] = chlo.top_k(%[[A]], k = 3)
// CHECK: %[[P:.*]] = "stablehlo.gather"(%[[X]]
// CHECK: %[[S:.*]] = stablehlo.convert %[[P]] : (tensor<5x3xf32>) -> tensor<5x3xbf16>
// CHECK: comm.all_gather %[[S]] dim = 1 over <@m, {"x"}> : (tensor<5x3xbf16>) -> tensor<5x12xbf16>
// CHECK: %[[W:.*]] = stablehlo.convert %[[I]] : (tensor<5x3xi32>) -> tensor<5x3xui16>
// CHECK: comm.all_gather %[[W]] dim = 1 over <@m, {"x"}>
// CHECK: "stablehlo.scatter"
// CHECK: "stablehlo.scatter"(%[[X]], %{{.*}}
// CHECK: %[[R:.*]] = stablehlo.reshape %{{.*}} : (tensor<1280xf32>) -> tensor<1x40x32xf32>
// CHECK: stablehlo.while
// CHECK: comm.all_reduce
// CHECK: return %{{.*}}, %{{.*}}, %[[R]]
// REMARK: remark: compressed: 3840 -> 180 bytes sent; what is left out is result 2, which is argument 3 of the next step (zeros in the first)

// LOW: func.func @main(
// LOW-SAME: shoal.role = "error of
// LOW-SAME: tensor<1x32x2xf32> {shoal.global_type = tensor<8x32x2xf32>, shoal.role = "basis of
// LOW: comm.all_reduce add %{{.*}} over <@m, {"x"}> : tensor<40x2xf32>
// LOW: comm.all_reduce add %{{.*}} over <@m, {"x"}> : tensor<32x2xf32>
func.func @main(%x: tensor<16x40xf32>, %w: tensor<40x32xbf16>, %a: tensor<16x16xf32>) -> (tensor<40x32xbf16>, tensor<16x16xf32>) {
  %f = stablehlo.convert %w : (tensor<40x32xbf16>) -> tensor<40x32xf32>
  %0 = stablehlo.dot_general %x, %f, contracting_dims = [1] x [0] : (tensor<16x40xf32>, tensor<40x32xf32>) -> tensor<16x32xf32>
  %1 = comm.all_reduce add %0 over <@m, {"x"}> : tensor<16x32xf32>
  %2 = stablehlo.dot_general %x, %1, contracting_dims = [0] x [0] : (tensor<16x40xf32>, tensor<16x32xf32>) -> tensor<40x32xf32>
  %3 = stablehlo.convert %2 : (tensor<40x32xf32>) -> tensor<40x32xbf16>
  %4 = comm.all_reduce add %3 over <@m, {"x"}> : tensor<40x32xbf16>
  %5 = stablehlo.subtract %w, %4 : tensor<40x32xbf16>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %s = %a) : tensor<i32>, tensor<16x16xf32>
  cond {
    %end = stablehlo.constant dense<8> : tensor<i32>
    %c = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.add %i, %one : tensor<i32>
    %7 = comm.all_reduce add %s over <@m, {"x"}> : tensor<16x16xf32>
    stablehlo.return %n, %7 : tensor<i32>, tensor<16x16xf32>
  }
  return %5, %r#1 : tensor<40x32xbf16>, tensor<16x16xf32>
}
