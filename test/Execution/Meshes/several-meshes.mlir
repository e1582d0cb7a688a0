// Meshes of one size related by their axes, one of another order, axes of size
// 1, no axes at all, and everything on one device.
// RUN: shoal-run %s
module attributes {mhlo.num_partitions = 8 : i32} {
  sdy.mesh @flat = <["x"=8]>
  sdy.mesh @grid = <["a"=2, "b"=4]>
  sdy.mesh @turned = <["p"=4, "q"=2], device_ids=[0, 4, 1, 5, 2, 6, 3, 7]>
  sdy.mesh @mixed = <["u"=2, "v"=2, "w"=2], device_ids=[3, 0, 1, 2, 7, 4, 6, 5]>
  sdy.mesh @ones = <["o"=1, "x"=8, "e"=1]>
  sdy.mesh @none = <[]>
  sdy.mesh @single = <[], device_ids=[5]>
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<13x7xi32>
    %1 = stablehlo.iota dim = 1 : tensor<13x7xi32>
    %c = stablehlo.constant dense<100> : tensor<13x7xi32>
    %2 = stablehlo.multiply %0, %c : tensor<13x7xi32>
    %want = stablehlo.add %2, %1 : tensor<13x7xi32>
    %b = stablehlo.optimization_barrier %want : tensor<13x7xi32>
    %3 = sdy.sharding_constraint %b <@flat, [{"x"}, {}]> : tensor<13x7xi32>
    %n3 = stablehlo.negate %3 : tensor<13x7xi32>
    %4 = sdy.sharding_constraint %n3 <@grid, [{"b"}, {"a"}]> : tensor<13x7xi32>
    %n4 = stablehlo.negate %4 : tensor<13x7xi32>
    %5 = sdy.sharding_constraint %n4 <@turned, [{"q"}, {"p"}]> : tensor<13x7xi32>
    %n5 = stablehlo.negate %5 : tensor<13x7xi32>
    %6 = sdy.sharding_constraint %n5 <@ones, [{"o"}, {"x", "e"}]> : tensor<13x7xi32>
    %n6 = stablehlo.negate %6 : tensor<13x7xi32>
    %7 = sdy.sharding_constraint %n6 <@mixed, [{"w", "u"}, {"v"}]> : tensor<13x7xi32>
    %n7 = stablehlo.negate %7 : tensor<13x7xi32>
    %8 = sdy.sharding_constraint %n7 <@none, [{}, {}]> : tensor<13x7xi32>
    %n8 = stablehlo.negate %8 : tensor<13x7xi32>
    %9 = sdy.sharding_constraint %n8 <@single, []> : tensor<13x7xi32>
    %n9 = stablehlo.negate %9 : tensor<13x7xi32>
    %10 = sdy.sharding_constraint %n9 <@flat, [{"x":(2)2, "x":(1)2}, {"x":(4)2}]> : tensor<13x7xi32>
    %n10 = stablehlo.negate %10 : tensor<13x7xi32>
    check.expect_eq %n10, %want : tensor<13x7xi32>
    %z = stablehlo.constant dense<0> : tensor<i32>
    %r = stablehlo.reduce(%10 init: %z) applies stablehlo.add across dimensions = [0] : (tensor<13x7xi32>, tensor<i32>) -> tensor<7xi32>
    check.expect_eq_const %r, dense<[-7800, -7813, -7826, -7839, -7852, -7865, -7878]> : tensor<7xi32>
    return
  }
}
