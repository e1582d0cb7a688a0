// RUN: shoal-opt %s --shoal-propagate --split-input-file --verify-diagnostics

shoal.mesh @m <["a"=2, "b"=2]>
func.func @groups(%0: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"a"}]>},
                  %1: tensor<8xf32> {shoal.sharding = #shoal.sharding<@m, [{"b"}]>}) {
  // expected-note @below {{other member}}
  shoal.group %0 id = 1 : tensor<8xf32>
  // expected-error @below {{members of group 1 are given different shardings}}
  shoal.group %1 id = 1 : tensor<8xf32>
  return
}

// -----
func.func @groups(%0: tensor<8xf32>, %1: tensor<8x8xf32>) {
  // expected-note @below {{other member}}
  shoal.group %0 id = 1 : tensor<8xf32>
  // expected-error @below {{members of group 1 have different ranks}}
  shoal.group %1 id = 1 : tensor<8x8xf32>
  return
}

// -----
func.func @rule(%0: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{does not fit its sharding rule: tensor 0 has rank 1, the rule 2}}
  %1 = stablehlo.custom_call @f(%0) {shoal.sharding_rule = #shoal.op_rule<([i, j])->([i]) {i, j}>}
      : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
