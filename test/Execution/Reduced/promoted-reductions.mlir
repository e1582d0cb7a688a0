// Bodies that compute in a wider type than the operands have.
// RUN: shoal-run %s --single-device
func.func @main() {
  %a = stablehlo.constant dense<[100, 100, 100]> : tensor<3xi8>
  %zero = stablehlo.constant dense<1000> : tensor<i16>
  %0 = "stablehlo.reduce"(%a, %zero) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<i16>, %y: tensor<i16>):
    %s = stablehlo.add %x, %y : tensor<i16>
    stablehlo.return %s : tensor<i16>
  }) : (tensor<3xi8>, tensor<i16>) -> tensor<i16>
  check.expect_eq_const %0, dense<1300> : tensor<i16>
  %one = stablehlo.constant dense<1> : tensor<i8>
  %1 = "stablehlo.reduce_window"(%a, %one) <{window_dimensions = array<i64: 2>}> ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.add %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<3xi8>, tensor<i8>) -> tensor<2xi32>
  check.expect_eq_const %1, dense<201> : tensor<2xi32>
  %at = stablehlo.constant dense<[[1], [1]]> : tensor<2x1xi32>
  %u = stablehlo.constant dense<100> : tensor<2xi8>
  %2 = "stablehlo.scatter"(%a, %at, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<i16>, %y: tensor<i16>):
    %s = stablehlo.add %x, %y : tensor<i16>
    stablehlo.return %s : tensor<i16>
  }) : (tensor<3xi8>, tensor<2x1xi32>, tensor<2xi8>) -> tensor<3xi16>
  check.expect_eq_const %2, dense<[100, 300, 100]> : tensor<3xi16>
  %b = stablehlo.constant dense<[3, 1, 2]> : tensor<3xi8>
  %3 = "stablehlo.select_and_scatter"(%b, %u, %one) <{window_dimensions = array<i64: 2>}> ({
  ^bb0(%x: tensor<i8>, %y: tensor<i8>):
    %p = stablehlo.compare GE, %x, %y : (tensor<i8>, tensor<i8>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%x: tensor<i16>, %y: tensor<i16>):
    %s = stablehlo.multiply %x, %y : tensor<i16>
    %t = stablehlo.multiply %s, %y : tensor<i16>
    stablehlo.return %t : tensor<i16>
  }) : (tensor<3xi8>, tensor<2xi8>, tensor<i8>) -> tensor<3xi16>
  check.expect_eq_const %3, dense<[10000, 1, 10000]> : tensor<3xi16>
  return
}
