// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt --mlir-print-op-generic %s | shoal-opt | FileCheck %s

// Control flow, calls, tuples and tokens.

// CHECK-LABEL: func.func @while(
func.func @while(%arg0: tensor<i32>, %arg1: tensor<f32>) -> tensor<f32> {
  // CHECK: stablehlo.while(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) : tensor<i32>, tensor<f32> attributes {a.b}
  // CHECK: cond {
  // CHECK: stablehlo.compare LT, %{{.*}}, %{{.*}} : (tensor<i32>, tensor<i32>) -> tensor<i1>
  // CHECK: stablehlo.return %{{.*}} : tensor<i1>
  // CHECK: } do {
  // CHECK: stablehlo.add %{{.*}}, %{{.*}} : tensor<f32>
  // CHECK: stablehlo.return %{{.*}}, %{{.*}} : tensor<i32>, tensor<f32>
  %0:2 = stablehlo.while(%iterArg = %arg0, %iterArg_0 = %arg1) : tensor<i32>, tensor<f32> attributes {a.b}
  cond {
    %1 = stablehlo.compare LT, %iterArg, %arg0 : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %1 = stablehlo.add %iterArg_0, %iterArg_0 : tensor<f32>
    stablehlo.return %iterArg, %1 : tensor<i32>, tensor<f32>
  }
  return %0#1 : tensor<f32>
}

// CHECK-LABEL: func.func @while_without_values(
func.func @while_without_values(%arg0: tensor<i1>) {
  // CHECK: stablehlo.while()
  // CHECK: cond {
  // CHECK: stablehlo.return %{{.*}} : tensor<i1>
  // CHECK: } do {
  // CHECK: stablehlo.return
  stablehlo.while()
  cond {
    stablehlo.return %arg0 : tensor<i1>
  } do {
    stablehlo.return 
  }
  return
}

// CHECK-LABEL: func.func @branches(
func.func @branches(%arg0: tensor<i1>, %arg1: tensor<i32>, %arg2: tensor<2xf32>) {
  // CHECK: "stablehlo.if"(%{{.*}}) ({
  // CHECK: stablehlo.return %{{.*}} : tensor<2xf32>
  // CHECK: }, {
  // CHECK: stablehlo.return %{{.*}} : tensor<2xf32>
  // CHECK: }) : (tensor<i1>) -> tensor<2xf32>
  // CHECK: "stablehlo.if"(%{{.*}}) ({
  // CHECK: stablehlo.return
  // CHECK: }, {
  // CHECK: stablehlo.return
  // CHECK: }) {a.b} : (tensor<i1>) -> ()
  // CHECK: "stablehlo.case"(%{{.*}}) ({
  // CHECK: stablehlo.return %{{.*}}, %{{.*}} : tensor<2xf32>, tensor<i32>
  // CHECK: }, {
  // CHECK: stablehlo.return %{{.*}}, %{{.*}} : tensor<2xf32>, tensor<i32>
  // CHECK: }, {
  // CHECK: stablehlo.return %{{.*}}, %{{.*}} : tensor<2xf32>, tensor<i32>
  // CHECK: }) : (tensor<i32>) -> (tensor<2xf32>, tensor<i32>)
  %0 = "stablehlo.if"(%arg0) ({
    stablehlo.return %arg2 : tensor<2xf32>
  }, {
    stablehlo.return %arg2 : tensor<2xf32>
  }) : (tensor<i1>) -> tensor<2xf32>
  "stablehlo.if"(%arg0) ({
    stablehlo.return 
  }, {
    stablehlo.return 
  }) {a.b} : (tensor<i1>) -> ()
  %1:2 = "stablehlo.case"(%arg1) ({
    stablehlo.return %arg2, %arg1 : tensor<2xf32>, tensor<i32>
  }, {
    stablehlo.return %arg2, %arg1 : tensor<2xf32>, tensor<i32>
  }, {
    stablehlo.return %arg2, %arg1 : tensor<2xf32>, tensor<i32>
  }) : (tensor<i32>) -> (tensor<2xf32>, tensor<i32>)
  return
}

