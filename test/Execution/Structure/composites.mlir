// Composites with attributes, versions and regions, one inside another.
// RUN: shoal-run %s

func.func @main() {
  %x = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = stablehlo.composite "my.op" %x {composite_attributes = {a = 1 : i32}, decomposition = @f, version = 3 : i32} : (tensor<2xf32>) -> tensor<2xf32>
  %1 = "stablehlo.composite"(%x) ({
    ^bb0(%q: tensor<f32>):
     stablehlo.return %q : tensor<f32>
  }) {name = "my.reg", decomposition = @f} : (tensor<2xf32>) -> tensor<2xf32>
  check.expect_eq_const %0, dense<[2.0, 4.0]> : tensor<2xf32>
  check.expect_eq_const %1, dense<[2.0, 4.0]> : tensor<2xf32>
  return
}
func.func private @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %1 = stablehlo.composite "my.in" %x {decomposition = @g} : (tensor<2xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}
func.func private @g(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = stablehlo.add %x, %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
