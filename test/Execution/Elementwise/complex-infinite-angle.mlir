// tanh and tan where the angle is infinite: nothing is known of them unless
// the other part is infinite, too.
// RUN: shoal-run %s --single-device

func.func @main() {
  %z = stablehlo.constant dense<[(88.0, 0x7F800000), (-88.0, 0x7FC00000), (0x7F800000, 0x7F800000), (0xFF800000, 3.0), (88.0, 3.0)]> : tensor<5xcomplex<f32>>
  %want = stablehlo.constant dense<[(0x7FC00000, 0x7FC00000), (0x7FC00000, 0x7FC00000), (1.0, 0.0), (-1.0, 0.0), (1.0, 0.0)]> : tensor<5xcomplex<f32>>
  %0 = stablehlo.tanh %z : tensor<5xcomplex<f32>>
  check.expect_close %0, %want, max_ulp_difference = 0 : tensor<5xcomplex<f32>>, tensor<5xcomplex<f32>>

  // tan z = -i tanh iz
  %re = stablehlo.real %z : (tensor<5xcomplex<f32>>) -> tensor<5xf32>
  %im = stablehlo.imag %z : (tensor<5xcomplex<f32>>) -> tensor<5xf32>
  %turned = stablehlo.complex %im, %re : tensor<5xcomplex<f32>>
  %1 = stablehlo.tan %turned : tensor<5xcomplex<f32>>
  %re1 = stablehlo.real %1 : (tensor<5xcomplex<f32>>) -> tensor<5xf32>
  %im1 = stablehlo.imag %1 : (tensor<5xcomplex<f32>>) -> tensor<5xf32>
  %back = stablehlo.complex %im1, %re1 : tensor<5xcomplex<f32>>
  check.expect_close %back, %want, max_ulp_difference = 0 : tensor<5xcomplex<f32>>, tensor<5xcomplex<f32>>
  return
}
