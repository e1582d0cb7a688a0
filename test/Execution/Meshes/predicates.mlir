// Control flow whose predicates vary over an axis: branches differ from device
// to device; collectives over the other axis stand under them.
// RUN: shoal-run %s
// RUN: shoal-run %s --single-device
module attributes {mhlo.num_partitions = 6 : i32} {
  sdy.mesh @m = <["a"=3, "b"=2]>
  func.func public @main() {
    %0 = stablehlo.iota dim = 0 : tensor<6xi32>
    %1:3 = sdy.manual_computation(%0) in_shardings=[<@m, [{"a", "b"}]>] out_shardings=[<@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>, <@m, [{"a", "b"}]>] manual_axes={"a", "b"} (%x: tensor<1xi32>) {
      %id = stablehlo.partition_id : tensor<ui32>
      %two = stablehlo.constant dense<2> : tensor<ui32>
      %au = stablehlo.divide %id, %two : tensor<ui32>
      %a = stablehlo.convert %au : (tensor<ui32>) -> tensor<i32>
      // case over the place along "a"; sums along "b" in its branches.
      %r = "stablehlo.case"(%a) ({
        %s = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<[[0, 1], [2, 3], [4, 5]]> : tensor<3x2xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %t = stablehlo.add %p, %q : tensor<i32>
          stablehlo.return %t : tensor<i32> }) : (tensor<1xi32>) -> tensor<1xi32>
        stablehlo.return %s : tensor<1xi32>
      }, {
        %n = stablehlo.negate %x : tensor<1xi32>
        stablehlo.return %n : tensor<1xi32>
      }, {
        %s = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>, replica_groups = dense<[[0, 1], [2, 3], [4, 5]]> : tensor<3x2xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %t = stablehlo.maximum %p, %q : tensor<i32>
          stablehlo.return %t : tensor<i32> }) : (tensor<1xi32>) -> tensor<1xi32>
        stablehlo.return %s : tensor<1xi32>
      }) : (tensor<i32>) -> tensor<1xi32>
      // A loop that runs as often as the device's data say.
      %one = stablehlo.constant dense<1> : tensor<1xi32>
      %zero = stablehlo.constant dense<0> : tensor<1xi32>
      %w:2 = stablehlo.while(%k = %x, %acc = %zero) : tensor<1xi32>, tensor<1xi32> cond {
        %c = stablehlo.compare GT, %k, %zero : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
        %cs = stablehlo.reshape %c : (tensor<1xi1>) -> tensor<i1>
        stablehlo.return %cs : tensor<i1>
      } do {
        %k1 = stablehlo.subtract %k, %one : tensor<1xi32>
        %acc1 = stablehlo.add %acc, %k : tensor<1xi32>
        stablehlo.return %k1, %acc1 : tensor<1xi32>, tensor<1xi32>
      }
      // A loop whose number of turns differs along "a", with sums along "b".
      %a1 = stablehlo.reshape %a : (tensor<i32>) -> tensor<1xi32>
      %v:2 = stablehlo.while(%k = %a1, %acc = %x) : tensor<1xi32>, tensor<1xi32> cond {
        %c = stablehlo.compare GT, %k, %zero : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
        %cs = stablehlo.reshape %c : (tensor<1xi1>) -> tensor<i1>
        stablehlo.return %cs : tensor<i1>
      } do {
        %k1 = stablehlo.subtract %k, %one : tensor<1xi32>
        %s = "stablehlo.all_reduce"(%acc) <{channel_handle = #stablehlo.channel_handle<handle = 3, type = 1>, replica_groups = dense<[[0, 1], [2, 3], [4, 5]]> : tensor<3x2xi64>, use_global_device_ids}> ({ ^bb0(%p: tensor<i32>, %q: tensor<i32>): %t = stablehlo.add %p, %q : tensor<i32>
          stablehlo.return %t : tensor<i32> }) : (tensor<1xi32>) -> tensor<1xi32>
        stablehlo.return %k1, %s : tensor<1xi32>, tensor<1xi32>
      }
      sdy.return %r, %w#1, %v#1 : tensor<1xi32>, tensor<1xi32>, tensor<1xi32>
    } : (tensor<6xi32>) -> (tensor<6xi32>, tensor<6xi32>, tensor<6xi32>)
    check.expect_eq_const %1#0, dense<[1, 1, -2, -3, 5, 5]> : tensor<6xi32>
    check.expect_eq_const %1#1, dense<[0, 1, 3, 6, 10, 15]> : tensor<6xi32>
    check.expect_eq_const %1#2, dense<[0, 1, 5, 5, 18, 18]> : tensor<6xi32>
    return
  }
}
