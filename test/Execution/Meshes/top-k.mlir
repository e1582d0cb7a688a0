// Of a cut dimension the best of each part are sent, no more: four devices,
// three candidates each, of eight bytes.
// RUN: shoal-compile %s --compile-to=partitioned | FileCheck %s
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
// CHECK: chlo.top_k(%{{.*}}, k = 3) : tensor<64xi32>
// CHECK-COUNT-2: comm.all_gather {{.*}} : (tensor<3xi32>) -> tensor<12xi32>
module attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @m = <["a"=4]>
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<256xi32>
    %c = stablehlo.constant dense<37> : tensor<256xi32>
    %1 = stablehlo.multiply %0, %c : tensor<256xi32>
    %n = stablehlo.constant dense<101> : tensor<256xi32>
    %2 = stablehlo.remainder %1, %n : tensor<256xi32>
    %b = stablehlo.optimization_barrier %2 : tensor<256xi32>
    %x = sdy.sharding_constraint %b <@m, [{"a"}]> : tensor<256xi32>
    %v, %i = chlo.top_k(%x, k = 3) : tensor<256xi32> -> (tensor<3xi32>, tensor<3xi32>)
    check.expect_eq_const %v, dense<[100, 100, 100]> : tensor<3xi32>
    check.expect_eq_const %i, dense<[30, 131, 232]> : tensor<3xi32>
    return
  }
}
