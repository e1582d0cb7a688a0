// RUN: shoal-opt %s --shoal-unify-meshes --split-input-file | FileCheck %s

// An axis of a coarser mesh is several of the finer one; of a transposed mesh,
// the same ones in another order.
// CHECK: shoal.mesh @fine <["a"=2, "b"=2, "c"=2]>
// CHECK-NOT: shoal.mesh
shoal.mesh @coarse <["x"=4, "y"=2]>
shoal.mesh @fine <["a"=2, "b"=2, "c"=2]>
shoal.mesh @transposed <["p"=2, "q"=4], device_ids=[0, 2, 4, 6, 1, 3, 5, 7]>
// CHECK-LABEL: func.func @main(
// CHECK-SAME{LITERAL}: <@fine, [{"a", "b"}, {"c"}]>
// CHECK-SAME{LITERAL}: <@fine, [{"a"}, {"b"}]>
// CHECK-SAME{LITERAL}: <@fine, [{"c"}, {"a", "b"}]>
// CHECK-SAME{LITERAL}: <@fine, [{"b"}, {}]>
func.func @main(%0: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@coarse, [{"x"}, {"y"}]>},
                %1: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@fine, [{"a"}, {"b"}]>},
                %2: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@transposed, [{"p"}, {"q"}]>},
                %3: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<@coarse, [{"x":(2)2}, {}]>}) {
  return
}

// -----

// Without a named mesh one is made that refines those written in place.
// CHECK: shoal.mesh @mesh <["x0"=2, "x1"=2, "x2"=2]>
// CHECK-LABEL: func.func @in_place(
// CHECK-SAME{LITERAL}: <@mesh, [{"x0"}, {"x1", "x2"}]>
// CHECK-SAME{LITERAL}: <@mesh, [{"x0", "x1"}, {"x2"}]>
func.func @in_place(%0: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<mesh<["d0"=2, "d1"=4]>, [{"d0"}, {"d1"}]>},
                    %1: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<mesh<["d0"=4, "d1"=2]>, [{"d0"}, {"d1"}]>}) {
  return
}

// -----

// Three times two devices do not refine two times three: what is cut into three
// over the one is cut into three over the other.
// CHECK: shoal.mesh @a
// CHECK-NOT: shoal.mesh @b
shoal.mesh @a <["x"=2, "y"=3]>
shoal.mesh @b <["p"=3, "q"=2]>
// CHECK-LABEL: func.func @unrelated(
// CHECK-SAME{LITERAL}: <@a, [{"x"}]>
// CHECK-SAME{LITERAL}: <@a, [{"y"}]>
func.func @unrelated(%0: tensor<6xf32> {shoal.sharding = #shoal.sharding<@a, [{"x"}]>},
                     %1: tensor<6xf32> {shoal.sharding = #shoal.sharding<@b, [{"p"}]>}) {
  return
}

// -----

// Regions manual on parts of each other's axes: the mesh is cut into whole ones.
// CHECK: shoal.mesh @p_parts <["a"=2, "b_0"=2, "b_1"=2], topology={"b_0" = (5.{{0*e\+01, 1\.0*e\+00}}), "b_1" = (5.{{0*e\+01, 1\.0*e\+00}})}>
// CHECK-NOT: shoal.mesh
shoal.mesh @m <["x"=8]>
shoal.mesh @p <["a"=2, "b"=4], topology={"b" = (50.0, 1.0)}>
shoal.mesh @q <["c"=4, "d"=2]>
// CHECK-LABEL: func.func @parts(
// CHECK-SAME{LITERAL}: <@p_parts, [{"a", "b_0", "b_1"}]>
// CHECK: manual_axes={"a", "b_0", "b_1"}
// CHECK: manual_axes={"b_0", "b_1"}
// CHECK: manual_axes={"b_1"}
func.func @parts(%0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>}) {
  %1 = shoal.manual(%0) in_shardings=[<@m, [{"x"}]>] out_shardings=[<@m, [{"x"}]>] manual_axes={"x"} (%a: tensor<1xf32>) {
    shoal.return %a : tensor<1xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  %2 = shoal.manual(%1) in_shardings=[<@p, [{"b"}]>] out_shardings=[<@p, [{"b"}]>] manual_axes={"b"} (%a: tensor<2xf32>) {
    shoal.return %a : tensor<2xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  %3 = shoal.manual(%2) in_shardings=[<@q, [{"d"}]>] out_shardings=[<@q, [{"d"}]>] manual_axes={"d"} (%a: tensor<4xf32>) {
    shoal.return %a : tensor<4xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  return
}
