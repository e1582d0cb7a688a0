// An update placed inside the buffer that it updates: its sum with a shifted
// view of that buffer may not take its place, or rows are read after they were
// overwritten. (Found by assembled.py, seed 111.)
// RUN: shoal-run %s --input=random:3 --output=%t.npz --single-device
// RUN: env SHOAL_TEST_OPT_LEVEL=0 shoal-run %s --input=random:3 --check=%t.npz --atol=1e-5
module attributes {mhlo.num_partitions = 2 : i32} {
  sdy.mesh @mesh = <["x"=2]>
  func.func @main(%a: tensor<2x11x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"x"}]>}, %b: tensor<2x8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"x"}]>}) -> (tensor<2x8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}, {}]>}) {
    %c0 = stablehlo.constant dense<0> : tensor<i32>
    %c1 = stablehlo.constant dense<1> : tensor<i32>
    %c3 = stablehlo.constant dense<3> : tensor<i32>
    %x = sdy.sharding_constraint %a <@mesh, [{"x"}, {}, {}]> : tensor<2x11x8xf32>
    %u = sdy.sharding_constraint %b <@mesh, [{"x"}, {}, {}]> : tensor<2x8x8xf32>
    %v = stablehlo.dynamic_update_slice %x, %u, %c0, %c3, %c0 : (tensor<2x11x8xf32>, tensor<2x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x11x8xf32>
    %w = stablehlo.dynamic_slice %v, %c0, %c1, %c0, sizes = [2, 8, 8] : (tensor<2x11x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x8x8xf32>
    %y = stablehlo.add %u, %w : tensor<2x8x8xf32>
    %z = stablehlo.sine %y : tensor<2x8x8xf32>
    %r = sdy.sharding_constraint %z <@mesh, [{}, {}, {"x"}]> : tensor<2x8x8xf32>
    return %r : tensor<2x8x8xf32>
  }
}
