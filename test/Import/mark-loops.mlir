// RUN: shoal-opt %s --shoal-mark-loops | FileCheck %s

// CHECK-LABEL: func.func @up
// CHECK: shoal.counted_loop = {bound = 10 : i64, index = 1 : i64, start = 1 : i64, step = 3 : i64, trip_count = 3 : i64}
func.func @up(%x: tensor<f32>) {
  %c1 = stablehlo.constant dense<1> : tensor<i32>
  %0:2 = stablehlo.while(%v = %x, %i = %c1) : tensor<f32>, tensor<i32> cond {
    %c = stablehlo.constant dense<10> : tensor<i32>
    %1 = stablehlo.compare LT, %i, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %c = stablehlo.constant dense<3> : tensor<i32>
    %1 = stablehlo.add %c, %i : tensor<i32>
    stablehlo.return %v, %1 : tensor<f32>, tensor<i32>
  }
  return
}

// Down to a bound that is carried along, written the other way round.
// CHECK-LABEL: func.func @down
// CHECK: shoal.counted_loop = {index = 0 : i64, start = 5 : i64, step = -1 : i64}
func.func @down(%n: tensor<i32>) {
  %c5 = stablehlo.constant dense<5> : tensor<i32>
  %0:2 = stablehlo.while(%i = %c5, %b = %n) : tensor<i32>, tensor<i32> cond {
    %1 = stablehlo.compare LE, %b, %i, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %1 = stablehlo.subtract %i, %c : tensor<i32>
    stablehlo.return %1, %b : tensor<i32>, tensor<i32>
  }
  return
}

// The bound moves: not counted.
// CHECK-LABEL: func.func @moving
// CHECK-NOT: counted_loop
func.func @moving(%n: tensor<i32>) {
  %c0 = stablehlo.constant dense<0> : tensor<i32>
  %0:2 = stablehlo.while(%i = %c0, %b = %n) : tensor<i32>, tensor<i32> cond {
    %1 = stablehlo.compare LT, %i, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %1 = stablehlo.add %i, %c : tensor<i32>
    %2 = stablehlo.subtract %b, %c : tensor<i32>
    stablehlo.return %1, %2 : tensor<i32>, tensor<i32>
  }
  return
}
