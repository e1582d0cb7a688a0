// Kernels for the fused tile strategies: small, with sizes that fit nothing.

func.func @bias_tanh(%a: tensor<77x100xf32>, %b: tensor<100xf32>) -> tensor<77x100xf32> {
  %0 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<100xf32>) -> tensor<77x100xf32>
  %1 = stablehlo.add %a, %0 : tensor<77x100xf32>
  %2 = stablehlo.tanh %1 : tensor<77x100xf32>
  return %2 : tensor<77x100xf32>
}

func.func @mixed_types(%a: tensor<1003xbf16>, %b: tensor<1003xf32>, %p: tensor<1003xi1>) -> (tensor<1003xbf16>, tensor<1003xi1>) {
  %0 = stablehlo.convert %a : (tensor<1003xbf16>) -> tensor<1003xf32>
  %1 = stablehlo.multiply %0, %b : tensor<1003xf32>
  %2 = stablehlo.select %p, %1, %b : tensor<1003xi1>, tensor<1003xf32>
  %3 = stablehlo.convert %2 : (tensor<1003xf32>) -> tensor<1003xbf16>
  %4 = stablehlo.compare GT, %1, %b : (tensor<1003xf32>, tensor<1003xf32>) -> tensor<1003xi1>
  return %3, %4 : tensor<1003xbf16>, tensor<1003xi1>
}

func.func @transpose(%x: tensor<67x130xf32>) -> tensor<130x67xf32> {
  %s = stablehlo.transpose %x, dims = [1, 0] : (tensor<67x130xf32>) -> tensor<130x67xf32>
  return %s : tensor<130x67xf32>
}

func.func @transpose_add(%x: tensor<64x128xbf16>, %y: tensor<128x64xbf16>) -> tensor<128x64xbf16> {
  %s = stablehlo.transpose %x, dims = [1, 0] : (tensor<64x128xbf16>) -> tensor<128x64xbf16>
  %r = stablehlo.add %s, %y : tensor<128x64xbf16>
  return %r : tensor<128x64xbf16>
}

func.func @heads(%x: tensor<2x33x64xf32>) -> tensor<2x4x33x16xf32> {
  %r = stablehlo.reshape %x : (tensor<2x33x64xf32>) -> tensor<2x33x4x16xf32>
  %s = stablehlo.transpose %r, dims = [0, 2, 1, 3] : (tensor<2x33x4x16xf32>) -> tensor<2x4x33x16xf32>
  return %s : tensor<2x4x33x16xf32>
}

func.func @slice_reverse_iota(%x: tensor<40x50xi32>) -> tensor<19x10xi32> {
  %0 = stablehlo.slice %x [1:39:2, 5:45:4] : (tensor<40x50xi32>) -> tensor<19x10xi32>
  %1 = stablehlo.reverse %0, dims = [1] : tensor<19x10xi32>
  %2 = stablehlo.iota dim = 0 : tensor<19x10xi32>
  %3 = stablehlo.add %1, %2 : tensor<19x10xi32>
  return %3 : tensor<19x10xi32>
}

func.func @scalar(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
  %0 = stablehlo.add %x, %y : tensor<f32>
  return %0 : tensor<f32>
}

func.func @softmax(%x: tensor<9x1000xf32>) -> tensor<9x1000xf32> {
  %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<9x1000xf32>, tensor<f32>) -> tensor<9xf32>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<9xf32>) -> tensor<9x1000xf32>
  %d = stablehlo.subtract %x, %mb : tensor<9x1000xf32>
  %e = stablehlo.exponential %d : tensor<9x1000xf32>
  %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<9x1000xf32>, tensor<f32>) -> tensor<9xf32>
  %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<9xf32>) -> tensor<9x1000xf32>
  %r = stablehlo.divide %e, %sb : tensor<9x1000xf32>
  return %r : tensor<9x1000xf32>
}

