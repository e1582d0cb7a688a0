// Windows along uneven cut dimensions, with fewer results than devices, halos
// wider than a block, and padding that must not be seen.
// RUN: env SHOAL_TEST_POISON=1 shoal-run %s
sdy.mesh @mesh = <["a"=2, "b"=4]>
func.func @main() {
  %i = stablehlo.iota dim = 0 : tensor<5xi32>
  %0 = sdy.sharding_constraint %i <@mesh, [{"b", "a"}]> : tensor<5xi32>
  // Interior padding, and a crop.
  %m = stablehlo.constant dense<-1> : tensor<i32>
  %1 = stablehlo.pad %0, %m, low = [-1], high = [2], interior = [2] : (tensor<5xi32>, tensor<i32>) -> tensor<14xi32>
  %2 = sdy.sharding_constraint %1 <@mesh, [{"a", "b"}]> : tensor<14xi32>
  check.expect_eq_const %2, dense<[-1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1]> : tensor<14xi32>
  // Base and window dilation; the window is wider than what a device holds.
  %z = stablehlo.constant dense<0> : tensor<i32>
  %3 = "stablehlo.reduce_window"(%2, %z) <{base_dilations = array<i64: 2>, padding = dense<[[3, -2]]> : tensor<1x2xi64>, window_dilations = array<i64: 4>, window_dimensions = array<i64: 3>, window_strides = array<i64: 3>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.add %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<14xi32>, tensor<i32>) -> tensor<7xi32>
  %4 = sdy.sharding_constraint %3 <@mesh, [{"b"}]> : tensor<7xi32>
  check.expect_eq_const %4, dense<[0, -1, 0, 0, 0, 1, 0]> : tensor<7xi32>
  // One window over all of it: partial sums.
  %5 = "stablehlo.reduce_window"(%0, %z) <{window_dimensions = array<i64: 5>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.add %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<5xi32>, tensor<i32>) -> tensor<1xi32>
  check.expect_eq_const %5, dense<10> : tensor<1xi32>
  // Windows that begin and end in padding select among elements only.
  %6 = "stablehlo.select_and_scatter"(%0, %4, %z) <{padding = dense<[[2, 2]]> : tensor<1x2xi64>, window_dimensions = array<i64: 3>, window_strides = array<i64: 1>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.compare LE, %x, %y : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %s : tensor<i1>
  }, {
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.add %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<5xi32>, tensor<7xi32>, tensor<i32>) -> tensor<5xi32>
  check.expect_eq_const %6, dense<[-1, 0, 0, 1, 0]> : tensor<5xi32>
  return
}
