// RUN: shoal-opt %s --split-input-file --verify-diagnostics --shoal-schedule-pipeline

func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %t = stablehlo.create_token : !stablehlo.token
  // expected-error@+1 {{cannot be scheduled}}
  %u = "stablehlo.outfeed"(%a, %t) {outfeed_config = ""} : (tensor<4xf32>, !stablehlo.token) -> !stablehlo.token
  return %a : tensor<4xf32>
}

// -----

func.func @main(%a: tensor<f32>) -> tensor<1000000000000000x10000xf32> {
  // expected-error@+1 {{its bytes overflow 63 bits}}
  %r = plan.custom_call "f"(%a) : (tensor<f32>) -> tensor<1000000000000000x10000xf32>
  return %r : tensor<1000000000000000x10000xf32>
}

// -----

// expected-error@+1 {{has no function 'main' to run}}
module {
}