func.func @softmax_short(%x: tensor<50x3x20xbf16>) -> tensor<50x3x20xbf16> {
  %ninf = stablehlo.constant dense<0xFF80> : tensor<bf16>
  %z = stablehlo.constant dense<0.0> : tensor<bf16>
  %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [2] : (tensor<50x3x20xbf16>, tensor<bf16>) -> tensor<50x3xbf16>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0, 1] : (tensor<50x3xbf16>) -> tensor<50x3x20xbf16>
  %d = stablehlo.subtract %x, %mb : tensor<50x3x20xbf16>
  %e = stablehlo.exponential %d : tensor<50x3x20xbf16>
  %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [2] : (tensor<50x3x20xbf16>, tensor<bf16>) -> tensor<50x3xbf16>
  %sb = stablehlo.broadcast_in_dim %s, dims = [0, 1] : (tensor<50x3xbf16>) -> tensor<50x3x20xbf16>
  %r = stablehlo.divide %e, %sb : tensor<50x3x20xbf16>
  return %r : tensor<50x3x20xbf16>
}

func.func @layer_norm(%x: tensor<5x256xf32>, %g: tensor<256xf32>) -> (tensor<5x256xf32>, tensor<5xf32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %n = stablehlo.constant dense<256.0> : tensor<5xf32>
  %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1] : (tensor<5x256xf32>, tensor<f32>) -> tensor<5xf32>
  %mean = stablehlo.divide %s, %n : tensor<5xf32>
  %mb = stablehlo.broadcast_in_dim %mean, dims = [0] : (tensor<5xf32>) -> tensor<5x256xf32>
  %d = stablehlo.subtract %x, %mb : tensor<5x256xf32>
  %q = stablehlo.multiply %d, %d : tensor<5x256xf32>
  %v = stablehlo.reduce(%q init: %z) applies stablehlo.add across dimensions = [1] : (tensor<5x256xf32>, tensor<f32>) -> tensor<5xf32>
  %var = stablehlo.divide %v, %n : tensor<5xf32>
  %r = stablehlo.rsqrt %var : tensor<5xf32>
  %rb = stablehlo.broadcast_in_dim %r, dims = [0] : (tensor<5xf32>) -> tensor<5x256xf32>
  %y = stablehlo.multiply %d, %rb : tensor<5x256xf32>
  %gb = stablehlo.broadcast_in_dim %g, dims = [1] : (tensor<256xf32>) -> tensor<5x256xf32>
  %o = stablehlo.multiply %y, %gb : tensor<5x256xf32>
  return %o, %mean : tensor<5x256xf32>, tensor<5xf32>
}

// Too long for registers: in steps, three passes.
func.func @long_rows(%x: tensor<2x40000xf32>) -> tensor<2x40000xf32> {
  %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%x init: %ninf) applies stablehlo.maximum across dimensions = [1] : (tensor<2x40000xf32>, tensor<f32>) -> tensor<2xf32>
  %mb = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<2xf32>) -> tensor<2x40000xf32>
  %d = stablehlo.subtract %x, %mb : tensor<2x40000xf32>
  %e = stablehlo.exponential %d : tensor<2x40000xf32>
  %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [1] : (tensor<2x40000xf32>, tensor<f32>) -> tensor<2xf32>
  %sb = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<2xf32>) -> tensor<2x40000xf32>
  %r = stablehlo.divide %e, %sb : tensor<2x40000xf32>
  return %r : tensor<2x40000xf32>
}

func.func @columns(%x: tensor<1500x40xbf16>) -> tensor<40xbf16> {
  %z = stablehlo.constant dense<0.5> : tensor<bf16>
  %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0] : (tensor<1500x40xbf16>, tensor<bf16>) -> tensor<40xbf16>
  return %s : tensor<40xbf16>
}

func.func @columns_small(%x: tensor<7x300xi32>, %i: tensor<i32>) -> tensor<300xi32> {
  %s = stablehlo.reduce(%x init: %i) applies stablehlo.maximum across dimensions = [0] : (tensor<7x300xi32>, tensor<i32>) -> tensor<300xi32>
  return %s : tensor<300xi32>
}

