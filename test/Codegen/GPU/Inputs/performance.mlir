// Kernels at the sizes they are written for: what gates.py holds against budgets.
module {
  plan.kernel @gemm_bf16(%a: tensor<4096x4096xbf16>, %b: tensor<4096x4096xbf16>, %c: tensor<4096xf32>) -> tensor<4096x4096xbf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<4096x4096xbf16>, tensor<4096x4096xbf16>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    %9 = stablehlo.convert %2 : (tensor<4096x4096xf32>) -> tensor<4096x4096xbf16>
    plan.yield %9 : tensor<4096x4096xbf16>
  }
  plan.kernel @gemm_bf16_nt(%a: tensor<4096x4096xbf16>, %b: tensor<4096x4096xbf16>, %c: tensor<4096xf32>) -> tensor<4096x4096xbf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [1] : (tensor<4096x4096xbf16>, tensor<4096x4096xbf16>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    %9 = stablehlo.convert %2 : (tensor<4096x4096xf32>) -> tensor<4096x4096xbf16>
    plan.yield %9 : tensor<4096x4096xbf16>
  }
  plan.kernel @gemm_f16(%a: tensor<4096x4096xf16>, %b: tensor<4096x4096xf16>, %c: tensor<4096xf32>) -> tensor<4096x4096xf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<4096x4096xf16>, tensor<4096x4096xf16>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    %9 = stablehlo.convert %2 : (tensor<4096x4096xf32>) -> tensor<4096x4096xf16>
    plan.yield %9 : tensor<4096x4096xf16>
  }
  plan.kernel @gemm_f32(%a: tensor<4096x4096xf32>, %b: tensor<4096x4096xf32>, %c: tensor<4096xf32>) -> tensor<4096x4096xf32> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    plan.yield %2 : tensor<4096x4096xf32>
  }
  plan.kernel @gemm_tf32(%a: tensor<4096x4096xf32>, %b: tensor<4096x4096xf32>, %c: tensor<4096xf32>) -> tensor<4096x4096xf32> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    plan.yield %2 : tensor<4096x4096xf32>
  }
  plan.kernel @gemm_fp8(%a: tensor<4096x4096xf8E4M3FN>, %b: tensor<4096x4096xf8E4M3FN>, %c: tensor<4096xf32>) -> tensor<4096x4096xbf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [1] : (tensor<4096x4096xf8E4M3FN>, tensor<4096x4096xf8E4M3FN>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    %9 = stablehlo.convert %2 : (tensor<4096x4096xf32>) -> tensor<4096x4096xbf16>
    plan.yield %9 : tensor<4096x4096xbf16>
  }
  plan.kernel @gemm_fp8_nn(%a: tensor<4096x4096xf8E4M3FN>, %b: tensor<4096x4096xf8E5M2>, %c: tensor<4096xf32>) -> tensor<4096x4096xbf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<4096x4096xf8E4M3FN>, tensor<4096x4096xf8E5M2>) -> tensor<4096x4096xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<4096xf32>) -> tensor<4096x4096xf32>
    %2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    %9 = stablehlo.convert %2 : (tensor<4096x4096xf32>) -> tensor<4096x4096xbf16>
    plan.yield %9 : tensor<4096x4096xbf16>
  }
  plan.kernel @gemm_int8(%a: tensor<4096x4096xi8>, %b: tensor<4096x4096xi8>) -> tensor<4096x4096xi32> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [1] : (tensor<4096x4096xi8>, tensor<4096x4096xi8>) -> tensor<4096x4096xi32>
    plan.yield %0 : tensor<4096x4096xi32>
  }
  plan.kernel @gemm_f64(%a: tensor<2048x2048xf64>, %b: tensor<2048x2048xf64>, %c: tensor<2048xf64>) -> tensor<2048x2048xf64> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<2048x2048xf64>, tensor<2048x2048xf64>) -> tensor<2048x2048xf64>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<2048xf64>) -> tensor<2048x2048xf64>
    %2 = stablehlo.add %0, %1 : tensor<2048x2048xf64>
    plan.yield %2 : tensor<2048x2048xf64>
  }
  plan.kernel @gemm_skinny(%a: tensor<16x8192xbf16>, %b: tensor<8192x8192xbf16>, %c: tensor<8192xf32>) -> tensor<16x8192xbf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<16x8192xbf16>, tensor<8192x8192xbf16>) -> tensor<16x8192xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<8192xf32>) -> tensor<16x8192xf32>
    %2 = stablehlo.add %0, %1 : tensor<16x8192xf32>
    %9 = stablehlo.convert %2 : (tensor<16x8192xf32>) -> tensor<16x8192xbf16>
    plan.yield %9 : tensor<16x8192xbf16>
  }
  plan.kernel @gemm_large(%a: tensor<8192x8192xbf16>, %b: tensor<8192x8192xbf16>, %c: tensor<8192xf32>) -> tensor<8192x8192xbf16> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<8192x8192xbf16>, tensor<8192x8192xbf16>) -> tensor<8192x8192xf32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<8192xf32>) -> tensor<8192x8192xf32>
    %2 = stablehlo.add %0, %1 : tensor<8192x8192xf32>
    %9 = stablehlo.convert %2 : (tensor<8192x8192xf32>) -> tensor<8192x8192xbf16>
    plan.yield %9 : tensor<8192x8192xbf16>
  }
  plan.kernel @gemm_grouped(%a: tensor<8x1024x4096xbf16>, %b: tensor<8x4096x2048xbf16>) -> tensor<8x1024x2048xbf16> {
    %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<8x1024x4096xbf16>, tensor<8x4096x2048xbf16>) -> tensor<8x1024x2048xbf16>
    plan.yield %0 : tensor<8x1024x2048xbf16>
  }
  plan.kernel @conv_3x3(%x: tensor<32x56x56x64xbf16>, %w: tensor<3x3x64x128xbf16>) -> tensor<32x56x56x128xbf16> {
    %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<32x56x56x64xbf16>, tensor<3x3x64x128xbf16>) -> tensor<32x56x56x128xbf16>
    plan.yield %0 : tensor<32x56x56x128xbf16>
  }
  plan.kernel @attention_64(%q: tensor<2x16x4096x64xbf16>, %k: tensor<2x16x4096x64xbf16>, %v: tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x64xbf16> {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %scale = stablehlo.constant dense<0.125> : tensor<2x16x4096x4096xf32>
    %0 = stablehlo.dot_general %q, %k, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x4096xf32>
    %s = stablehlo.multiply %0, %scale : tensor<2x16x4096x4096xf32>
    %1 = stablehlo.multiply %s, %scale : tensor<2x16x4096x4096xf32>
    %m = stablehlo.reduce(%1 init: %ninf) applies stablehlo.maximum across dimensions = [3] : (tensor<2x16x4096x4096xf32>, tensor<f32>) -> tensor<2x16x4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %x = stablehlo.subtract %1, %mb : tensor<2x16x4096x4096xf32>
    %e = stablehlo.exponential %x : tensor<2x16x4096x4096xf32>
    %t = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [3] : (tensor<2x16x4096x4096xf32>, tensor<f32>) -> tensor<2x16x4096xf32>
    %tb = stablehlo.broadcast_in_dim %t, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %p = stablehlo.divide %e, %tb : tensor<2x16x4096x4096xf32>
    %pc = stablehlo.convert %p : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %o = stablehlo.dot_general %pc, %v, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x64xbf16>
    plan.yield %o : tensor<2x16x4096x64xbf16>
  }
  plan.kernel @attention_128(%q: tensor<2x16x4096x128xbf16>, %k: tensor<2x16x4096x128xbf16>, %v: tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x128xbf16> {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %scale = stablehlo.constant dense<0.125> : tensor<2x16x4096x4096xf32>
    %0 = stablehlo.dot_general %q, %k, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x4096xf32>
    %s = stablehlo.multiply %0, %scale : tensor<2x16x4096x4096xf32>
    %i = stablehlo.iota dim = 2 : tensor<2x16x4096x4096xi32>
    %j = stablehlo.iota dim = 3 : tensor<2x16x4096x4096xi32>
    %c = stablehlo.compare GE, %i, %j : (tensor<2x16x4096x4096xi32>, tensor<2x16x4096x4096xi32>) -> tensor<2x16x4096x4096xi1>
    %low = stablehlo.constant dense<0xFF800000> : tensor<2x16x4096x4096xf32>
    %1 = stablehlo.select %c, %s, %low : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %m = stablehlo.reduce(%1 init: %ninf) applies stablehlo.maximum across dimensions = [3] : (tensor<2x16x4096x4096xf32>, tensor<f32>) -> tensor<2x16x4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %x = stablehlo.subtract %1, %mb : tensor<2x16x4096x4096xf32>
    %e = stablehlo.exponential %x : tensor<2x16x4096x4096xf32>
    %t = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [3] : (tensor<2x16x4096x4096xf32>, tensor<f32>) -> tensor<2x16x4096xf32>
    %tb = stablehlo.broadcast_in_dim %t, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %p = stablehlo.divide %e, %tb : tensor<2x16x4096x4096xf32>
    %pc = stablehlo.convert %p : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %o = stablehlo.dot_general %pc, %v, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x128xbf16>
    plan.yield %o : tensor<2x16x4096x128xbf16>
  }
  plan.kernel @attention_rows_128(%arg0: tensor<2x16x4096x128xbf16>, %arg1: tensor<2x16x4096x128xbf16>, %arg2: tensor<2x16x4096x128xbf16>) -> (tensor<2x16x4096x128xbf16>, tensor<2x16x4096xf32>, tensor<2x16x4096xf32>) {
    %0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x4096xbf16>
    %1 = stablehlo.iota dim = 2 : tensor<2x16x4096x4096xi32>
    %2 = stablehlo.iota dim = 3 : tensor<2x16x4096x4096xi32>
    %3 = stablehlo.compare GE, %1, %2, SIGNED : (tensor<2x16x4096x4096xi32>, tensor<2x16x4096x4096xi32>) -> tensor<2x16x4096x4096xi1>
    %4 = stablehlo.convert %0 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %cst = stablehlo.constant dense<0.0883883461> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %6 = stablehlo.multiply %4, %5 : tensor<2x16x4096x4096xf32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %7 = stablehlo.convert %cst_0 : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %9 = stablehlo.select %3, %6, %8 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %cst_1 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %10 = stablehlo.reduce(%9 init: %cst_1) applies stablehlo.maximum across dimensions = [3] : (tensor<2x16x4096x4096xf32>, tensor<f32>) -> tensor<2x16x4096xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %12 = stablehlo.subtract %9, %11 : tensor<2x16x4096x4096xf32>
    %13 = stablehlo.exponential %12 : tensor<2x16x4096x4096xf32>
    %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %14 = stablehlo.reduce(%13 init: %cst_2) applies stablehlo.add across dimensions = [3] : (tensor<2x16x4096x4096xf32>, tensor<f32>) -> tensor<2x16x4096xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %16 = stablehlo.divide %13, %15 : tensor<2x16x4096x4096xf32>
    %17 = stablehlo.convert %16 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %18 = stablehlo.dot_general %17, %arg2, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x128xbf16>
    %cst_3 = stablehlo.constant dense<1.000000e+00> : tensor<2x16x4096xf32>
    %19 = stablehlo.divide %cst_3, %14 : tensor<2x16x4096xf32>
    plan.yield %18, %10, %19 : tensor<2x16x4096x128xbf16>, tensor<2x16x4096xf32>, tensor<2x16x4096xf32>
  }
  plan.kernel @attention_gradient_64(%arg0: tensor<2x16x4096xf32>, %arg1: tensor<2x16x4096xf32>, %arg2: tensor<2x16x4096xf32>, %arg3: tensor<2x16x4096x64xbf16>, %arg4: tensor<2x16x4096x64xbf16>, %arg5: tensor<2x16x4096x64xbf16>, %arg6: tensor<2x16x4096x64xbf16>) -> (tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>) {
    %0 = stablehlo.dot_general %arg3, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x4096xbf16>
    %1 = stablehlo.convert %0 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %cst = stablehlo.constant dense<1.250000e-01> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %3 = stablehlo.multiply %1, %2 : tensor<2x16x4096x4096xf32>
    %4 = stablehlo.broadcast_in_dim %arg0, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %5 = stablehlo.subtract %3, %4 : tensor<2x16x4096x4096xf32>
    %6 = stablehlo.exponential %5 : tensor<2x16x4096x4096xf32>
    %7 = stablehlo.broadcast_in_dim %arg1, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %8 = stablehlo.multiply %6, %7 : tensor<2x16x4096x4096xf32>
    %9 = stablehlo.dot_general %arg5, %arg6, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x4096xbf16>
    %10 = stablehlo.convert %9 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %11 = stablehlo.broadcast_in_dim %arg2, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %12 = stablehlo.subtract %10, %11 : tensor<2x16x4096x4096xf32>
    %13 = stablehlo.multiply %8, %12 : tensor<2x16x4096x4096xf32>
    %14 = stablehlo.convert %8 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %15 = stablehlo.dot_general %arg5, %14, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x64xbf16>, tensor<2x16x4096x4096xbf16>) -> tensor<2x16x64x4096xbf16>
    %16 = stablehlo.transpose %15, dims = [0, 1, 3, 2] : (tensor<2x16x64x4096xbf16>) -> tensor<2x16x4096x64xbf16>
    %cst_0 = stablehlo.constant dense<1.250000e-01> : tensor<2x16x4096x4096xf32>
    %17 = stablehlo.multiply %13, %cst_0 : tensor<2x16x4096x4096xf32>
    %18 = stablehlo.convert %17 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %19 = stablehlo.dot_general %18, %arg3, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x64xbf16>
    %20 = stablehlo.dot_general %18, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x64xbf16>) -> tensor<2x16x4096x64xbf16>
    plan.yield %16, %19, %20 : tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>, tensor<2x16x4096x64xbf16>
  }
  plan.kernel @attention_gradient_128(%arg0: tensor<2x16x4096xf32>, %arg1: tensor<2x16x4096xf32>, %arg2: tensor<2x16x4096xf32>, %arg3: tensor<2x16x4096x128xbf16>, %arg4: tensor<2x16x4096x128xbf16>, %arg5: tensor<2x16x4096x128xbf16>, %arg6: tensor<2x16x4096x128xbf16>) -> (tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>) {
    %0 = stablehlo.dot_general %arg3, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x4096xbf16>
    %1 = stablehlo.iota dim = 2 : tensor<2x16x4096x4096xi32>
    %2 = stablehlo.iota dim = 3 : tensor<2x16x4096x4096xi32>
    %3 = stablehlo.compare GE, %1, %2, SIGNED : (tensor<2x16x4096x4096xi32>, tensor<2x16x4096x4096xi32>) -> tensor<2x16x4096x4096xi1>
    %4 = stablehlo.convert %0 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %cst = stablehlo.constant dense<0.0883883461> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %6 = stablehlo.multiply %4, %5 : tensor<2x16x4096x4096xf32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %7 = stablehlo.convert %cst_0 : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %9 = stablehlo.select %3, %6, %8 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %10 = stablehlo.broadcast_in_dim %arg0, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %11 = stablehlo.subtract %9, %10 : tensor<2x16x4096x4096xf32>
    %12 = stablehlo.exponential %11 : tensor<2x16x4096x4096xf32>
    %13 = stablehlo.broadcast_in_dim %arg1, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %14 = stablehlo.multiply %12, %13 : tensor<2x16x4096x4096xf32>
    %15 = stablehlo.dot_general %arg5, %arg6, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x4096xbf16>
    %16 = stablehlo.convert %15 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %17 = stablehlo.broadcast_in_dim %arg2, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %18 = stablehlo.subtract %16, %17 : tensor<2x16x4096x4096xf32>
    %19 = stablehlo.multiply %14, %18 : tensor<2x16x4096x4096xf32>
    %20 = stablehlo.convert %14 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %21 = stablehlo.dot_general %arg5, %20, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x128xbf16>, tensor<2x16x4096x4096xbf16>) -> tensor<2x16x128x4096xbf16>
    %22 = stablehlo.transpose %21, dims = [0, 1, 3, 2] : (tensor<2x16x128x4096xbf16>) -> tensor<2x16x4096x128xbf16>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %23 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %24 = stablehlo.select %3, %19, %23 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %25 = stablehlo.multiply %24, %5 : tensor<2x16x4096x4096xf32>
    %26 = stablehlo.convert %25 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %27 = stablehlo.dot_general %26, %arg3, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x128xbf16>
    %28 = stablehlo.dot_general %26, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x128xbf16>) -> tensor<2x16x4096x128xbf16>
    plan.yield %22, %27, %28 : tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>, tensor<2x16x4096x128xbf16>
  }
  plan.kernel @attention_gradient_256(%arg0: tensor<2x16x4096xf32>, %arg1: tensor<2x16x4096xf32>, %arg2: tensor<2x16x4096xf32>, %arg3: tensor<2x16x4096x256xbf16>, %arg4: tensor<2x16x4096x256xbf16>, %arg5: tensor<2x16x4096x256xbf16>, %arg6: tensor<2x16x4096x256xbf16>) -> (tensor<2x16x4096x256xbf16>, tensor<2x16x4096x256xbf16>, tensor<2x16x4096x256xbf16>) {
    %0 = stablehlo.dot_general %arg3, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x256xbf16>, tensor<2x16x4096x256xbf16>) -> tensor<2x16x4096x4096xbf16>
    %1 = stablehlo.iota dim = 2 : tensor<2x16x4096x4096xi32>
    %2 = stablehlo.iota dim = 3 : tensor<2x16x4096x4096xi32>
    %3 = stablehlo.compare GE, %1, %2, SIGNED : (tensor<2x16x4096x4096xi32>, tensor<2x16x4096x4096xi32>) -> tensor<2x16x4096x4096xi1>
    %4 = stablehlo.convert %0 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %cst = stablehlo.constant dense<6.250000e-02> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %6 = stablehlo.multiply %4, %5 : tensor<2x16x4096x4096xf32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %7 = stablehlo.convert %cst_0 : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %9 = stablehlo.select %3, %6, %8 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %10 = stablehlo.broadcast_in_dim %arg0, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %11 = stablehlo.subtract %9, %10 : tensor<2x16x4096x4096xf32>
    %12 = stablehlo.exponential %11 : tensor<2x16x4096x4096xf32>
    %13 = stablehlo.broadcast_in_dim %arg1, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %14 = stablehlo.multiply %12, %13 : tensor<2x16x4096x4096xf32>
    %15 = stablehlo.dot_general %arg5, %arg6, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x256xbf16>, tensor<2x16x4096x256xbf16>) -> tensor<2x16x4096x4096xbf16>
    %16 = stablehlo.convert %15 : (tensor<2x16x4096x4096xbf16>) -> tensor<2x16x4096x4096xf32>
    %17 = stablehlo.broadcast_in_dim %arg2, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %18 = stablehlo.subtract %16, %17 : tensor<2x16x4096x4096xf32>
    %19 = stablehlo.multiply %14, %18 : tensor<2x16x4096x4096xf32>
    %20 = stablehlo.convert %14 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %21 = stablehlo.dot_general %arg5, %20, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x256xbf16>, tensor<2x16x4096x4096xbf16>) -> tensor<2x16x256x4096xbf16>
    %22 = stablehlo.transpose %21, dims = [0, 1, 3, 2] : (tensor<2x16x256x4096xbf16>) -> tensor<2x16x4096x256xbf16>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %23 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %24 = stablehlo.select %3, %19, %23 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %25 = stablehlo.multiply %24, %5 : tensor<2x16x4096x4096xf32>
    %26 = stablehlo.convert %25 : (tensor<2x16x4096x4096xf32>) -> tensor<2x16x4096x4096xbf16>
    %27 = stablehlo.dot_general %26, %arg3, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x256xbf16>) -> tensor<2x16x4096x256xbf16>
    %28 = stablehlo.dot_general %26, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xbf16>, tensor<2x16x4096x256xbf16>) -> tensor<2x16x4096x256xbf16>
    plan.yield %22, %27, %28 : tensor<2x16x4096x256xbf16>, tensor<2x16x4096x256xbf16>, tensor<2x16x4096x256xbf16>
  }
  plan.kernel @attention_gradient_128_f32(%arg0: tensor<2x16x4096xf32>, %arg1: tensor<2x16x4096xf32>, %arg2: tensor<2x16x4096xf32>, %arg3: tensor<2x16x4096x128xf32>, %arg4: tensor<2x16x4096x128xf32>, %arg5: tensor<2x16x4096x128xf32>, %arg6: tensor<2x16x4096x128xf32>) -> (tensor<2x16x4096x128xf32>, tensor<2x16x4096x128xf32>, tensor<2x16x4096x128xf32>) {
    %0 = stablehlo.dot_general %arg3, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x128xf32>, tensor<2x16x4096x128xf32>) -> tensor<2x16x4096x4096xf32>
    %1 = stablehlo.iota dim = 2 : tensor<2x16x4096x4096xi32>
    %2 = stablehlo.iota dim = 3 : tensor<2x16x4096x4096xi32>
    %3 = stablehlo.compare GE, %1, %2, SIGNED : (tensor<2x16x4096x4096xi32>, tensor<2x16x4096x4096xi32>) -> tensor<2x16x4096x4096xi1>
    %cst = stablehlo.constant dense<0.0883883461> : tensor<f32>
    %4 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %5 = stablehlo.multiply %0, %4 : tensor<2x16x4096x4096xf32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %6 = stablehlo.convert %cst_0 : tensor<f32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %8 = stablehlo.select %3, %5, %7 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %9 = stablehlo.broadcast_in_dim %arg0, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %10 = stablehlo.subtract %8, %9 : tensor<2x16x4096x4096xf32>
    %11 = stablehlo.exponential %10 : tensor<2x16x4096x4096xf32>
    %12 = stablehlo.broadcast_in_dim %arg1, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %13 = stablehlo.multiply %11, %12 : tensor<2x16x4096x4096xf32>
    %14 = stablehlo.dot_general %arg5, %arg6, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x16x4096x128xf32>, tensor<2x16x4096x128xf32>) -> tensor<2x16x4096x4096xf32>
    %15 = stablehlo.broadcast_in_dim %arg2, dims = [0, 1, 2] : (tensor<2x16x4096xf32>) -> tensor<2x16x4096x4096xf32>
    %16 = stablehlo.subtract %14, %15 : tensor<2x16x4096x4096xf32>
    %17 = stablehlo.multiply %13, %16 : tensor<2x16x4096x4096xf32>
    %18 = stablehlo.dot_general %arg5, %13, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x128xf32>, tensor<2x16x4096x4096xf32>) -> tensor<2x16x128x4096xf32>
    %19 = stablehlo.transpose %18, dims = [0, 1, 3, 2] : (tensor<2x16x128x4096xf32>) -> tensor<2x16x4096x128xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %20 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<2x16x4096x4096xf32>
    %21 = stablehlo.select %3, %17, %20 : tensor<2x16x4096x4096xi1>, tensor<2x16x4096x4096xf32>
    %22 = stablehlo.multiply %21, %4 : tensor<2x16x4096x4096xf32>
    %23 = stablehlo.dot_general %22, %arg3, batching_dims = [0, 1] x [0, 1], contracting_dims = [2] x [2] : (tensor<2x16x4096x4096xf32>, tensor<2x16x4096x128xf32>) -> tensor<2x16x4096x128xf32>
    %24 = stablehlo.dot_general %22, %arg4, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x16x4096x4096xf32>, tensor<2x16x4096x128xf32>) -> tensor<2x16x4096x128xf32>
    plan.yield %19, %23, %24 : tensor<2x16x4096x128xf32>, tensor<2x16x4096x128xf32>, tensor<2x16x4096x128xf32>
  }
  plan.kernel @softmax_f32_1024(%x0: tensor<4096x1024xf32>) -> tensor<4096x1024xf32> {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %x = stablehlo.reshape %x0 : (tensor<4096x1024xf32>) -> tensor<4096x1024xf32>
    %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<4096x1024xf32>, tensor<f32>) -> tensor<4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<4096xf32>) -> tensor<4096x1024xf32>
    %d = stablehlo.subtract %x, %mb : tensor<4096x1024xf32>
    %e = stablehlo.exponential %d : tensor<4096x1024xf32>
    %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4096x1024xf32>, tensor<f32>) -> tensor<4096xf32>
    %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<4096xf32>) -> tensor<4096x1024xf32>
    %y = stablehlo.divide %e, %sb : tensor<4096x1024xf32>
    %o = stablehlo.convert %y : (tensor<4096x1024xf32>) -> tensor<4096x1024xf32>
    plan.yield %o : tensor<4096x1024xf32>
  }
  plan.kernel @softmax_f32_32768(%x0: tensor<4096x32768xf32>) -> tensor<4096x32768xf32> {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %x = stablehlo.reshape %x0 : (tensor<4096x32768xf32>) -> tensor<4096x32768xf32>
    %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<4096x32768xf32>, tensor<f32>) -> tensor<4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<4096xf32>) -> tensor<4096x32768xf32>
    %d = stablehlo.subtract %x, %mb : tensor<4096x32768xf32>
    %e = stablehlo.exponential %d : tensor<4096x32768xf32>
    %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4096x32768xf32>, tensor<f32>) -> tensor<4096xf32>
    %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<4096xf32>) -> tensor<4096x32768xf32>
    %y = stablehlo.divide %e, %sb : tensor<4096x32768xf32>
    %o = stablehlo.convert %y : (tensor<4096x32768xf32>) -> tensor<4096x32768xf32>
    plan.yield %o : tensor<4096x32768xf32>
  }
  plan.kernel @softmax_bf16_1024(%x0: tensor<4096x1024xbf16>) -> tensor<4096x1024xbf16> {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %x = stablehlo.convert %x0 : (tensor<4096x1024xbf16>) -> tensor<4096x1024xf32>
    %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<4096x1024xf32>, tensor<f32>) -> tensor<4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<4096xf32>) -> tensor<4096x1024xf32>
    %d = stablehlo.subtract %x, %mb : tensor<4096x1024xf32>
    %e = stablehlo.exponential %d : tensor<4096x1024xf32>
    %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4096x1024xf32>, tensor<f32>) -> tensor<4096xf32>
    %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<4096xf32>) -> tensor<4096x1024xf32>
    %y = stablehlo.divide %e, %sb : tensor<4096x1024xf32>
    %o = stablehlo.convert %y : (tensor<4096x1024xf32>) -> tensor<4096x1024xbf16>
    plan.yield %o : tensor<4096x1024xbf16>
  }
  plan.kernel @softmax_bf16_32768(%x0: tensor<4096x32768xbf16>) -> tensor<4096x32768xbf16> {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %x = stablehlo.convert %x0 : (tensor<4096x32768xbf16>) -> tensor<4096x32768xf32>
    %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<4096x32768xf32>, tensor<f32>) -> tensor<4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<4096xf32>) -> tensor<4096x32768xf32>
    %d = stablehlo.subtract %x, %mb : tensor<4096x32768xf32>
    %e = stablehlo.exponential %d : tensor<4096x32768xf32>
    %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4096x32768xf32>, tensor<f32>) -> tensor<4096xf32>
    %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<4096xf32>) -> tensor<4096x32768xf32>
    %y = stablehlo.divide %e, %sb : tensor<4096x32768xf32>
    %o = stablehlo.convert %y : (tensor<4096x32768xf32>) -> tensor<4096x32768xbf16>
    plan.yield %o : tensor<4096x32768xbf16>
  }
  plan.kernel @layer_norm(%x0: tensor<8192x4096xbf16>, %g: tensor<4096xf32>, %b: tensor<4096xf32>) -> (tensor<8192x4096xbf16>, tensor<8192xf32>, tensor<8192xf32>) {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %n = stablehlo.constant dense<4096.0> : tensor<8192xf32>
    %eps = stablehlo.constant dense<1.0e-5> : tensor<8192xf32>
    %x = stablehlo.convert %x0 : (tensor<8192x4096xbf16>) -> tensor<8192x4096xf32>
    %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1] : (tensor<8192x4096xf32>, tensor<f32>) -> tensor<8192xf32>
    %m = stablehlo.divide %s, %n : tensor<8192xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8192xf32>) -> tensor<8192x4096xf32>
    %d = stablehlo.subtract %x, %mb : tensor<8192x4096xf32>
    %q = stablehlo.multiply %d, %d : tensor<8192x4096xf32>
    %qs = stablehlo.reduce(%q init: %z) applies stablehlo.add across dimensions = [1] : (tensor<8192x4096xf32>, tensor<f32>) -> tensor<8192xf32>
    %v = stablehlo.divide %qs, %n : tensor<8192xf32>
    %ve = stablehlo.add %v, %eps : tensor<8192xf32>
    %rs = stablehlo.rsqrt %ve : tensor<8192xf32>
    %rb = stablehlo.broadcast_in_dim %rs, dims = [0] : (tensor<8192xf32>) -> tensor<8192x4096xf32>
    %h = stablehlo.multiply %d, %rb : tensor<8192x4096xf32>
    %gb = stablehlo.broadcast_in_dim %g, dims = [1] : (tensor<4096xf32>) -> tensor<8192x4096xf32>
    %bb = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<4096xf32>) -> tensor<8192x4096xf32>
    %hg = stablehlo.multiply %h, %gb : tensor<8192x4096xf32>
    %o = stablehlo.add %hg, %bb : tensor<8192x4096xf32>
    %y = stablehlo.convert %o : (tensor<8192x4096xf32>) -> tensor<8192x4096xbf16>
    plan.yield %y, %m, %rs : tensor<8192x4096xbf16>, tensor<8192xf32>, tensor<8192xf32>
  }
  plan.kernel @rms_norm(%x0: tensor<8192x4096xbf16>, %g: tensor<4096xf32>) -> tensor<8192x4096xbf16> {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %n = stablehlo.constant dense<4096.0> : tensor<8192xf32>
    %x = stablehlo.convert %x0 : (tensor<8192x4096xbf16>) -> tensor<8192x4096xf32>
    %q = stablehlo.multiply %x, %x : tensor<8192x4096xf32>
    %qs = stablehlo.reduce(%q init: %z) applies stablehlo.add across dimensions = [1] : (tensor<8192x4096xf32>, tensor<f32>) -> tensor<8192xf32>
    %v = stablehlo.divide %qs, %n : tensor<8192xf32>
    %rs = stablehlo.rsqrt %v : tensor<8192xf32>
    %rb = stablehlo.broadcast_in_dim %rs, dims = [0] : (tensor<8192xf32>) -> tensor<8192x4096xf32>
    %h = stablehlo.multiply %x, %rb : tensor<8192x4096xf32>
    %gb = stablehlo.broadcast_in_dim %g, dims = [1] : (tensor<4096xf32>) -> tensor<8192x4096xf32>
    %hg = stablehlo.multiply %h, %gb : tensor<8192x4096xf32>
    %y = stablehlo.convert %hg : (tensor<8192x4096xf32>) -> tensor<8192x4096xbf16>
    plan.yield %y : tensor<8192x4096xbf16>
  }
  plan.kernel @cross_entropy(%x0: tensor<4096x50304xbf16>, %l: tensor<4096xi32>) -> (tensor<4096xf32>, tensor<4096x50304xbf16>) {
    %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<4096x50304xf32>
    %one = stablehlo.constant dense<1.0> : tensor<4096x50304xf32>
    %x = stablehlo.convert %x0 : (tensor<4096x50304xbf16>) -> tensor<4096x50304xf32>
    %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<4096x50304xf32>, tensor<f32>) -> tensor<4096xf32>
    %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<4096xf32>) -> tensor<4096x50304xf32>
    %d = stablehlo.subtract %x, %mb : tensor<4096x50304xf32>
    %e = stablehlo.exponential %d : tensor<4096x50304xf32>
    %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4096x50304xf32>, tensor<f32>) -> tensor<4096xf32>
    %ls = stablehlo.log %s : tensor<4096xf32>
    %i = stablehlo.iota dim = 1 : tensor<4096x50304xi32>
    %lb = stablehlo.broadcast_in_dim %l, dims = [0] : (tensor<4096xi32>) -> tensor<4096x50304xi32>
    %c = stablehlo.compare EQ, %i, %lb : (tensor<4096x50304xi32>, tensor<4096x50304xi32>) -> tensor<4096x50304xi1>
    %sel = stablehlo.select %c, %d, %zero : tensor<4096x50304xi1>, tensor<4096x50304xf32>
    %p = stablehlo.reduce(%sel init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4096x50304xf32>, tensor<f32>) -> tensor<4096xf32>
    %loss = stablehlo.subtract %ls, %p : tensor<4096xf32>
    %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<4096xf32>) -> tensor<4096x50304xf32>
    %sm = stablehlo.divide %e, %sb : tensor<4096x50304xf32>
    %oh = stablehlo.select %c, %one, %zero : tensor<4096x50304xi1>, tensor<4096x50304xf32>
    %g = stablehlo.subtract %sm, %oh : tensor<4096x50304xf32>
    %gb = stablehlo.convert %g : (tensor<4096x50304xf32>) -> tensor<4096x50304xbf16>
    plan.yield %loss, %gb : tensor<4096xf32>, tensor<4096x50304xbf16>
  }
  plan.kernel @adamw(%p: tensor<4096x4096xf32>, %m: tensor<4096x4096xf32>, %v: tensor<4096x4096xf32>, %g0: tensor<4096x4096xbf16>) -> (tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xbf16>) attributes {may_overwrite = array<i64: 0, 0, 1, 1, 2, 2>} {
    %b1 = stablehlo.constant dense<0.9> : tensor<4096x4096xf32>
    %c1 = stablehlo.constant dense<0.1> : tensor<4096x4096xf32>
    %b2 = stablehlo.constant dense<0.95> : tensor<4096x4096xf32>
    %c2 = stablehlo.constant dense<0.05> : tensor<4096x4096xf32>
    %eps = stablehlo.constant dense<1.0e-8> : tensor<4096x4096xf32>
    %lr = stablehlo.constant dense<3.0e-4> : tensor<4096x4096xf32>
    %wd = stablehlo.constant dense<0.1> : tensor<4096x4096xf32>
    %g = stablehlo.convert %g0 : (tensor<4096x4096xbf16>) -> tensor<4096x4096xf32>
    %0 = stablehlo.multiply %m, %b1 : tensor<4096x4096xf32>
    %1 = stablehlo.multiply %g, %c1 : tensor<4096x4096xf32>
    %m2 = stablehlo.add %0, %1 : tensor<4096x4096xf32>
    %2 = stablehlo.multiply %v, %b2 : tensor<4096x4096xf32>
    %3 = stablehlo.multiply %g, %g : tensor<4096x4096xf32>
    %4 = stablehlo.multiply %3, %c2 : tensor<4096x4096xf32>
    %v2 = stablehlo.add %2, %4 : tensor<4096x4096xf32>
    %5 = stablehlo.sqrt %v2 : tensor<4096x4096xf32>
    %6 = stablehlo.add %5, %eps : tensor<4096x4096xf32>
    %7 = stablehlo.divide %m2, %6 : tensor<4096x4096xf32>
    %8 = stablehlo.multiply %p, %wd : tensor<4096x4096xf32>
    %9 = stablehlo.add %7, %8 : tensor<4096x4096xf32>
    %10 = stablehlo.multiply %9, %lr : tensor<4096x4096xf32>
    %p2 = stablehlo.subtract %p, %10 : tensor<4096x4096xf32>
    %pb = stablehlo.convert %p2 : (tensor<4096x4096xf32>) -> tensor<4096x4096xbf16>
    plan.yield %p2, %m2, %v2, %pb : tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xbf16>
  }
  plan.kernel @gelu(%x: tensor<4096x4096xbf16>, %b: tensor<4096xbf16>) -> tensor<4096x4096xbf16> {
    %bb = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<4096xbf16>) -> tensor<4096x4096xbf16>
    %s = stablehlo.add %x, %bb : tensor<4096x4096xbf16>
    %0 = stablehlo.convert %s : (tensor<4096x4096xbf16>) -> tensor<4096x4096xf32>
    %c = stablehlo.constant dense<0.044715> : tensor<4096x4096xf32>
    %k = stablehlo.constant dense<0.7978846> : tensor<4096x4096xf32>
    %one = stablehlo.constant dense<1.0> : tensor<4096x4096xf32>
    %half = stablehlo.constant dense<0.5> : tensor<4096x4096xf32>
    %1 = stablehlo.multiply %0, %0 : tensor<4096x4096xf32>
    %2 = stablehlo.multiply %1, %0 : tensor<4096x4096xf32>
    %3 = stablehlo.multiply %2, %c : tensor<4096x4096xf32>
    %4 = stablehlo.add %0, %3 : tensor<4096x4096xf32>
    %5 = stablehlo.multiply %4, %k : tensor<4096x4096xf32>
    %6 = stablehlo.tanh %5 : tensor<4096x4096xf32>
    %7 = stablehlo.add %6, %one : tensor<4096x4096xf32>
    %8 = stablehlo.multiply %0, %half : tensor<4096x4096xf32>
    %9 = stablehlo.multiply %8, %7 : tensor<4096x4096xf32>
    %o = stablehlo.convert %9 : (tensor<4096x4096xf32>) -> tensor<4096x4096xbf16>
    plan.yield %o : tensor<4096x4096xbf16>
  }
  plan.kernel @transpose(%x: tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16> {
    %0 = stablehlo.transpose %x, dims = [1, 0] : (tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16>
    plan.yield %0 : tensor<4096x4096xbf16>
  }
  plan.kernel @bias_gradient(%x: tensor<32768x4096xbf16>) -> tensor<4096xf32> {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = stablehlo.convert %x : (tensor<32768x4096xbf16>) -> tensor<32768x4096xf32>
    %1 = stablehlo.reduce(%0 init: %z) applies stablehlo.add across dimensions = [0] : (tensor<32768x4096xf32>, tensor<f32>) -> tensor<4096xf32>
    plan.yield %1 : tensor<4096xf32>
  }
  plan.kernel @norm_of_all(%x: tensor<4096x4096xf32>) -> tensor<f32> {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = stablehlo.multiply %x, %x : tensor<4096x4096xf32>
    %1 = stablehlo.reduce(%0 init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<4096x4096xf32>, tensor<f32>) -> tensor<f32>
    plan.yield %1 : tensor<f32>
  }
  // Eight groups of rows of uneven sizes, forward and the weights' gradient.
  plan.kernel @gemm_ragged(%x: tensor<8192x4096xbf16>, %ends: tensor<8xi32>, %starts: tensor<8xi32>, %w: tensor<8x4096x4096xbf16>) -> tensor<8192x4096xbf16> {
    %0 = stablehlo.broadcast_in_dim %x, dims = [1, 2] : (tensor<8192x4096xbf16>) -> tensor<8x8192x4096xbf16>
    %1 = stablehlo.iota dim = 1 : tensor<8x8192x4096xi32>
    %2 = stablehlo.broadcast_in_dim %ends, dims = [0] : (tensor<8xi32>) -> tensor<8x8192x4096xi32>
    %3 = stablehlo.broadcast_in_dim %starts, dims = [0] : (tensor<8xi32>) -> tensor<8x8192x4096xi32>
    %4 = stablehlo.compare LE, %3, %1, SIGNED : (tensor<8x8192x4096xi32>, tensor<8x8192x4096xi32>) -> tensor<8x8192x4096xi1>
    %5 = stablehlo.compare LT, %1, %2, SIGNED : (tensor<8x8192x4096xi32>, tensor<8x8192x4096xi32>) -> tensor<8x8192x4096xi1>
    %6 = stablehlo.and %4, %5 : tensor<8x8192x4096xi1>
    %z = stablehlo.constant dense<0.0> : tensor<8x8192x4096xbf16>
    %7 = stablehlo.select %6, %0, %z : tensor<8x8192x4096xi1>, tensor<8x8192x4096xbf16>
    %8 = stablehlo.dot_general %7, %w, contracting_dims = [2, 0] x [1, 0] : (tensor<8x8192x4096xbf16>, tensor<8x4096x4096xbf16>) -> tensor<8192x4096xbf16>
    plan.yield %8 : tensor<8192x4096xbf16>
  }
  plan.kernel @gemm_ragged_weights(%x: tensor<8192x4096xbf16>, %ends: tensor<8xi32>, %starts: tensor<8xi32>, %g: tensor<8192x4096xbf16>) -> tensor<8x4096x4096xbf16> {
    %0 = stablehlo.broadcast_in_dim %x, dims = [1, 2] : (tensor<8192x4096xbf16>) -> tensor<8x8192x4096xbf16>
    %1 = stablehlo.iota dim = 1 : tensor<8x8192x4096xi32>
    %2 = stablehlo.broadcast_in_dim %ends, dims = [0] : (tensor<8xi32>) -> tensor<8x8192x4096xi32>
    %3 = stablehlo.broadcast_in_dim %starts, dims = [0] : (tensor<8xi32>) -> tensor<8x8192x4096xi32>
    %4 = stablehlo.compare LE, %3, %1, SIGNED : (tensor<8x8192x4096xi32>, tensor<8x8192x4096xi32>) -> tensor<8x8192x4096xi1>
    %5 = stablehlo.compare LT, %1, %2, SIGNED : (tensor<8x8192x4096xi32>, tensor<8x8192x4096xi32>) -> tensor<8x8192x4096xi1>
    %6 = stablehlo.and %4, %5 : tensor<8x8192x4096xi1>
    %z = stablehlo.constant dense<0.0> : tensor<8x8192x4096xbf16>
    %7 = stablehlo.select %6, %0, %z : tensor<8x8192x4096xi1>, tensor<8x8192x4096xbf16>
    %8 = stablehlo.broadcast_in_dim %g, dims = [1, 2] : (tensor<8192x4096xbf16>) -> tensor<8x8192x4096xbf16>
    %9 = stablehlo.select %6, %8, %z : tensor<8x8192x4096xi1>, tensor<8x8192x4096xbf16>
    %10 = stablehlo.dot_general %7, %9, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<8x8192x4096xbf16>, tensor<8x8192x4096xbf16>) -> tensor<8x4096x4096xbf16>
    plan.yield %10 : tensor<8x4096x4096xbf16>
  }
}
