// RUN: shoal-compile %s --compile-to=partitioned 2>&1 | FileCheck %s

// Calls of unknown functions: partitioned by the rule a user gives, on the op or
// for the name; without one a remark says how to give one.
module attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @m = <["x"=4]>
  shoal.rule "named" <([i, j])->([i])>
  // CHECK: remark: operand 0 is gathered along dimension 0 (96 bytes sent per device): nothing says how calls of 'unknown' can be computed in parts; an attribute sdy.sharding_rule, or shoal.rule for all calls of the name, does
  // CHECK: func.func @main
  func.func public @main(%a: tensor<8x4xf32> {sdy.sharding = #sdy.sharding<@m, [{"x"}, {}]>}) -> (tensor<8x4xf32>, tensor<8xf32>, tensor<8x4xf32>) {
    // CHECK: stablehlo.custom_call @ruled(%{{.*}}) {{.*}}(tensor<2x4xf32>) -> tensor<2x4xf32>
    %0 = stablehlo.custom_call @ruled(%a) {sdy.sharding_rule = #sdy.op_sharding_rule<([i, j])->([i, j]) {i=8, j=4}, custom>} : (tensor<8x4xf32>) -> tensor<8x4xf32>
    // CHECK: stablehlo.custom_call @named(%{{.*}}) {{.*}}(tensor<2x4xf32>) -> tensor<2xf32>
    %1 = stablehlo.custom_call @named(%a) : (tensor<8x4xf32>) -> tensor<8xf32>
    // CHECK: stablehlo.custom_call @unknown(%{{.*}}) {{.*}}(tensor<8x4xf32>) -> tensor<8x4xf32>
    %2 = stablehlo.custom_call @unknown(%a) : (tensor<8x4xf32>) -> tensor<8x4xf32>
    return %0, %1, %2 : tensor<8x4xf32>, tensor<8xf32>, tensor<8x4xf32>
  }
}
