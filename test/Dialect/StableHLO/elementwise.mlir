// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt --mlir-print-op-generic %s | shoal-opt | FileCheck %s

// Ops that work element by element.

// CHECK-LABEL: func.func @nullary(
func.func @nullary() {
  // CHECK: stablehlo.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  // CHECK: stablehlo.constant dense<true> : tensor<i1>
  // CHECK: stablehlo.constant dense<(1.000000e+00,-2.000000e+00)> : tensor<3xcomplex<f32>>
  // CHECK: stablehlo.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  // CHECK: stablehlo.constant {mhlo.sharding = "{replicated}"} dense<7> : tensor<ui8>
  // CHECK: stablehlo.iota dim = 1 : tensor<2x3xi32>
  // CHECK: stablehlo.create_token : !stablehlo.token
  // CHECK: stablehlo.partition_id : tensor<ui32>
  // CHECK: stablehlo.replica_id : tensor<ui32>
  %0 = stablehlo.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  %1 = stablehlo.constant dense<true> : tensor<i1>
  %2 = stablehlo.constant dense<(1.000000e+00,-2.000000e+00)> : tensor<3xcomplex<f32>>
  %3 = stablehlo.constant dense<"0x0000803F00000040"> : tensor<2xf32>
  %4 = stablehlo.constant {mhlo.sharding = "{replicated}"} dense<7> : tensor<ui8>
  %5 = stablehlo.iota dim = 1 : tensor<2x3xi32>
  %6 = stablehlo.create_token : !stablehlo.token
  %7 = stablehlo.partition_id : tensor<ui32>
  %8 = stablehlo.replica_id : tensor<ui32>
  return
}

