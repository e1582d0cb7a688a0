// RUN: shoal-opt %s --tile-assign-layouts | FileCheck %s

// Tiles that are combined element by element share one layout: vectors of 16
// bytes, then lanes, along the dimension that is contiguous in memory; warps
// take rows. A row's statistics have the same layout, restricted.
// CHECK-DAG: #[[FULL:.*]] = #tile.layout<4x128, {register = {{\[\[}}0, 1], [0, 2]], lane = {{\[\[}}0, 4], [0, 8], [0, 16], [0, 32], [0, 64]], warp = {{\[\[}}1, 0], [2, 0]]
// CHECK-DAG: #[[ROW:.*]] = #tile.layout<4x1, {register = [], lane = {{\[\[}}0, 0], [0, 0], [0, 0], [0, 0], [0, 0]], warp = {{\[\[}}1, 0], [2, 0]]
// CHECK-LABEL: tile.func @rows
// CHECK: %[[X:.*]] = tile.load {{.*}} -> tensor<4x128xf32, #[[FULL]]>
// CHECK: tile.reduce(%[[X]]) {{.*}} -> tensor<4x1xf32, #[[ROW]]>
// CHECK: tile.broadcast {{.*}} : tensor<4x1xf32, #[[ROW]]> -> tensor<4x128xf32, #[[FULL]]>
// CHECK-NOT: convert_layout
// CHECK: tile.store {{.*}} : tensor<4x128xf32, #[[FULL]]>
tile.func @rows(%x: !tile.view<64x128xf32> {tile.align = 64 : i64}, %y: !tile.view<64x128xf32> {tile.align = 64 : i64})
    attributes {launch = #tile.launch<grid = [16, 1, 1], warps = 4>} {
  %z = arith.constant 0 : i32
  %four = arith.constant 4 : i32
  %id = tile.program_id 0
  %row = arith.muli %id, %four : i32
  %t = tile.load %x[%row, %z] {in_bounds = array<i1: true, true>, divisible = array<i64: 4, 128>}
    : !tile.view<64x128xf32> -> tensor<4x128xf32>
  %s = tile.reduce(%t) axis 1 : (tensor<4x128xf32>) -> tensor<4x1xf32> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.maximum %a, %b : tensor<f32>
    tile.yield %m : tensor<f32>
  }
  %w = tile.broadcast %s : tensor<4x1xf32> -> tensor<4x128xf32>
  %r = tile.map(%t, %w) : (tensor<4x128xf32>, tensor<4x128xf32>) -> tensor<4x128xf32> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.subtract %a, %b : tensor<f32>
    tile.yield %m : tensor<f32>
  }
  tile.store %r, %y[%row, %z] {in_bounds = array<i1: true, true>, divisible = array<i64: 4, 128>}
    : tensor<4x128xf32>, !tile.view<64x128xf32>
  tile.return
}

// Contiguous along another dimension where it is stored: one conversion.
// CHECK-LABEL: tile.func @transpose
// CHECK: %[[T:.*]] = tile.load
// CHECK: %[[C:.*]] = tile.convert_layout %[[T]]
// CHECK: tile.store %[[C]]
tile.func @transpose(%x: !tile.view<64x64xf32> {tile.align = 64 : i64}, %y: !tile.view<64x64xf32, strides = [1, 64]> {tile.align = 64 : i64})
    attributes {launch = #tile.launch<grid = [4, 1, 1], warps = 4>} {
  %z = arith.constant 0 : i32
  %t = tile.load %x[%z, %z] {in_bounds = array<i1: true, true>, divisible = array<i64: 64, 64>}
    : !tile.view<64x64xf32> -> tensor<64x64xf32>
  tile.store %t, %y[%z, %z] {in_bounds = array<i1: true, true>, divisible = array<i64: 64, 64>}
    : tensor<64x64xf32>, !tile.view<64x64xf32, strides = [1, 64]>
  tile.return
}
