// One kernel for each form of the SIMT level, small, with odd sizes.
module {
  plan.kernel @loops(%a: tensor<13x7xf32>, %b: tensor<7xf32>) -> (tensor<13x7xf32>, tensor<7x13xbf16>) {
    %0 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<7xf32>) -> tensor<13x7xf32>
    %1 = stablehlo.multiply %a, %0 : tensor<13x7xf32>
    %2 = stablehlo.exponential %1 : tensor<13x7xf32>
    %3 = stablehlo.transpose %2, dims = [1, 0] : (tensor<13x7xf32>) -> tensor<7x13xf32>
    %4 = stablehlo.convert %3 : (tensor<7x13xf32>) -> tensor<7x13xbf16>
    plan.yield %2, %4 : tensor<13x7xf32>, tensor<7x13xbf16>
  }
  plan.kernel @softmax(%a: tensor<5x300xf32>) -> (tensor<5x300xf32>, tensor<5xf32>) {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %i = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %0 = stablehlo.reduce(%a init: %i) applies stablehlo.maximum across dimensions = [1] : (tensor<5x300xf32>, tensor<f32>) -> tensor<5xf32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<5xf32>) -> tensor<5x300xf32>
    %2 = stablehlo.subtract %a, %1 : tensor<5x300xf32>
    %3 = stablehlo.exponential %2 : tensor<5x300xf32>
    %4 = stablehlo.reduce(%3 init: %z) applies stablehlo.add across dimensions = [1] : (tensor<5x300xf32>, tensor<f32>) -> tensor<5xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<5xf32>) -> tensor<5x300xf32>
    %6 = stablehlo.divide %3, %5 : tensor<5x300xf32>
    plan.yield %6, %4 : tensor<5x300xf32>, tensor<5xf32>
  }
  plan.kernel @columns(%a: tensor<70x45xbf16>) -> tensor<45xbf16> {
    %z = stablehlo.constant dense<1.0> : tensor<bf16>
    %0 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<70x45xbf16>, tensor<bf16>) -> tensor<45xbf16>
    plan.yield %0 : tensor<45xbf16>
  }
  plan.kernel @argmax(%a: tensor<3x333xf32>) -> (tensor<3xf32>, tensor<3xi32>) {
    %i = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %z = stablehlo.constant dense<0> : tensor<i32>
    %n = stablehlo.iota dim = 1 : tensor<3x333xi32>
    %0:2 = stablehlo.reduce(%a init: %i), (%n init: %z) across dimensions = [1] : (tensor<3x333xf32>, tensor<3x333xi32>, tensor<f32>, tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>)
     reducer(%x: tensor<f32>, %y: tensor<f32>) (%k: tensor<i32>, %l: tensor<i32>) {
      %1 = stablehlo.compare GE, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %2 = stablehlo.select %1, %x, %y : tensor<i1>, tensor<f32>
      %3 = stablehlo.select %1, %k, %l : tensor<i1>, tensor<i32>
      stablehlo.return %2, %3 : tensor<f32>, tensor<i32>
    }
    plan.yield %0#0, %0#1 : tensor<3xf32>, tensor<3xi32>
  }
  plan.kernel @product(%a: tensor<9x33xbf16>, %b: tensor<17x33xf32>, %c: tensor<17xf32>) -> tensor<9x17xbf16> {
    %0 = stablehlo.convert %b : (tensor<17x33xf32>) -> tensor<17x33xbf16>
    %1 = stablehlo.dot_general %a, %0, contracting_dims = [1] x [1] : (tensor<9x33xbf16>, tensor<17x33xbf16>) -> tensor<9x17xf32>
    %2 = stablehlo.broadcast_in_dim %c, dims = [1] : (tensor<17xf32>) -> tensor<9x17xf32>
    %3 = stablehlo.add %1, %2 : tensor<9x17xf32>
    %4 = stablehlo.convert %3 : (tensor<9x17xf32>) -> tensor<9x17xbf16>
    plan.yield %4 : tensor<9x17xbf16>
  }
  plan.kernel @update(%a: tensor<6x50xf32>, %u: tensor<2x50xf32>, %i: tensor<i32>) -> tensor<6x50xf32> {
    %z = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_update_slice %a, %u, %i, %z : (tensor<6x50xf32>, tensor<2x50xf32>, tensor<i32>, tensor<i32>) -> tensor<6x50xf32>
    plan.yield %0 : tensor<6x50xf32>
  }
  plan.kernel @scatter_add(%a: tensor<12x8xf32>, %i: tensor<40x1xi32>, %u: tensor<40x8xf32>) -> tensor<12x8xf32> {
    %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false, indices_are_sorted = false}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<12x8xf32>, tensor<40x1xi32>, tensor<40x8xf32>) -> tensor<12x8xf32>
    plan.yield %0 : tensor<12x8xf32>
  }
  plan.kernel @scatter_max_i8(%a: tensor<30xi8>, %i: tensor<64x1xi32>, %u: tensor<64xi8>) -> tensor<30xi8> {
    %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false, indices_are_sorted = false}> ({
    ^bb0(%x: tensor<i8>, %y: tensor<i8>):
      %1 = stablehlo.maximum %x, %y : tensor<i8>
      stablehlo.return %1 : tensor<i8>
    }) : (tensor<30xi8>, tensor<64x1xi32>, tensor<64xi8>) -> tensor<30xi8>
    plan.yield %0 : tensor<30xi8>
  }
  plan.kernel @scatter_two(%a: tensor<12x8xf32>, %b: tensor<12x8xi32>, %i: tensor<20x1xi32>, %u: tensor<20x8xf32>, %v: tensor<20x8xi32>) -> (tensor<12x8xf32>, tensor<12x8xi32>) {
    %0:2 = "stablehlo.scatter"(%a, %b, %i, %u, %v) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false, indices_are_sorted = false}> ({
    ^bb0(%x: tensor<f32>, %k: tensor<i32>, %y: tensor<f32>, %l: tensor<i32>):
      %1 = stablehlo.multiply %x, %y : tensor<f32>
      stablehlo.return %1, %l : tensor<f32>, tensor<i32>
    }) : (tensor<12x8xf32>, tensor<12x8xi32>, tensor<20x1xi32>, tensor<20x8xf32>, tensor<20x8xi32>) -> (tensor<12x8xf32>, tensor<12x8xi32>)
    plan.yield %0#0, %0#1 : tensor<12x8xf32>, tensor<12x8xi32>
  }
  plan.kernel @sort(%a: tensor<3x1300xf32>, %b: tensor<3x1300xi32>) -> (tensor<3x1300xf32>, tensor<3x1300xi32>) {
    %0:2 = "stablehlo.sort"(%a, %b) <{dimension = 1 : i64, is_stable = true}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>, %k: tensor<i32>, %l: tensor<i32>):
      %1 = stablehlo.compare LT, %x, %y, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }) : (tensor<3x1300xf32>, tensor<3x1300xi32>) -> (tensor<3x1300xf32>, tensor<3x1300xi32>)
    plan.yield %0#0, %0#1 : tensor<3x1300xf32>, tensor<3x1300xi32>
  }
  plan.kernel @sort_small(%a: tensor<19x6xi8>) -> tensor<19x6xi8> {
    %0 = "stablehlo.sort"(%a) <{dimension = 0 : i64, is_stable = false}> ({
    ^bb0(%x: tensor<i8>, %y: tensor<i8>):
      %1 = stablehlo.compare GT, %x, %y : (tensor<i8>, tensor<i8>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }) : (tensor<19x6xi8>) -> tensor<19x6xi8>
    plan.yield %0 : tensor<19x6xi8>
  }
  plan.kernel @top_k(%a: tensor<4x700xbf16>) -> (tensor<4x5xbf16>, tensor<4x5xi32>) {
    %0, %1 = chlo.top_k(%a, k = 5) : tensor<4x700xbf16> -> (tensor<4x5xbf16>, tensor<4x5xi32>)
    plan.yield %0, %1 : tensor<4x5xbf16>, tensor<4x5xi32>
  }
  plan.kernel @cumsum(%a: tensor<2x1000x3xf32>) -> tensor<2x1000x3xf32> {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = "stablehlo.reduce_window"(%a, %z) <{window_dimensions = array<i64: 1, 1000, 1>, padding = dense<[[0, 0], [999, 0], [0, 0]]> : tensor<3x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<2x1000x3xf32>, tensor<f32>) -> tensor<2x1000x3xf32>
    plan.yield %0 : tensor<2x1000x3xf32>
  }
  plan.kernel @max_pool(%a: tensor<2x9x9x3xf32>) -> tensor<2x4x4x3xf32> {
    %i = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 1, 3, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.maximum %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<2x9x9x3xf32>, tensor<f32>) -> tensor<2x4x4x3xf32>
    plan.yield %0 : tensor<2x4x4x3xf32>
  }
  plan.kernel @select_and_scatter(%a: tensor<2x9x9xf32>, %s: tensor<2x5x5xf32>) -> tensor<2x9x9xf32> {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = "stablehlo.select_and_scatter"(%a, %s, %z) <{window_dimensions = array<i64: 1, 3, 3>, window_strides = array<i64: 1, 2, 2>, padding = dense<[[0, 0], [1, 1], [1, 1]]> : tensor<3x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.compare GE, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }, {
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<2x9x9xf32>, tensor<2x5x5xf32>, tensor<f32>) -> tensor<2x9x9xf32>
    plan.yield %0 : tensor<2x9x9xf32>
  }
  plan.kernel @convolution(%a: tensor<2x7x6x4xf32>, %w: tensor<3x3x2x6xf32>) -> tensor<2x4x6x6xf32> {
    %0 = stablehlo.convolution(%a, %w) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [2, 1], pad = [[1, 1], [2, 2]], rhs_dilate = [1, 2]} {batch_group_count = 1 : i64, feature_group_count = 2 : i64} : (tensor<2x7x6x4xf32>, tensor<3x3x2x6xf32>) -> tensor<2x4x6x6xf32>
    plan.yield %0 : tensor<2x4x6x6xf32>
  }
  plan.kernel @random_bits(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<7x9xui32>) {
    %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<7x9xui32>)
    plan.yield %0, %1 : tensor<2xui64>, tensor<7x9xui32>
  }
  plan.kernel @random_bits_philox(%s: tensor<3xui64>) -> (tensor<3xui64>, tensor<7x3xui16>) {
    %0, %1 = stablehlo.rng_bit_generator %s, algorithm = PHILOX : (tensor<3xui64>) -> (tensor<3xui64>, tensor<7x3xui16>)
    plan.yield %0, %1 : tensor<3xui64>, tensor<7x3xui16>
  }
  plan.kernel @normal(%a: tensor<f32>, %b: tensor<f32>) -> tensor<50xf32> {
    %n = stablehlo.constant dense<50> : tensor<1xi64>
    %0 = stablehlo.rng %a, %b, %n, distribution = NORMAL : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<50xf32>
    plan.yield %0 : tensor<50xf32>
  }
  plan.kernel @remainder(%a: tensor<100xf32>, %b: tensor<100xf32>, %c: tensor<40xf64>, %d: tensor<40xf64>) -> (tensor<100xf32>, tensor<40xf64>) {
    %0 = stablehlo.remainder %a, %b : tensor<100xf32>
    %1 = stablehlo.remainder %c, %d : tensor<40xf64>
    plan.yield %0, %1 : tensor<100xf32>, tensor<40xf64>
  }
  plan.kernel @fft(%a: tensor<3x12xcomplex<f32>>) -> tensor<3x12xcomplex<f32>> {
    %0 = stablehlo.fft %a, type = FFT, length = [12] : (tensor<3x12xcomplex<f32>>) -> tensor<3x12xcomplex<f32>>
    plan.yield %0 : tensor<3x12xcomplex<f32>>
  }
  plan.kernel @irfft(%a: tensor<2x4x4xcomplex<f32>>) -> tensor<2x4x6xf32> {
    %0 = stablehlo.fft %a, type = IRFFT, length = [4, 6] : (tensor<2x4x4xcomplex<f32>>) -> tensor<2x4x6xf32>
    plan.yield %0 : tensor<2x4x6xf32>
  }
  plan.kernel @fft_factors(%a: tensor<2x720xcomplex<f32>>) -> tensor<2x720xcomplex<f32>> {
    %0 = stablehlo.fft %a, type = FFT, length = [720] : (tensor<2x720xcomplex<f32>>) -> tensor<2x720xcomplex<f32>>
    plan.yield %0 : tensor<2x720xcomplex<f32>>
  }
  plan.kernel @ifft_prime(%a: tensor<74xcomplex<f64>>) -> tensor<74xcomplex<f64>> {
    %0 = stablehlo.fft %a, type = IFFT, length = [74] : (tensor<74xcomplex<f64>>) -> tensor<74xcomplex<f64>>
    plan.yield %0 : tensor<74xcomplex<f64>>
  }
  plan.kernel @rfft_planes(%a: tensor<2x6x16x15xf32>) -> tensor<2x6x16x8xcomplex<f32>> {
    %0 = stablehlo.fft %a, type = RFFT, length = [6, 16, 15] : (tensor<2x6x16x15xf32>) -> tensor<2x6x16x8xcomplex<f32>>
    plan.yield %0 : tensor<2x6x16x8xcomplex<f32>>
  }
  plan.kernel @irfft_long(%a: tensor<3x129xcomplex<f32>>) -> tensor<3x256xf32> {
    %0 = stablehlo.fft %a, type = IRFFT, length = [256] : (tensor<3x129xcomplex<f32>>) -> tensor<3x256xf32>
    plan.yield %0 : tensor<3x256xf32>
  }
  plan.kernel @fft_nothing(%a: tensor<2x1xcomplex<f32>>) -> tensor<2x1xcomplex<f32>> {
    %0 = stablehlo.fft %a, type = FFT, length = [1] : (tensor<2x1xcomplex<f32>>) -> tensor<2x1xcomplex<f32>>
    plan.yield %0 : tensor<2x1xcomplex<f32>>
  }
  plan.kernel @triangular_solve(%a: tensor<2x6x6xf32>, %b: tensor<2x5x6xf32>) -> tensor<2x5x6xf32> {
    %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = false, lower = true, transpose_a = #stablehlo<transpose TRANSPOSE>, unit_diagonal = true}> : (tensor<2x6x6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
    plan.yield %0 : tensor<2x5x6xf32>
  }
  // Large windows a dimension at a time, long ones in parts.
  plan.kernel @window_sum(%a: tensor<2x17x19x3xf32>) -> tensor<2x9x8x3xf32> {
    %i = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 1, 5, 6, 1>, window_strides = array<i64: 1, 2, 2, 1>, padding = dense<[[0, 0], [2, 2], [0, 1], [0, 0]]> : tensor<4x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<2x17x19x3xf32>, tensor<f32>) -> tensor<2x9x8x3xf32>
    plan.yield %0 : tensor<2x9x8x3xf32>
  }
  plan.kernel @window_max_dilated(%a: tensor<23x20xi32>) -> tensor<15x11xi32> {
    %i = stablehlo.constant dense<-2147483648> : tensor<i32>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 4, 7>, window_dilations = array<i64: 3, 2>, padding = dense<[[1, 0], [3, 0]]> : tensor<2x2xi64>}> ({
    ^bb0(%x: tensor<i32>, %y: tensor<i32>):
      %1 = stablehlo.maximum %x, %y : tensor<i32>
      stablehlo.return %1 : tensor<i32>
    }) : (tensor<23x20xi32>, tensor<i32>) -> tensor<15x11xi32>
    plan.yield %0 : tensor<15x11xi32>
  }
  plan.kernel @window_long(%a: tensor<3x150xf32>) -> tensor<3x131xf32> {
    %i = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 1, 60>, padding = dense<[[0, 0], [17, 23]]> : tensor<2x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<3x150xf32>, tensor<f32>) -> tensor<3x131xf32>
    plan.yield %0 : tensor<3x131xf32>
  }
  plan.kernel @window_long_stride(%a: tensor<130x2xbf16>) -> tensor<14x2xbf16> {
    %i = stablehlo.constant dense<0x7F80> : tensor<bf16>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 48, 1>, window_strides = array<i64: 7, 1>, padding = dense<[[5, 4], [0, 0]]> : tensor<2x2xi64>}> ({
    ^bb0(%x: tensor<bf16>, %y: tensor<bf16>):
      %1 = stablehlo.minimum %x, %y : tensor<bf16>
      stablehlo.return %1 : tensor<bf16>
    }) : (tensor<130x2xbf16>, tensor<bf16>) -> tensor<14x2xbf16>
    plan.yield %0 : tensor<14x2xbf16>
  }
  plan.kernel @window_prime(%a: tensor<5x90xui32>) -> tensor<5x54xui32> {
    %i = stablehlo.constant dense<0> : tensor<ui32>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 1, 37>}> ({
    ^bb0(%x: tensor<ui32>, %y: tensor<ui32>):
      %1 = stablehlo.maximum %x, %y : tensor<ui32>
      stablehlo.return %1 : tensor<ui32>
    }) : (tensor<5x90xui32>, tensor<ui32>) -> tensor<5x54xui32>
    plan.yield %0 : tensor<5x54xui32>
  }
  plan.kernel @window_negative(%a: tensor<9x40xf64>) -> tensor<9x13xf64> {
    %i = stablehlo.constant dense<0.0> : tensor<f64>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 1, 24>, padding = dense<[[0, 0], [-2, -2]]> : tensor<2x2xi64>}> ({
    ^bb0(%x: tensor<f64>, %y: tensor<f64>):
      %1 = stablehlo.add %x, %y : tensor<f64>
      stablehlo.return %1 : tensor<f64>
    }) : (tensor<9x40xf64>, tensor<f64>) -> tensor<9x13xf64>
    plan.yield %0 : tensor<9x13xf64>
  }
  plan.kernel @window_initial(%a: tensor<9x40xf32>) -> tensor<9x29xf32> {
    %i = stablehlo.constant dense<1.5> : tensor<f32>
    %0 = "stablehlo.reduce_window"(%a, %i) <{window_dimensions = array<i64: 1, 32>, padding = dense<[[0, 0], [20, 0]]> : tensor<2x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<9x40xf32>, tensor<f32>) -> tensor<9x29xf32>
    plan.yield %0 : tensor<9x29xf32>
  }
  plan.kernel @overlapping_select(%a: tensor<3x14x15xf32>, %s: tensor<3x5x13xf32>) -> tensor<3x14x15xf32> {
    %z = stablehlo.constant dense<0.5> : tensor<f32>
    %0 = "stablehlo.select_and_scatter"(%a, %s, %z) <{window_dimensions = array<i64: 1, 4, 3>, window_strides = array<i64: 1, 3, 1>, padding = dense<[[0, 0], [1, 1], [0, 0]]> : tensor<3x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.compare GT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    }, {
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %1 = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<3x14x15xf32>, tensor<3x5x13xf32>, tensor<f32>) -> tensor<3x14x15xf32>
    plan.yield %0 : tensor<3x14x15xf32>
  }
  plan.kernel @bits_odd(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<3x5x7xui32>) {
    %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<3x5x7xui32>)
    plan.yield %0, %1 : tensor<2xui64>, tensor<3x5x7xui32>
  }
  plan.kernel @bits_bytes(%s: tensor<4xui32>) -> tensor<6x11xui8> {
    %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<4xui32>) -> (tensor<4xui32>, tensor<6x11xui8>)
    plan.yield %1 : tensor<6x11xui8>
  }
  plan.kernel @bits_philox(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<5x5xui64>, tensor<2xui64>) {
    %0, %1 = stablehlo.rng_bit_generator %s, algorithm = PHILOX : (tensor<2xui64>) -> (tensor<2xui64>, tensor<5x5xui64>)
    plan.yield %0, %1, %0 : tensor<2xui64>, tensor<5x5xui64>, tensor<2xui64>
  }
  plan.kernel @bits_philox_32(%s: tensor<3xui64>) -> (tensor<3xui64>, tensor<3x7xf32>) {
    %0, %1 = stablehlo.rng_bit_generator %s, algorithm = PHILOX : (tensor<3xui64>) -> (tensor<3xui64>, tensor<3x7xf32>)
    plan.yield %0, %1 : tensor<3xui64>, tensor<3x7xf32>
  }
}
