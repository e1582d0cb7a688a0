// A manual region whose part of a dimension (3) the free axis "b" does not
// divide: blocks of 2 outside (6 over 4 devices) are not blocks of 2 within
// each 3, so what crosses the boundary is cut along "a" alone. (Found by
// fuzz.py, seed 1000103.)
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=2, "b"=2]>
  func.func @main() {
    %0 = stablehlo.iota dim = 0 : tensor<6xi32>
    %1 = sdy.sharding_constraint %0 <@mesh, [{"a", "b"}]> : tensor<6xi32>
    %2 = stablehlo.add %1, %1 : tensor<6xi32>
    %3 = sdy.manual_computation(%2) in_shardings=[<@mesh, [{"a", ?}]>] out_shardings=[<@mesh, [{"a", ?}]>] manual_axes={"a"} (%x: tensor<3xi32>) {
      %4 = stablehlo.reverse %x, dims = [0] : tensor<3xi32>
      sdy.return %4 : tensor<3xi32>
    } : (tensor<6xi32>) -> tensor<6xi32>
    %5 = sdy.sharding_constraint %3 <@mesh, [{"a", "b"}]> : tensor<6xi32>
    check.expect_eq_const %5, dense<[4, 2, 0, 10, 8, 6]> : tensor<6xi32>
    return
  }
}
