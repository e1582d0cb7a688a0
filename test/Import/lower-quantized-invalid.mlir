// RUN: shoal-opt --shoal-lower-quantized --split-input-file --verify-diagnostics %s

func.func @custom_call(%a: tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4xf32> {
  // expected-error@+1 {{a custom call on quantized values has no meaning here}}
  %0 = stablehlo.custom_call @f(%a) : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @dynamic(%a: tensor<?x!quant.uniform<i8:f32, 0.5>>) -> tensor<?xf32> {
  // expected-error@+1 {{quantized values of dynamic shape are not supported}}
  %0 = stablehlo.uniform_dequantize %a : (tensor<?x!quant.uniform<i8:f32, 0.5>>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// expected-error@+1 {{quantized type '!quant.any<i8:f32>' is not supported}}
func.func @any(%a: tensor<4x!quant.any<i8:f32>>) {
  return
}

// -----

func.func @moved(%a: tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.25>> {
  // expected-error@+1 {{which does not stand for the same numbers; requantize with uniform_quantize}}
  %0 = stablehlo.reshape %a : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.25>>
  return %0 : tensor<2x2x!quant.uniform<i8:f32, 0.25>>
}

// -----

func.func @axis(%a: tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>> {
  // expected-error@+1 {{which does not stand for the same numbers}}
  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  return %0 : tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
}
