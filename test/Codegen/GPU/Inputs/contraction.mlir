func.func @mm(%x: tensor<64x128xbf16>, %w: tensor<128x96xbf16>) -> tensor<64x96xbf16> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<64x128xbf16>, tensor<128x96xbf16>) -> tensor<64x96xbf16>
  return %0 : tensor<64x96xbf16>
}
func.func @odd(%x: tensor<37x51xf32>, %w: tensor<51x19xf32>) -> tensor<37x19xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<37x51xf32>, tensor<51x19xf32>) -> tensor<37x19xf32>
  return %0 : tensor<37x19xf32>
}
func.func @transposed(%x: tensor<3x40x24xf16>, %w: tensor<3x16x40xf16>) -> tensor<3x24x16xf32> {
  %0 = stablehlo.dot_general %x, %w, batching_dims = [0] x [0], contracting_dims = [1] x [2] : (tensor<3x40x24xf16>, tensor<3x16x40xf16>) -> tensor<3x24x16xf32>
  return %0 : tensor<3x24x16xf32>
}
func.func @bias_residual(%x: tensor<2x32x64xf32>, %w: tensor<64x48xf32>, %b: tensor<48xf32>, %r: tensor<2x32x48xf32>) -> tensor<2x32x48xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [2] x [0] : (tensor<2x32x64xf32>, tensor<64x48xf32>) -> tensor<2x32x48xf32>
  %1 = stablehlo.broadcast_in_dim %b, dims = [2] : (tensor<48xf32>) -> tensor<2x32x48xf32>
  %2 = stablehlo.add %0, %1 : tensor<2x32x48xf32>
  %3 = stablehlo.add %2, %r : tensor<2x32x48xf32>
  return %3 : tensor<2x32x48xf32>
}
func.func @heads(%x: tensor<2x32x64xf32>, %w: tensor<64x64xf32>) -> tensor<2x4x32x16xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [2] x [0] : (tensor<2x32x64xf32>, tensor<64x64xf32>) -> tensor<2x32x64xf32>
  %1 = stablehlo.reshape %0 : (tensor<2x32x64xf32>) -> tensor<2x32x4x16xf32>
  %2 = stablehlo.transpose %1, dims = [0, 2, 1, 3] : (tensor<2x32x4x16xf32>) -> tensor<2x4x32x16xf32>
  return %2 : tensor<2x4x32x16xf32>
}
func.func @prologue(%x: tensor<48x40xf32>, %s: tensor<48xf32>, %w: tensor<40x32xf32>) -> tensor<48x32xbf16> {
  %0 = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<48xf32>) -> tensor<48x40xf32>
  %1 = stablehlo.add %x, %0 : tensor<48x40xf32>
  %2 = stablehlo.convert %1 : (tensor<48x40xf32>) -> tensor<48x40xbf16>
  %3 = stablehlo.convert %w : (tensor<40x32xf32>) -> tensor<40x32xbf16>
  %4 = stablehlo.dot_general %2, %3, contracting_dims = [1] x [0] : (tensor<48x40xbf16>, tensor<40x32xbf16>) -> tensor<48x32xbf16>
  return %4 : tensor<48x32xbf16>
}
func.func @merge_heads(%x: tensor<2x4x32x8xf32>, %w: tensor<4x8x24xf32>) -> tensor<2x32x24xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1, 3] x [0, 1] : (tensor<2x4x32x8xf32>, tensor<4x8x24xf32>) -> tensor<2x32x24xf32>
  return %0 : tensor<2x32x24xf32>
}
func.func @causal(%q: tensor<40x16xf32>, %k: tensor<40x16xf32>) -> tensor<40x40xf32> {
  %0 = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<40x16xf32>, tensor<40x16xf32>) -> tensor<40x40xf32>
  %1 = stablehlo.iota dim = 0 : tensor<40x40xi32>
  %2 = stablehlo.iota dim = 1 : tensor<40x40xi32>
  %3 = stablehlo.compare GE, %1, %2 : (tensor<40x40xi32>, tensor<40x40xi32>) -> tensor<40x40xi1>
  %4 = stablehlo.constant dense<-1.0> : tensor<40x40xf32>
  %5 = stablehlo.select %3, %0, %4 : tensor<40x40xi1>, tensor<40x40xf32>
  return %5 : tensor<40x40xf32>
}
func.func @doubles(%x: tensor<24x20xf64>, %w: tensor<20x24xf64>) -> tensor<24x24xf64> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<24x20xf64>, tensor<20x24xf64>) -> tensor<24x24xf64>
  return %0 : tensor<24x24xf64>
}
func.func @bytes(%x: tensor<32x64xi8>, %w: tensor<64x40xi8>) -> tensor<32x40xi32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<32x64xi8>, tensor<64x40xi8>) -> tensor<32x40xi32>
  return %0 : tensor<32x40xi32>
}
func.func @vector(%x: tensor<64xf32>, %w: tensor<64x40xf32>) -> tensor<40xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [0] x [0] : (tensor<64xf32>, tensor<64x40xf32>) -> tensor<40xf32>
  return %0 : tensor<40xf32>
}
func.func @conv(%x: tensor<2x12x12x8xf32>, %w: tensor<3x3x8x16xf32>) -> tensor<2x12x12x16xf32> {
  %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x12x12x8xf32>, tensor<3x3x8x16xf32>) -> tensor<2x12x12x16xf32>
  return %0 : tensor<2x12x12x16xf32>
}
func.func @bytes_nt(%x: tensor<33x96xi8>, %w: tensor<48x96xi8>) -> tensor<33x48xi32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [1] : (tensor<33x96xi8>, tensor<48x96xi8>) -> tensor<33x48xi32>
  return %0 : tensor<33x48xi32>
}
func.func @unsigned_bytes(%x: tensor<32x64xui8>, %w: tensor<64x40xui8>) -> tensor<32x40xui32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<32x64xui8>, tensor<64x40xui8>) -> tensor<32x40xui32>
  return %0 : tensor<32x40xui32>
}
func.func @half(%x: tensor<40x64xf16>, %w: tensor<64x24xf16>) -> tensor<40x24xf16> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<40x64xf16>, tensor<64x24xf16>) -> tensor<40x24xf32>
  %1 = stablehlo.convert %0 : (tensor<40x24xf32>) -> tensor<40x24xf16>
  return %1 : tensor<40x24xf16>
}
func.func @bf16_tn(%x: tensor<72x40xbf16>, %w: tensor<72x56xbf16>) -> tensor<40x56xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [0] x [0] : (tensor<72x40xbf16>, tensor<72x56xbf16>) -> tensor<40x56xf32>
  return %0 : tensor<40x56xf32>
}
func.func @fp8(%x: tensor<48x128xf8E4M3FN>, %w: tensor<40x128xf8E4M3FN>) -> tensor<48x40xbf16> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [1] : (tensor<48x128xf8E4M3FN>, tensor<40x128xf8E4M3FN>) -> tensor<48x40xf32>
  %1 = stablehlo.convert %0 : (tensor<48x40xf32>) -> tensor<48x40xbf16>
  return %1 : tensor<48x40xbf16>
}
func.func @fp8_wide_range(%x: tensor<48x128xf8E5M2>, %w: tensor<40x128xf8E5M2>) -> tensor<48x40xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [1] : (tensor<48x128xf8E5M2>, tensor<40x128xf8E5M2>) -> tensor<48x40xf32>
  return %0 : tensor<48x40xf32>
}
func.func @fp8_mixed(%x: tensor<24x64xf8E4M3FN>, %w: tensor<64x40xf8E5M2>) -> tensor<24x40xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<24x64xf8E4M3FN>, tensor<64x40xf8E5M2>) -> tensor<24x40xf32>
  return %0 : tensor<24x40xf32>
}
func.func @grouped(%x: tensor<5x24x64xbf16>, %w: tensor<5x64x40xbf16>) -> tensor<5x24x40xbf16> {
  %0 = stablehlo.dot_general %x, %w, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<5x24x64xbf16>, tensor<5x64x40xbf16>) -> tensor<5x24x40xbf16>
  return %0 : tensor<5x24x40xbf16>
}
// Too few tiles for the chip: several blocks share one.
func.func @split(%x: tensor<16x4096xf32>, %w: tensor<4096x40xf32>, %b: tensor<40xf32>) -> (tensor<16x40xf32>, tensor<16x40xbf16>) {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<16x4096xf32>, tensor<4096x40xf32>) -> tensor<16x40xf32>
  %1 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<40xf32>) -> tensor<16x40xf32>
  %2 = stablehlo.add %0, %1 : tensor<16x40xf32>
  %3 = stablehlo.convert %2 : (tensor<16x40xf32>) -> tensor<16x40xbf16>
  return %2, %3 : tensor<16x40xf32>, tensor<16x40xbf16>
}
func.func @split_bytes(%x: tensor<3x8x2048xi8>, %w: tensor<3x24x2048xi8>) -> tensor<3x8x24xi32> {
  %0 = stablehlo.dot_general %x, %w, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<3x8x2048xi8>, tensor<3x24x2048xi8>) -> tensor<3x8x24xi32>
  return %0 : tensor<3x8x24xi32>
}
// The algorithm says tf32: one product of 10 bits.
func.func @tf32(%x: tensor<40x64xf32>, %w: tensor<64x24xf32>) -> tensor<40x24xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<40x64xf32>, tensor<64x24xf32>) -> tensor<40x24xf32>
  return %0 : tensor<40x24xf32>
}
