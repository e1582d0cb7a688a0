// RUN: shoal-opt %s | shoal-opt | FileCheck %s
// RUN: shoal-opt %s --mlir-print-op-generic | shoal-opt | FileCheck %s
// RUN: shoal-opt %s --canonicalize --cse | FileCheck %s

func.func @checks(%x: tensor<2xf32>, %i: tensor<2xi32>, %c: tensor<2xcomplex<f64>>) {
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : tensor<2xi32>
  check.expect_eq %i, %i : tensor<2xi32>
  // CHECK: check.expect_eq_const %{{.*}}, dense<[1, 2]> : tensor<2xi32>
  check.expect_eq_const %i, dense<[1, 2]> : tensor<2xi32>
  // CHECK: check.expect_almost_eq %{{.*}}, %{{.*}} : tensor<2xf32>
  check.expect_almost_eq %x, %x : tensor<2xf32>
  // CHECK: check.expect_almost_eq %{{.*}}, %{{.*}} {tolerance = 1.000000e-03 : f64} : tensor<2xf32>
  check.expect_almost_eq %x, %x {tolerance = 0.001 : f64} : tensor<2xf32>
  // CHECK: check.expect_almost_eq_const %{{.*}}, dense<(1.000000e+00,2.000000e+00)> : tensor<2xcomplex<f64>>
  check.expect_almost_eq_const %c, dense<(1.0, 2.0)> : tensor<2xcomplex<f64>>
  // CHECK: check.expect_close %{{.*}}, %{{.*}} : tensor<2xf32>, tensor<2xf32>
  check.expect_close %x, %x : tensor<2xf32>, tensor<2xf32>
  // CHECK: check.expect_close %{{.*}}, %{{.*}}, max_ulp_difference = 3 : tensor<2xf32>, tensor<2xf32>
  check.expect_close %x, %x, max_ulp_difference = 3, min_ulp_difference = 0 : tensor<2xf32>, tensor<2xf32>
  // CHECK: check.expect_serialized_eq %{{.*}}, probe_id = "probe0" : tensor<2xf32>
  check.expect_serialized_eq %x, probe_id = "probe0" : tensor<2xf32>
  // CHECK: check.expect_serialized_eq %{{.*}}, probe_id = "probe0", iteration = 2 : tensor<2xf32>
  check.expect_serialized_eq %x, probe_id = "probe0", iteration = 2 : tensor<2xf32>
  return
}
