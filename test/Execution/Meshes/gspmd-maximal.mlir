// GSPMD's strings: one device, parts replicated, transposed numberings.
// RUN: shoal-run %s
module attributes {mhlo.num_partitions = 8 : i32} {
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<30xi32>
    %want = stablehlo.reshape %0 : (tensor<30xi32>) -> tensor<6x5xi32>
    %b = stablehlo.optimization_barrier %want : tensor<6x5xi32>
    %1 = stablehlo.custom_call @Sharding(%b) {mhlo.sharding = "{devices=[4,2]<=[8]}"} : (tensor<6x5xi32>) -> tensor<6x5xi32>
    %n1 = stablehlo.negate %1 : tensor<6x5xi32>
    %2 = stablehlo.custom_call @Sharding(%n1) {mhlo.sharding = "{maximal device=3}"} : (tensor<6x5xi32>) -> tensor<6x5xi32>
    %n2 = stablehlo.negate %2 : tensor<6x5xi32>
    %3 = stablehlo.custom_call @Sharding(%n2) {mhlo.sharding = "{devices=[2,2,2]<=[2,4]T(1,0) last_tile_dim_replicate}"} : (tensor<6x5xi32>) -> tensor<6x5xi32>
    %n3 = stablehlo.negate %3 : tensor<6x5xi32>
    %4 = stablehlo.custom_call @Sharding(%n3) {mhlo.sharding = "{devices=[1,8]0,3,1,2,7,4,6,5}"} : (tensor<6x5xi32>) -> tensor<6x5xi32>
    %n4 = stablehlo.negate %4 : tensor<6x5xi32>
    %5 = stablehlo.custom_call @Sharding(%n4) {mhlo.sharding = "{replicated}"} : (tensor<6x5xi32>) -> tensor<6x5xi32>
    check.expect_eq %5, %want : tensor<6x5xi32>
    return
  }
}
