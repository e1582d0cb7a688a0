// A body that picks the first of several is not commutative: with the minor of
// two reduced dimensions cut, parts do not come in the order of the elements.
// RUN: shoal-run %s
// RUN: env SHOAL_TEST_FORMS=1 shoal-run %s
// RUN: env SHOAL_TEST_FORMS=2 shoal-run %s
module attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @mesh = <["a"=2, "b"=2]>
  func.func public @main() {
    %0 = stablehlo.constant dense<[[7, 8, 9, 1], [2, 3, 4, 5]]> : tensor<2x4xi32>
    %1 = stablehlo.constant dense<[[0, 0, 0, 1], [1, 0, 0, 0]]> : tensor<2x4xi32>
    %b:2 = stablehlo.optimization_barrier %0, %1 : tensor<2x4xi32>, tensor<2x4xi32>
    %x = sdy.sharding_constraint %b#0 <@mesh, [{}, {"a", "b"}]> : tensor<2x4xi32>
    %k = sdy.sharding_constraint %b#1 <@mesh, [{}, {"a", "b"}]> : tensor<2x4xi32>
    %z = stablehlo.constant dense<0> : tensor<i32>
    %n = stablehlo.constant dense<-1> : tensor<i32>
    // The first value whose key is set.
    %r:2 = "stablehlo.reduce"(%x, %k, %n, %z) <{dimensions = array<i64: 0, 1>}> ({
    ^bb0(%p: tensor<i32>, %pk: tensor<i32>, %q: tensor<i32>, %qk: tensor<i32>):
      %c = stablehlo.compare NE, %pk, %z : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %v = stablehlo.select %c, %p, %q : tensor<i1>, tensor<i32>
      %w = stablehlo.select %c, %pk, %qk : tensor<i1>, tensor<i32>
      stablehlo.return %v, %w : tensor<i32>, tensor<i32>
    }) : (tensor<2x4xi32>, tensor<2x4xi32>, tensor<i32>, tensor<i32>) -> (tensor<i32>, tensor<i32>)
    check.expect_eq_const %r#0, dense<1> : tensor<i32>
    return
  }
}
