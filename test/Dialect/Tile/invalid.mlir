// RUN: shoal-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{warps must be a power of two, at most 32}}
tile.func @f() attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 3>} {
  tile.return
}

// -----

// expected-error @+1 {{buffers come before host scalars}}
tile.func @f(%n: i64, %x: !tile.view<4xf32>) attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 1>} {
  tile.return
}

// -----

tile.func @f(%x: !tile.view<4x4xf32>) attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 1>} {
  %zero = arith.constant 0 : i32
  // expected-error @+1 {{a tile of rank 1 cannot be part of a view of rank 2}}
  %t = tile.load %x[%zero, %zero] : !tile.view<4x4xf32> -> tensor<4xf32>
  tile.return
}

// -----

tile.func @f(%x: !tile.view<4xf32>) attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 1>} {
  %zero = arith.constant 0 : i32
  // expected-error @+1 {{must be a tile}}
  %t = tile.load %x[%zero] : !tile.view<4xf32> -> tensor<5xf32>
  tile.return
}

// -----

// expected-error @+1 {{the layout does not reach every element}}
func.func @f(%x: tensor<4xf32, #tile.layout<4, {register = [[1]], lane = [], warp = [], block = []}>>) {
  return
}

// -----

tile.func @f(%x: !tile.view<4x4xf32>) attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 1>} {
  %zero = arith.constant 0 : i32
  %t = tile.load %x[%zero, %zero] : !tile.view<4x4xf32> -> tensor<4x4xf32>
  // expected-error @+1 {{results have size 1 in the axis}}
  %r = tile.reduce(%t) axis 0 : (tensor<4x4xf32>) -> tensor<4x1xf32> {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    tile.yield %a : tensor<f32>
  }
  tile.return
}

// -----

tile.func @f(%x: !tile.view<4xf32>) attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 1>} {
  %zero = arith.constant 0 : i32
  %t = tile.load %x[%zero] : !tile.view<4xf32> -> tensor<4xf32>
  // expected-error @+1 {{the region yields rank-0 tensors of the results' element types}}
  %r = tile.map(%t) : (tensor<4xf32>) -> tensor<4xi32> {
  ^bb0(%a: tensor<f32>):
    tile.yield %a : tensor<f32>
  }
  tile.return
}