func.func @outer_and_inner(%x: tensor<6x5x70xf32>) -> tensor<5xf32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0, 2] : (tensor<6x5x70xf32>, tensor<f32>) -> tensor<5xf32>
  return %s : tensor<5xf32>
}

func.func @whole(%x: tensor<300x101xf32>) -> tensor<f32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %q = stablehlo.multiply %x, %x : tensor<300x101xf32>
  %s = stablehlo.reduce(%q init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<300x101xf32>, tensor<f32>) -> tensor<f32>
  %r = stablehlo.sqrt %s : tensor<f32>
  return %r : tensor<f32>
}

func.func @argmax(%x: tensor<6x333xf32>) -> (tensor<6xf32>, tensor<6xi32>) {
  %ninf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %i = stablehlo.iota dim = 1 : tensor<6x333xi32>
  %r:2 = stablehlo.reduce(%x init: %ninf), (%i init: %zero) across dimensions = [1] : (tensor<6x333xf32>, tensor<6x333xi32>, tensor<f32>, tensor<i32>) -> (tensor<6xf32>, tensor<6xi32>)
   reducer(%a: tensor<f32>, %b: tensor<f32>) (%j: tensor<i32>, %k: tensor<i32>) {
    %gt = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %eq = stablehlo.compare EQ, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %lt = stablehlo.compare LT, %j, %k : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %tie = stablehlo.and %eq, %lt : tensor<i1>
    %first = stablehlo.or %gt, %tie : tensor<i1>
    %v = stablehlo.select %gt, %a, %b : tensor<i1>, tensor<f32>
    %w = stablehlo.select %first, %j, %k : tensor<i1>, tensor<i32>
    stablehlo.return %v, %w : tensor<f32>, tensor<i32>
  }
  return %r#0, %r#1 : tensor<6xf32>, tensor<6xi32>
}

// Associative, not commutative: the second of two, where it is not zero.
func.func @last_nonzero(%x: tensor<3x777xi32>) -> tensor<3xi32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %s = stablehlo.reduce(%x init: %zero) across dimensions = [1] : (tensor<3x777xi32>, tensor<i32>) -> tensor<3xi32>
   reducer(%a: tensor<i32>, %b: tensor<i32>) {
    %z = stablehlo.constant dense<0> : tensor<i32>
    %p = stablehlo.compare EQ, %b, %z : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %r = stablehlo.select %p, %a, %b : tensor<i1>, tensor<i32>
    stablehlo.return %r : tensor<i32>
  }
  return %s : tensor<3xi32>
}

func.func @adamw(%p: tensor<3000xf32>, %g: tensor<3000xf32>, %m: tensor<3000xf32>, %v: tensor<3000xf32>) -> (tensor<3000xf32>, tensor<3000xf32>, tensor<3000xf32>) {
  %b1 = stablehlo.constant dense<0.9> : tensor<3000xf32>
  %c1 = stablehlo.constant dense<0.1> : tensor<3000xf32>
  %e = stablehlo.constant dense<1.0e-3> : tensor<3000xf32>
  %m0 = stablehlo.multiply %m, %b1 : tensor<3000xf32>
  %g0 = stablehlo.multiply %g, %c1 : tensor<3000xf32>
  %m1 = stablehlo.add %m0, %g0 : tensor<3000xf32>
  %v0 = stablehlo.multiply %v, %v : tensor<3000xf32>
  %g2 = stablehlo.multiply %g, %g : tensor<3000xf32>
  %v1 = stablehlo.add %v0, %g2 : tensor<3000xf32>
  %s = stablehlo.sqrt %v1 : tensor<3000xf32>
  %t = stablehlo.add %s, %e : tensor<3000xf32>
  %u = stablehlo.divide %m1, %t : tensor<3000xf32>
  %p1 = stablehlo.subtract %p, %u : tensor<3000xf32>
  return %p1, %m1, %v1 : tensor<3000xf32>, tensor<3000xf32>, tensor<3000xf32>
}