// CHECK-LABEL: func.func @ceil(
func.func @ceil(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.ceil %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.ceil %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @floor(
func.func @floor(%arg0: tensor<2x3xf16>) {
  // CHECK: stablehlo.floor %{{.*}} : tensor<2x3xf16>
  %0 = stablehlo.floor %arg0 : tensor<2x3xf16>
  return
}

// CHECK-LABEL: func.func @negate(
func.func @negate(%arg0: tensor<2x3xi32>) {
  // CHECK: stablehlo.negate %{{.*}} : tensor<2x3xi32>
  %0 = stablehlo.negate %arg0 : tensor<2x3xi32>
  return
}

// CHECK-LABEL: func.func @not(
func.func @not(%arg0: tensor<2x3xi1>) {
  // CHECK: stablehlo.not %{{.*}} : tensor<2x3xi1>
  %0 = stablehlo.not %arg0 : tensor<2x3xi1>
  return
}

// CHECK-LABEL: func.func @popcnt(
func.func @popcnt(%arg0: tensor<2x3xui8>) {
  // CHECK: stablehlo.popcnt %{{.*}} : tensor<2x3xui8>
  %0 = stablehlo.popcnt %arg0 : tensor<2x3xui8>
  return
}

// CHECK-LABEL: func.func @count_leading_zeros(
func.func @count_leading_zeros(%arg0: tensor<2x3xi64>) {
  // CHECK: stablehlo.count_leading_zeros %{{.*}} : tensor<2x3xi64>
  %0 = stablehlo.count_leading_zeros %arg0 : tensor<2x3xi64>
  return
}

// CHECK-LABEL: func.func @round_nearest_afz(
func.func @round_nearest_afz(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.round_nearest_afz %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.round_nearest_afz %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @round_nearest_even(
func.func @round_nearest_even(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.round_nearest_even %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.round_nearest_even %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @sign(
func.func @sign(%arg0: tensor<2x3xcomplex<f64>>) {
  // CHECK: stablehlo.sign %{{.*}} : tensor<2x3xcomplex<f64>>
  %0 = stablehlo.sign %arg0 : tensor<2x3xcomplex<f64>>
  return
}

// CHECK-LABEL: func.func @cbrt(
func.func @cbrt(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.cbrt %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.cbrt %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @cosine(
func.func @cosine(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.cosine %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.cosine %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @exponential(
func.func @exponential(%arg0: tensor<2x3xcomplex<f32>>) {
  // CHECK: stablehlo.exponential %{{.*}} : tensor<2x3xcomplex<f32>>
  %0 = stablehlo.exponential %arg0 : tensor<2x3xcomplex<f32>>
  return
}

// CHECK-LABEL: func.func @exponential_minus_one(
func.func @exponential_minus_one(%arg0: tensor<2x3xf64>) {
  // CHECK: stablehlo.exponential_minus_one %{{.*}} : tensor<2x3xf64>
  %0 = stablehlo.exponential_minus_one %arg0 : tensor<2x3xf64>
  return
}

// CHECK-LABEL: func.func @log(
func.func @log(%arg0: tensor<2x3xbf16>) {
  // CHECK: stablehlo.log %{{.*}} : tensor<2x3xbf16>
  %0 = stablehlo.log %arg0 : tensor<2x3xbf16>
  return
}

// CHECK-LABEL: func.func @log_plus_one(
func.func @log_plus_one(%arg0: tensor<2x3xf16>) {
  // CHECK: stablehlo.log_plus_one %{{.*}} : tensor<2x3xf16>
  %0 = stablehlo.log_plus_one %arg0 : tensor<2x3xf16>
  return
}

// CHECK-LABEL: func.func @logistic(
func.func @logistic(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.logistic %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.logistic %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @rsqrt(
func.func @rsqrt(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.rsqrt %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.rsqrt %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @sine(
func.func @sine(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.sine %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.sine %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @sqrt(
func.func @sqrt(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.sqrt %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.sqrt %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @tan(
func.func @tan(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.tan %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.tan %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @tanh(
func.func @tanh(%arg0: tensor<2x3xf32>) {
  // CHECK: stablehlo.tanh %{{.*}} : tensor<2x3xf32>
  %0 = stablehlo.tanh %arg0 : tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @result_accuracy(
func.func @result_accuracy(%arg0: tensor<4xf32>) {
  // CHECK: stablehlo.tanh %{{.*}} {result_accuracy = #stablehlo.result_accuracy<mode = #stablehlo.result_accuracy_mode<HIGHEST>>} : tensor<4xf32>
  // CHECK: stablehlo.exponential %{{.*}} {result_accuracy = #stablehlo.result_accuracy<atol = 1.000000e-05, rtol = 1.000000e-01, ulps = 3, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>} : tensor<4xf32>
  %0 = stablehlo.tanh %arg0 {result_accuracy = #stablehlo.result_accuracy<mode = #stablehlo.result_accuracy_mode<HIGHEST>>} : tensor<4xf32>
  %1 = stablehlo.exponential %arg0 {result_accuracy = #stablehlo.result_accuracy<atol = 1.000000e-05, rtol = 1.000000e-01, ulps = 3, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>} : tensor<4xf32>
  return
}

// CHECK-LABEL: func.func @unary_types(
func.func @unary_types(%arg0: tensor<2xcomplex<f32>>, %arg1: tensor<2xf32>, %arg2: tensor<?xf32>) {
  // CHECK: stablehlo.abs %{{.*}} : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  // CHECK: stablehlo.abs %{{.*}} : tensor<2xf32>
  // CHECK: stablehlo.real %{{.*}} : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  // CHECK: stablehlo.imag %{{.*}} : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  // CHECK: stablehlo.is_finite %{{.*}} : (tensor<2xf32>) -> tensor<2xi1>
  // CHECK: stablehlo.convert %{{.*}} : (tensor<2xf32>) -> tensor<2xi4>
  // CHECK: stablehlo.convert %{{.*}} : tensor<2xf32>
  // CHECK: stablehlo.reduce_precision %{{.*}}, format = e5m10 : tensor<2xf32>
  // CHECK: stablehlo.negate %{{.*}} : (tensor<?xf32>) -> tensor<2xf32>
  %0 = stablehlo.abs %arg0 : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %1 = stablehlo.abs %arg1 : tensor<2xf32>
  %2 = stablehlo.real %arg0 : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %3 = stablehlo.imag %arg0 : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %4 = stablehlo.is_finite %arg1 : (tensor<2xf32>) -> tensor<2xi1>
  %5 = stablehlo.convert %arg1 : (tensor<2xf32>) -> tensor<2xi4>
  %6 = stablehlo.convert %arg1 : tensor<2xf32>
  %7 = stablehlo.reduce_precision %arg1, format = e5m10 : tensor<2xf32>
  %8 = stablehlo.negate %arg2 : (tensor<?xf32>) -> tensor<2xf32>
  return
}

// CHECK-LABEL: func.func @add(
func.func @add(%arg0: tensor<2xf32>, %arg1: tensor<2xf32>) {
  // CHECK: stablehlo.add %{{.*}}, %{{.*}} : tensor<2xf32>
  %0 = stablehlo.add %arg0, %arg1 : tensor<2xf32>
  return
}

// CHECK-LABEL: func.func @atan2(
func.func @atan2(%arg0: tensor<2xf64>, %arg1: tensor<2xf64>) {
  // CHECK: stablehlo.atan2 %{{.*}}, %{{.*}} : tensor<2xf64>
  %0 = stablehlo.atan2 %arg0, %arg1 : tensor<2xf64>
  return
}

// CHECK-LABEL: func.func @divide(
func.func @divide(%arg0: tensor<2xui32>, %arg1: tensor<2xui32>) {
  // CHECK: stablehlo.divide %{{.*}}, %{{.*}} : tensor<2xui32>
  %0 = stablehlo.divide %arg0, %arg1 : tensor<2xui32>
  return
}

// CHECK-LABEL: func.func @maximum(
func.func @maximum(%arg0: tensor<2xbf16>, %arg1: tensor<2xbf16>) {
  // CHECK: stablehlo.maximum %{{.*}}, %{{.*}} : tensor<2xbf16>
  %0 = stablehlo.maximum %arg0, %arg1 : tensor<2xbf16>
  return
}

// CHECK-LABEL: func.func @minimum(
func.func @minimum(%arg0: tensor<2xi1>, %arg1: tensor<2xi1>) {
  // CHECK: stablehlo.minimum %{{.*}}, %{{.*}} : tensor<2xi1>
  %0 = stablehlo.minimum %arg0, %arg1 : tensor<2xi1>
  return
}

// CHECK-LABEL: func.func @multiply(
func.func @multiply(%arg0: tensor<2xcomplex<f64>>, %arg1: tensor<2xcomplex<f64>>) {
  // CHECK: stablehlo.multiply %{{.*}}, %{{.*}} : tensor<2xcomplex<f64>>
  %0 = stablehlo.multiply %arg0, %arg1 : tensor<2xcomplex<f64>>
  return
}

// CHECK-LABEL: func.func @power(
func.func @power(%arg0: tensor<2xf32>, %arg1: tensor<2xf32>) {
  // CHECK: stablehlo.power %{{.*}}, %{{.*}} : tensor<2xf32>
  %0 = stablehlo.power %arg0, %arg1 : tensor<2xf32>
  return
}

// CHECK-LABEL: func.func @remainder(
func.func @remainder(%arg0: tensor<2xi32>, %arg1: tensor<2xi32>) {
  // CHECK: stablehlo.remainder %{{.*}}, %{{.*}} : tensor<2xi32>
  %0 = stablehlo.remainder %arg0, %arg1 : tensor<2xi32>
  return
}

// CHECK-LABEL: func.func @subtract(
func.func @subtract(%arg0: tensor<2xf64>, %arg1: tensor<2xf64>) {
  // CHECK: stablehlo.subtract %{{.*}}, %{{.*}} : tensor<2xf64>
  %0 = stablehlo.subtract %arg0, %arg1 : tensor<2xf64>
  return
}

// CHECK-LABEL: func.func @and(
func.func @and(%arg0: tensor<2xi1>, %arg1: tensor<2xi1>) {
  // CHECK: stablehlo.and %{{.*}}, %{{.*}} : tensor<2xi1>
  %0 = stablehlo.and %arg0, %arg1 : tensor<2xi1>
  return
}

// CHECK-LABEL: func.func @or(
func.func @or(%arg0: tensor<2xi8>, %arg1: tensor<2xi8>) {
  // CHECK: stablehlo.or %{{.*}}, %{{.*}} : tensor<2xi8>
  %0 = stablehlo.or %arg0, %arg1 : tensor<2xi8>
  return
}

// CHECK-LABEL: func.func @xor(
func.func @xor(%arg0: tensor<2xui64>, %arg1: tensor<2xui64>) {
  // CHECK: stablehlo.xor %{{.*}}, %{{.*}} : tensor<2xui64>
  %0 = stablehlo.xor %arg0, %arg1 : tensor<2xui64>
  return
}

// CHECK-LABEL: func.func @shift_left(
func.func @shift_left(%arg0: tensor<2xi32>, %arg1: tensor<2xi32>) {
  // CHECK: stablehlo.shift_left %{{.*}}, %{{.*}} : tensor<2xi32>
  %0 = stablehlo.shift_left %arg0, %arg1 : tensor<2xi32>
  return
}

// CHECK-LABEL: func.func @shift_right_arithmetic(
func.func @shift_right_arithmetic(%arg0: tensor<2xi32>, %arg1: tensor<2xi32>) {
  // CHECK: stablehlo.shift_right_arithmetic %{{.*}}, %{{.*}} : tensor<2xi32>
  %0 = stablehlo.shift_right_arithmetic %arg0, %arg1 : tensor<2xi32>
  return
}

// CHECK-LABEL: func.func @shift_right_logical(
func.func @shift_right_logical(%arg0: tensor<2xui32>, %arg1: tensor<2xui32>) {
  // CHECK: stablehlo.shift_right_logical %{{.*}}, %{{.*}} : tensor<2xui32>
  %0 = stablehlo.shift_right_logical %arg0, %arg1 : tensor<2xui32>
  return
}

// CHECK-LABEL: func.func @binary_types(
func.func @binary_types(%arg0: tensor<2xf32>, %arg1: tensor<?xf32>) {
  // CHECK: stablehlo.add %{{.*}}, %{{.*}} {mhlo.sharding = "{replicated}", shoal.x} : (tensor<2xf32>, tensor<?xf32>) -> tensor<2xf32>
  // CHECK: stablehlo.complex %{{.*}}, %{{.*}} : tensor<2xcomplex<f32>>
  // CHECK: stablehlo.complex %{{.*}}, %{{.*}} : (tensor<2xf32>, tensor<?xf32>) -> tensor<2xcomplex<f32>>
  %0 = stablehlo.add %arg0, %arg1 {mhlo.sharding = "{replicated}", shoal.x} : (tensor<2xf32>, tensor<?xf32>) -> tensor<2xf32>
  %1 = stablehlo.complex %arg0, %arg0 : tensor<2xcomplex<f32>>
  %2 = stablehlo.complex %arg0, %arg1 : (tensor<2xf32>, tensor<?xf32>) -> tensor<2xcomplex<f32>>
  return
}

// CHECK-LABEL: func.func @compare(
func.func @compare(%arg0: tensor<2xf32>, %arg1: tensor<2xui8>) {
  // CHECK: stablehlo.compare EQ, %{{.*}}, %{{.*}} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  // CHECK: stablehlo.compare LT, %{{.*}}, %{{.*}}, TOTALORDER : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  // CHECK: stablehlo.compare GE, %{{.*}}, %{{.*}}, UNSIGNED : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xi1>
  %0 = stablehlo.compare EQ, %arg0, %arg0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  %1 = stablehlo.compare LT, %arg0, %arg0, TOTALORDER : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  %2 = stablehlo.compare GE, %arg1, %arg1, UNSIGNED : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xi1>
  return
}

// CHECK-LABEL: func.func @ternary(
func.func @ternary(%arg0: tensor<f32>, %arg1: tensor<2xf32>, %arg2: tensor<2xi1>, %arg3: tensor<i1>, %arg4: tensor<?xf32>) {
  // CHECK: stablehlo.clamp %{{.*}}, %{{.*}}, %{{.*}} : (tensor<f32>, tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  // CHECK: stablehlo.clamp %{{.*}}, %{{.*}}, %{{.*}} : tensor<2xf32>
  // CHECK: stablehlo.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<2xi1>, tensor<2xf32>
  // CHECK: stablehlo.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<i1>, tensor<2xf32>
  // CHECK: stablehlo.select %{{.*}}, %{{.*}}, %{{.*}} : (tensor<i1>, tensor<2xf32>, tensor<?xf32>) -> tensor<?xf32>
  %0 = stablehlo.clamp %arg0, %arg1, %arg0 : (tensor<f32>, tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %1 = stablehlo.clamp %arg1, %arg1, %arg1 : tensor<2xf32>
  %2 = stablehlo.select %arg2, %arg1, %arg1 : tensor<2xi1>, tensor<2xf32>
  %3 = stablehlo.select %arg3, %arg1, %arg1 : tensor<i1>, tensor<2xf32>
  %4 = stablehlo.select %arg3, %arg1, %arg4 : (tensor<i1>, tensor<2xf32>, tensor<?xf32>) -> tensor<?xf32>
  return
}

// CHECK-LABEL: func.func @map(
func.func @map(%arg0: tensor<2xf32>, %arg1: tensor<2xf32>) {
  // CHECK: "stablehlo.map"(%{{.*}}, %{{.*}}) <{dimensions = array<i64: 0>}> ({
  // CHECK: stablehlo.multiply %{{.*}}, %{{.*}} : tensor<f32>
  // CHECK: stablehlo.return %{{.*}} : tensor<f32>
  // CHECK: }) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %0 = "stablehlo.map"(%arg0, %arg1) <{dimensions = array<i64: 0>}> ({
  ^bb0(%arg2: tensor<f32>, %arg3: tensor<f32>):
    %1 = stablehlo.multiply %arg2, %arg3 : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}