// CHECK-LABEL: func.func @grouping(
func.func @grouping(%arg0: tensor<f32>, %arg1: !stablehlo.token) {
  // CHECK: stablehlo.after_all %{{.*}}, %{{.*}} : !stablehlo.token
  // CHECK: stablehlo.tuple %{{.*}}, %{{.*}} : tuple<tensor<f32>, !stablehlo.token>
  // CHECK: stablehlo.tuple %{{.*}}, %{{.*}} {xla_shape = "x"} : tuple<tuple<tensor<f32>, !stablehlo.token>, tensor<f32>>
  // CHECK: stablehlo.get_tuple_element %{{.*}}[0] : (tuple<tuple<tensor<f32>, !stablehlo.token>, tensor<f32>>) -> tuple<tensor<f32>, !stablehlo.token>
  // CHECK: stablehlo.optimization_barrier %{{.*}}, %{{.*}} : tensor<f32>, !stablehlo.token
  // CHECK: stablehlo.optimization_barrier()
  %0 = stablehlo.after_all %arg1, %arg1 : !stablehlo.token
  %1 = stablehlo.tuple %arg0, %arg1 : tuple<tensor<f32>, !stablehlo.token>
  %2 = stablehlo.tuple %1, %arg0 {xla_shape = "x"} : tuple<tuple<tensor<f32>, !stablehlo.token>, tensor<f32>>
  %3 = stablehlo.get_tuple_element %2[0] : (tuple<tuple<tensor<f32>, !stablehlo.token>, tensor<f32>>) -> tuple<tensor<f32>, !stablehlo.token>
  %4:2 = stablehlo.optimization_barrier %arg0, %arg1 : tensor<f32>, !stablehlo.token
  stablehlo.optimization_barrier()
  return
}

// CHECK-LABEL: func.func @custom_call(
func.func @custom_call(%arg0: tensor<2x3xf32>, %arg1: tensor<f32>) {
  // CHECK: stablehlo.custom_call @Sharding(%{{.*}}) {mhlo.sharding = "{devices=[2,4]<=[8]}"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: stablehlo.custom_call @"a target"(%{{.*}}, %{{.*}}) {api_version = 4 : i32, backend_config = {lower = true}, called_computations = [@custom_call], has_side_effect = true, operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<> : tensor<0xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [0], operand_index = 0, operand_tuple_indices = []>], result_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<> : tensor<0xindex>]} : (tensor<2x3xf32>, tensor<f32>) -> (tensor<2x3xf32>, tensor<f32>)
  // CHECK: stablehlo.custom_call @nothing() {backend_config = "text"} : () -> ()
  %0 = stablehlo.custom_call @Sharding(%arg0) {mhlo.sharding = "{devices=[2,4]<=[8]}"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1:2 = stablehlo.custom_call @"a target"(%arg0, %arg1) {api_version = 4 : i32, backend_config = {lower = true}, called_computations = [@custom_call], has_side_effect = true, operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<> : tensor<0xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [0], operand_index = 0, operand_tuple_indices = []>], result_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<> : tensor<0xindex>]} : (tensor<2x3xf32>, tensor<f32>) -> (tensor<2x3xf32>, tensor<f32>)
  stablehlo.custom_call @nothing() {backend_config = "text"} : () -> ()
  return
}

// CHECK-LABEL: func.func private @decomposition(
func.func private @decomposition(%arg0: tensor<f32>) -> tensor<f32>

// CHECK-LABEL: func.func @composite(
func.func @composite(%arg0: tensor<f32>) {
  // CHECK: stablehlo.composite "my.op" %{{.*}} {composite_attributes = {k = 5 : i64}, decomposition = @decomposition, version = 1 : i32} : (tensor<f32>) -> tensor<f32>
  // CHECK: stablehlo.composite "my.op" %{{.*}} ({
  // CHECK: stablehlo.return %{{.*}} : tensor<f32>
  // CHECK: }, {
  // CHECK: stablehlo.return %{{.*}} : tensor<f32>
  // CHECK: }) {decomposition = @decomposition} : (tensor<f32>) -> tensor<f32>
  %0 = stablehlo.composite "my.op" %arg0 {composite_attributes = {k = 5 : i64}, decomposition = @decomposition, version = 1 : i32} : (tensor<f32>) -> tensor<f32>
  %1 = stablehlo.composite "my.op" %arg0 ({
  ^bb0(%arg1: tensor<f32>):
    stablehlo.return %arg1 : tensor<f32>
  }, {
    stablehlo.return %arg0 : tensor<f32>
  }) {decomposition = @decomposition} : (tensor<f32>) -> tensor<f32>
  return
}
