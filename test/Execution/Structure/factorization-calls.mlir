// Factorizations as JAX prints them for TPUs and GPUs, in batches: what they
// give, put together again, is what they were given.
// RUN: shoal-run %s --single-device
// RUN: shoal-run %s

sdy.mesh @mesh = <["a"=2, "b"=2]>

func.func @product(%a: tensor<2x3x3xf32>, %b: tensor<2x3x3xf32>) -> tensor<2x3x3xf32> {
  %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  return %0 : tensor<2x3x3xf32>
}

// On and above the diagonal, or below it.
func.func @upper(%a: tensor<2x3x3xf32>) -> tensor<2x3x3xf32> {
  %i = stablehlo.iota dim = 1 : tensor<2x3x3xi32>
  %j = stablehlo.iota dim = 2 : tensor<2x3x3xi32>
  %p = stablehlo.compare LE, %i, %j : (tensor<2x3x3xi32>, tensor<2x3x3xi32>) -> tensor<2x3x3xi1>
  %z = stablehlo.constant dense<0.0> : tensor<2x3x3xf32>
  %0 = stablehlo.select %p, %a, %z : tensor<2x3x3xi1>, tensor<2x3x3xf32>
  return %0 : tensor<2x3x3xf32>
}

func.func @main() {
  %given = stablehlo.constant dense<[[[4.0, 1.0, 2.0], [1.0, 5.0, 3.0], [2.0, 3.0, 6.0]], [[7.0, -1.0, 0.5], [-1.0, 3.0, 2.0], [0.5, 2.0, 4.0]]]> : tensor<2x3x3xf32>
  %x = sdy.sharding_constraint %given <@mesh, [{"a"}, {"b"}, {}]> : tensor<2x3x3xf32>
  %eye = stablehlo.constant dense<[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]> : tensor<2x3x3xf32>

  // Q R
  %qr:2 = stablehlo.custom_call @Qr(%x) {backend_config = ""} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xf32>)
  %q = stablehlo.custom_call @ProductOfElementaryHouseholderReflectors(%qr#0, %qr#1) {backend_config = ""} : (tensor<2x3x3xf32>, tensor<2x3xf32>) -> tensor<2x3x3xf32>
  %r = call @upper(%qr#0) : (tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %q_r = call @product(%q, %r) : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  check.expect_almost_eq %q_r, %given {tolerance = 1.0e-5} : tensor<2x3x3xf32>

  %qrb:2 = stablehlo.custom_call @cublas_geqrf_batched_ffi(%x) {mhlo.backend_config = {}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xf32>)
  check.expect_eq %qrb#0, %qr#0 : tensor<2x3x3xf32>
  check.expect_eq %qrb#1, %qr#1 : tensor<2x3xf32>

  // Eigenvectors times eigenvalues times their transposes.
  %v, %w = stablehlo.custom_call @Eigh(%x) {backend_config = "1,1,100,1e-6"} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xf32>)
  %ww = stablehlo.broadcast_in_dim %w, dims = [0, 2] : (tensor<2x3xf32>) -> tensor<2x3x3xf32>
  %vw = stablehlo.multiply %v, %ww : tensor<2x3x3xf32>
  %vt = stablehlo.transpose %v, dims = [0, 2, 1] : (tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %vwv = call @product(%vw, %vt) : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  check.expect_almost_eq %vwv, %given {tolerance = 1.0e-5} : tensor<2x3x3xf32>

  // The same eigenvalues from what does not know of symmetry, in any order.
  %e:5 = stablehlo.custom_call @cuhybrid_eig_real(%x) {mhlo.backend_config = {left = false, right = true, magma = "auto"}} : (tensor<2x3x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3x3xcomplex<f32>>, tensor<2x3x3xcomplex<f32>>, tensor<2xi32>)
  %sorted = "stablehlo.sort"(%e#0) ({
  ^bb0(%l: tensor<f32>, %m: tensor<f32>):
    %less = stablehlo.compare LT, %l, %m : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %less : tensor<i1>
  }) {dimension = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  check.expect_almost_eq %sorted, %w {tolerance = 1.0e-5} : tensor<2x3xf32>
  check.expect_almost_eq_const %e#1, dense<0.0> : tensor<2x3xf32>

  // The same, upper triangle, on GPUs; singular values of what is positive definite.
  %g:3 = stablehlo.custom_call @cusolver_syevd_ffi(%x) {mhlo.backend_config = {algorithm = 0 : ui8, lower = false}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xf32>, tensor<2xi32>)
  check.expect_almost_eq %g#1, %w {tolerance = 1.0e-5} : tensor<2x3xf32>
  %s:5 = stablehlo.custom_call @cusolver_gesvdj_ffi(%x) {mhlo.backend_config = {compute_uv = true, econ = true}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xf32>, tensor<2x3x3xf32>, tensor<2x3x3xf32>, tensor<2xi32>)
  %falling = stablehlo.reverse %s#1, dims = [1] : tensor<2x3xf32>
  check.expect_almost_eq %falling, %w {tolerance = 1.0e-5} : tensor<2x3xf32>
  %ss = stablehlo.broadcast_in_dim %s#1, dims = [0, 2] : (tensor<2x3xf32>) -> tensor<2x3x3xf32>
  %us = stablehlo.multiply %s#2, %ss : tensor<2x3x3xf32>
  %st = stablehlo.transpose %s#3, dims = [0, 2, 1] : (tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %usv = call @product(%us, %st) : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  check.expect_almost_eq %usv, %given {tolerance = 1.0e-5} : tensor<2x3x3xf32>

  // L U of the rows in their new order.
  %rows = stablehlo.constant dense<[[[1.0, 2.0, 4.0], [2.0, 8.0, 4.0], [8.0, 8.0, 16.0]], [[1.0, 0.0, 0.0], [4.0, 1.0, 2.0], [2.0, 4.0, 1.0]]]> : tensor<2x3x3xf32>
  %spread = sdy.sharding_constraint %rows <@mesh, [{"b"}, {}, {"a"}]> : tensor<2x3x3xf32>
  %lu:3 = stablehlo.custom_call @LuDecomposition(%spread) {api_version = 2 : i32, backend_config = ""} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xi32>, tensor<2x3xi32>)
  check.expect_eq_const %lu#1, dense<[[2, 1, 2], [1, 2, 2]]> : tensor<2x3xi32>
  check.expect_eq_const %lu#2, dense<[[2, 1, 0], [1, 2, 0]]> : tensor<2x3xi32>
  check.expect_almost_eq_const %lu#0, dense<[[[8.0, 8.0, 16.0], [0.25, 6.0, 0.0], [0.125, 0.166666672, 2.0]], [[4.0, 1.0, 2.0], [0.5, 3.5, 0.0], [0.25, -0.0714285746, -0.5]]]> : tensor<2x3x3xf32>
  %cu:3 = stablehlo.custom_call @cusolver_getrf_ffi(%spread) {mhlo.backend_config = {}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xi32>, tensor<2xi32>)
  check.expect_eq_const %cu#1, dense<[[3, 2, 3], [2, 3, 3]]> : tensor<2x3xi32>
  %cub:3 = stablehlo.custom_call @cublas_getrf_batched_ffi(%spread) {mhlo.backend_config = {}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2x3xi32>, tensor<2xi32>)
  check.expect_eq %cub#0, %cu#0 : tensor<2x3x3xf32>
  check.expect_eq %cub#1, %cu#1 : tensor<2x3xi32>
  // More rows than pivots.
  %pivots = stablehlo.constant dense<[[2, 3], [1, 1]]> : tensor<2x2xi32>
  %order = stablehlo.custom_call @cu_lu_pivots_to_permutation(%pivots) : (tensor<2x2xi32>) -> tensor<2x4xi32>
  check.expect_eq_const %order, dense<[[2, 3, 0, 1], [1, 0, 2, 3]]> : tensor<2x4xi32>

  %c:2 = stablehlo.custom_call @cusolver_potrf_ffi(%x) {mhlo.backend_config = {lower = false}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2xi32>)
  %u = call @upper(%c#0) : (tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %ut = stablehlo.transpose %u, dims = [0, 2, 1] : (tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %utu = call @product(%ut, %u) : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  check.expect_almost_eq %utu, %given {tolerance = 1.0e-5} : tensor<2x3x3xf32>

  %d = stablehlo.constant dense<[[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]> : tensor<2x3xf32>
  %below = stablehlo.constant dense<[[0.0, 1.0, 1.0], [0.0, 2.0, 1.0]]> : tensor<2x3xf32>
  %above = stablehlo.constant dense<[[1.0, 2.0, 0.0], [1.0, 1.0, 0.0]]> : tensor<2x3xf32>
  %right = stablehlo.constant dense<[[[4.0], [7.0], [6.0]], [[7.0], [10.0], [9.0]]]> : tensor<2x3x1xf32>
  %solution = stablehlo.custom_call @cusparse_gtsv2_ffi(%below, %d, %above, %right) {mhlo.backend_config = {}} : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  check.expect_almost_eq_const %solution, dense<1.0> : tensor<2x3x1xf32>
  return
}
