// RUN: shoal-compile %s --compile-to=sharded -o - | FileCheck %s
// RUN: shoal-compile %s --compile-to=sharded --memory-limit=1000000 -o /dev/null 2>&1 | FileCheck %s --check-prefix=LIMIT

// The weights of all layers are cut over the batch's axis (ZeRO-3). Gathered
// before the two loops they would be sent once instead of twice, but all of
// them would be held at once, which is what cutting them was to avoid: each
// loop gathers the layer it is at.
// LIMIT: remark: about 18.1 MB a device are held at once, more than the limit of 1.00 MB; no other choice of forms needs less
sdy.mesh @mesh = <["d"=4]>

// CHECK-LABEL: func.func @main
// CHECK-NOT: shoal.reshard
// CHECK: stablehlo.while
// CHECK: } do {
// CHECK: shoal.reshard {{.*}} : tensor<256x256xf32>
// CHECK: stablehlo.return
// CHECK-NOT: shoal.reshard
// CHECK: stablehlo.while
// CHECK: } do {
// CHECK: shoal.reshard {{.*}} : tensor<256x256xf32>
// CHECK: stablehlo.return
func.func @main(%x: tensor<32768x256xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"d"}, {}]>},
                %w: tensor<8x256x256xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"d"}, {}]>})
    -> (tensor<32768x256xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"d"}, {}]>}) {
  %c0 = stablehlo.constant dense<0> : tensor<i32>
  %c1 = stablehlo.constant dense<1> : tensor<i32>
  %c8 = stablehlo.constant dense<8> : tensor<i32>
  %forward:3 = stablehlo.while(%i = %c0, %y = %x, %v = %w) : tensor<i32>, tensor<32768x256xf32>, tensor<8x256x256xf32>
  cond {
    %more = stablehlo.compare LT, %i, %c8 : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %more : tensor<i1>
  } do {
    %slice = stablehlo.dynamic_slice %v, %i, %c0, %c0, sizes = [1, 256, 256]
      : (tensor<8x256x256xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x256x256xf32>
    %layer = stablehlo.reshape %slice : (tensor<1x256x256xf32>) -> tensor<256x256xf32>
    %next = stablehlo.dot_general %y, %layer, contracting_dims = [1] x [0]
      : (tensor<32768x256xf32>, tensor<256x256xf32>) -> tensor<32768x256xf32>
    %j = stablehlo.add %i, %c1 : tensor<i32>
    stablehlo.return %j, %next, %v : tensor<i32>, tensor<32768x256xf32>, tensor<8x256x256xf32>
  }
  %z = stablehlo.tanh %forward#1 : tensor<32768x256xf32>
  %backward:3 = stablehlo.while(%i = %c0, %y = %z, %v = %w) : tensor<i32>, tensor<32768x256xf32>, tensor<8x256x256xf32>
  cond {
    %more = stablehlo.compare LT, %i, %c8 : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %more : tensor<i1>
  } do {
    %slice = stablehlo.dynamic_slice %v, %i, %c0, %c0, sizes = [1, 256, 256]
      : (tensor<8x256x256xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x256x256xf32>
    %layer = stablehlo.reshape %slice : (tensor<1x256x256xf32>) -> tensor<256x256xf32>
    %next = stablehlo.dot_general %y, %layer, contracting_dims = [1] x [1]
      : (tensor<32768x256xf32>, tensor<256x256xf32>) -> tensor<32768x256xf32>
    %j = stablehlo.add %i, %c1 : tensor<i32>
    stablehlo.return %j, %next, %v : tensor<i32>, tensor<32768x256xf32>, tensor<8x256x256xf32>
  }
  return %backward#1 : tensor<32768x256xf32>
}
