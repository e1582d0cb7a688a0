// Tuples in tuples, with a token, as argument and result.
// RUN: shoal-run %s --input=random

func.func @main(%x: tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tuple<tuple<tensor<i32>>, tensor<2xf32>> {
  %a = stablehlo.get_tuple_element %x[0] : (tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tensor<2xf32>
  %b = stablehlo.get_tuple_element %x[1] : (tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tuple<tensor<i32>, !stablehlo.token>
  %c = stablehlo.get_tuple_element %b[0] : (tuple<tensor<i32>, !stablehlo.token>) -> tensor<i32>
  %d = stablehlo.tuple %c : tuple<tensor<i32>>
  %r = stablehlo.tuple %d, %a : tuple<tuple<tensor<i32>>, tensor<2xf32>>
  return %r : tuple<tuple<tensor<i32>>, tensor<2xf32>>
}
