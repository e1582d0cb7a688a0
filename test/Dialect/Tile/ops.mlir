// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt %s --mlir-print-op-generic | shoal-opt | FileCheck %s

// CHECK-DAG: [[FULL:#layout[0-9]*]] = #tile.layout<2x128, {register = {{\[\[}}0, 1], [0, 2]], lane = {{\[\[}}0, 4], [0, 8], [0, 16], [0, 32], [0, 64]], warp = {{\[\[}}1, 0]], block = []}>
#full = #tile.layout<2x128, {register = [[0, 1], [0, 2]],
  lane = [[0, 4], [0, 8], [0, 16], [0, 32], [0, 64]], warp = [[1, 0]], block = []}>
#row = #tile.layout<2x1, {register = [], lane = [[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]],
  warp = [[1, 0]], block = []}>
#smem = #tile.layout<2x128, {offset = [[0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [0, 64], [1, 0]]}>

// CHECK-LABEL: tile.func @softmax_like
// CHECK-SAME: launch = #tile.launch<grid = [5, 1, 1], warps = 2>
tile.func @softmax_like(%x: !tile.view<10x100xf32>, %y: !tile.view<10x100xf32>)
    attributes {launch = #tile.launch<grid = [5, 1, 1], warps = 2>,
                config = #tile.config<"rows", tile = [2, 128], warps = 2>} {
  %zero = arith.constant 0 : i32
  %two = arith.constant 2 : i32
  %id = tile.program_id 0
  %row = arith.muli %id, %two : i32
  // CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}] pad 0xFF800000 : f32
  %t = tile.load %x[%row, %zero] pad 0xFF800000 : f32 {in_bounds = array<i1: true, false>}
    : !tile.view<10x100xf32> -> tensor<2x128xf32, #full>
  // CHECK: tile.reduce(%{{.*}}) axis 1 : (tensor<2x128xf32, [[FULL]]>) -> tensor<2x1xf32
  %max = tile.reduce(%t) axis 1 : (tensor<2x128xf32, #full>) -> tensor<2x1xf32, #row> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.maximum %a, %b : tensor<f32>
    tile.yield %m : tensor<f32>
  }
  %wide = tile.broadcast %max : tensor<2x1xf32, #row> -> tensor<2x128xf32, #full>
  // CHECK: tile.map
  %e = tile.map(%t, %wide) : (tensor<2x128xf32, #full>, tensor<2x128xf32, #full>) -> tensor<2x128xf32, #full> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %d = stablehlo.subtract %a, %b : tensor<f32>
    %r = stablehlo.exponential %d : tensor<f32>
    tile.yield %r : tensor<f32>
  }
  %c = tile.scan(%e) axis 1 reverse : (tensor<2x128xf32, #full>) -> tensor<2x128xf32, #full> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.add %a, %b : tensor<f32>
    tile.yield %m : tensor<f32>
  }
  tile.store %c, %y[%row, %zero] : tensor<2x128xf32, #full>, !tile.view<10x100xf32>
  tile.return
}

// CHECK-LABEL: tile.func @memory
tile.func @memory(%x: !tile.view<64x128xf32> {tile.align = 64 : i64}, %n: i64,
    %w: !tile.view<4xi32> {tile.scratch = "zeroed"})
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 2>} {
  %zero = arith.constant 0 : i32
  // CHECK: tile.view %{{.*}} start 5 plus %{{.*}} : <64x128xf32> -> <128x64xf32, strides = [1, 128]>
  %t = tile.view %x start 5 plus %n : !tile.view<64x128xf32> -> !tile.view<128x64xf32, strides = [1, 128]>
  // CHECK: tile.alloc_shared : <2x128xf32, #layout{{[0-9]*}}, stages = 3>
  %ring = tile.alloc_shared : !tile.shared<2x128xf32, #smem, stages = 3>
  %slot = tile.slot %ring[%zero] : !tile.shared<2x128xf32, #smem, stages = 3> -> !tile.shared<2x128xf32, #smem>
  tile.async_copy %x[%zero, %zero] to %slot : !tile.view<64x128xf32> -> !tile.shared<2x128xf32, #smem>
  tile.async_commit
  tile.async_wait 0
  tile.barrier
  %a = tile.local_load %slot : !tile.shared<2x128xf32, #smem> -> tensor<2x128xf32, #full>
  tile.local_store %a, %slot : tensor<2x128xf32, #full>, !tile.shared<2x128xf32, #smem>
  %i = tile.iota 0 plus %zero : tensor<2x128xi32, #full>
  %j = tile.iota 1 : tensor<2x128xi32, #full>
  %g = tile.gather %x[%i, %j] pad 0.0 : f32 : !tile.view<64x128xf32>[tensor<2x128xi32, #full>, tensor<2x128xi32, #full>] -> tensor<2x128xf32, #full>
  tile.scatter add %g, %t[%j, %i] : tensor<2x128xf32, #full>, !tile.view<128x64xf32, strides = [1, 128]>[tensor<2x128xi32, #full>, tensor<2x128xi32, #full>]
  %k = tile.constant 1.0 : f32 : tensor<2x128xf32, #full>
  %s = tile.splat %zero : i32 -> tensor<2x128xi32, #full>
  // CHECK: tile.arrive
  %before = tile.arrive %w[%zero] : !tile.view<4xi32>
  tile.return
}

// CHECK-LABEL: tile.func @without_layouts
tile.func @without_layouts(%x: !tile.view<64x64xbf16>, %y: !tile.view<64x64xf32>)
    attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 4>} {
  %zero = arith.constant 0 : i32
  %a = tile.load %x[%zero, %zero] : !tile.view<64x64xbf16> -> tensor<64x64xbf16>
  %b = tile.transpose %a by [1, 0] : tensor<64x64xbf16> -> tensor<64x64xbf16>
  %r = tile.reshape %a : tensor<64x64xbf16> -> tensor<4096xbf16>
  %acc = tile.constant 0.0 : f32 : tensor<64x64xf32>
  // CHECK: tile.dot %{{.*}}, %{{.*}}, %{{.*}} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  %d = tile.dot %a, %b, %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  tile.store %d, %y[%zero, %zero] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}
