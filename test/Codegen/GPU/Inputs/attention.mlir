func.func @plain(%q: tensor<2x3x40x16xf32>, %k: tensor<2x3x48x16xf32>, %v: tensor<2x3x48x32xf32>) -> tensor<2x3x40x32xf32> {
  %s = stablehlo.dot_general %q, %k, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x3x40x16xf32>, tensor<2x3x48x16xf32>) -> tensor<2x3x40x48xf32>
  %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %scale = stablehlo.constant dense<0.25> : tensor<2x3x40x48xf32>
  %x = stablehlo.multiply %s, %scale : tensor<2x3x40x48xf32>
  %m = stablehlo.reduce(%x init: %lowest) applies stablehlo.maximum across dimensions = [3] : (tensor<2x3x40x48xf32>, tensor<f32>) -> tensor<2x3x40xf32>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0, 1, 2] : (tensor<2x3x40xf32>) -> tensor<2x3x40x48xf32>
  %d = stablehlo.subtract %x, %mb : tensor<2x3x40x48xf32>
  %e = stablehlo.exponential %d : tensor<2x3x40x48xf32>
  %l = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [3] : (tensor<2x3x40x48xf32>, tensor<f32>) -> tensor<2x3x40xf32>
  %lb = stablehlo.broadcast_in_dim %l, dims = [0, 1, 2] : (tensor<2x3x40xf32>) -> tensor<2x3x40x48xf32>
  %p = stablehlo.divide %e, %lb : tensor<2x3x40x48xf32>
  %o = stablehlo.dot_general %p, %v, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x3x40x48xf32>, tensor<2x3x48x32xf32>) -> tensor<2x3x40x32xf32>
  return %o : tensor<2x3x40x32xf32>
}
func.func @grouped(%q: tensor<2x40x4x16xbf16>, %k: tensor<2x100x2x16xbf16>, %v: tensor<2x100x2x16xbf16>, %mask: tensor<40x100xi1>) -> tensor<2x40x4x16xbf16> {
  %q5 = stablehlo.reshape %q : (tensor<2x40x4x16xbf16>) -> tensor<2x40x2x2x16xbf16>
  %s = stablehlo.dot_general %k, %q5, batching_dims = [0, 2] x [0, 2], contracting_dims = [3] x [4] : (tensor<2x100x2x16xbf16>, tensor<2x40x2x2x16xbf16>) -> tensor<2x2x100x40x2xbf16>
  %st = stablehlo.transpose %s, dims = [0, 1, 4, 3, 2] : (tensor<2x2x100x40x2xbf16>) -> tensor<2x2x2x40x100xbf16>
  %sf = stablehlo.convert %st : (tensor<2x2x2x40x100xbf16>) -> tensor<2x2x2x40x100xf32>
  %c = stablehlo.constant dense<0.25> : tensor<f32>
  %cb = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<2x2x2x40x100xf32>
  %sc = stablehlo.multiply %sf, %cb : tensor<2x2x2x40x100xf32>
  %maskb = stablehlo.broadcast_in_dim %mask, dims = [3, 4] : (tensor<40x100xi1>) -> tensor<2x2x2x40x100xi1>
  %low = stablehlo.constant dense<-1.0e30> : tensor<2x2x2x40x100xf32>
  %x = stablehlo.select %maskb, %sc, %low : tensor<2x2x2x40x100xi1>, tensor<2x2x2x40x100xf32>
  %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%x init: %lowest) applies stablehlo.maximum across dimensions = [4] : (tensor<2x2x2x40x100xf32>, tensor<f32>) -> tensor<2x2x2x40xf32>
  %lowb = stablehlo.broadcast_in_dim %lowest, dims = [] : (tensor<f32>) -> tensor<2x2x2x40xf32>
  %m2 = stablehlo.maximum %lowb, %m : tensor<2x2x2x40xf32>
  %m3 = stablehlo.broadcast_in_dim %m2, dims = [0, 1, 2, 3] : (tensor<2x2x2x40xf32>) -> tensor<2x2x2x40x1xf32>
  %mb = stablehlo.broadcast_in_dim %m3, dims = [0, 1, 2, 3, 4] : (tensor<2x2x2x40x1xf32>) -> tensor<2x2x2x40x100xf32>
  %d = stablehlo.subtract %x, %mb : tensor<2x2x2x40x100xf32>
  %e = stablehlo.exponential %d : tensor<2x2x2x40x100xf32>
  %l = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [4] : (tensor<2x2x2x40x100xf32>, tensor<f32>) -> tensor<2x2x2x40xf32>
  %l2 = stablehlo.broadcast_in_dim %l, dims = [0, 1, 2, 3] : (tensor<2x2x2x40xf32>) -> tensor<2x2x2x40x1xf32>
  %lb = stablehlo.broadcast_in_dim %l2, dims = [0, 1, 2, 3, 4] : (tensor<2x2x2x40x1xf32>) -> tensor<2x2x2x40x100xf32>
  %p = stablehlo.divide %e, %lb : tensor<2x2x2x40x100xf32>
  %pb = stablehlo.convert %p : (tensor<2x2x2x40x100xf32>) -> tensor<2x2x2x40x100xbf16>
  %o = stablehlo.dot_general %v, %pb, batching_dims = [0, 2] x [0, 1], contracting_dims = [1] x [4] : (tensor<2x100x2x16xbf16>, tensor<2x2x2x40x100xbf16>) -> tensor<2x2x16x2x40xbf16>
  %ot = stablehlo.transpose %o, dims = [0, 4, 1, 3, 2] : (tensor<2x2x16x2x40xbf16>) -> tensor<2x40x2x2x16xbf16>
  %or = stablehlo.reshape %ot : (tensor<2x40x2x2x16xbf16>) -> tensor<2x40x4x16xbf16>
  return %or : tensor<2x40x4x16xbf16>
}
func.func @causal(%q: tensor<40x2x16xf16>, %k: tensor<40x2x16xf16>, %v: tensor<40x2x16xf16>, %bias: tensor<2x40x40xf32>) -> tensor<2x40x16xf32> {
  %s = stablehlo.dot_general %q, %k, batching_dims = [1] x [1], contracting_dims = [2] x [2] : (tensor<40x2x16xf16>, tensor<40x2x16xf16>) -> tensor<2x40x40xf32>
  %b = stablehlo.add %s, %bias : tensor<2x40x40xf32>
  %i = stablehlo.iota dim = 1 : tensor<2x40x40xi32>
  %j = stablehlo.iota dim = 2 : tensor<2x40x40xi32>
  %c = stablehlo.compare GE, %i, %j : (tensor<2x40x40xi32>, tensor<2x40x40xi32>) -> tensor<2x40x40xi1>
  %low = stablehlo.constant dense<0xFF800000> : tensor<2x40x40xf32>
  %x = stablehlo.select %c, %b, %low : tensor<2x40x40xi1>, tensor<2x40x40xf32>
  %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%x init: %lowest) applies stablehlo.maximum across dimensions = [2] : (tensor<2x40x40xf32>, tensor<f32>) -> tensor<2x40xf32>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0, 1] : (tensor<2x40xf32>) -> tensor<2x40x40xf32>
  %d = stablehlo.subtract %x, %mb : tensor<2x40x40xf32>
  %e = stablehlo.exponential %d : tensor<2x40x40xf32>
  %l = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x40x40xf32>, tensor<f32>) -> tensor<2x40xf32>
  %lb = stablehlo.broadcast_in_dim %l, dims = [0, 1] : (tensor<2x40xf32>) -> tensor<2x40x40xf32>
  %p = stablehlo.divide %e, %lb : tensor<2x40x40xf32>
  %ph = stablehlo.convert %p : (tensor<2x40x40xf32>) -> tensor<2x40x40xf16>
  %o = stablehlo.dot_general %ph, %v, batching_dims = [0] x [1], contracting_dims = [2] x [0] : (tensor<2x40x40xf16>, tensor<40x2x16xf16>) -> tensor<2x40x16xf32>
  return %o : tensor<2x40x16xf32>
}
