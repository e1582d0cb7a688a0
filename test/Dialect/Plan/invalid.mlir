// RUN: shoal-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{takes and gives tensors of static shape}}
plan.kernel @k(%a: tensor<?xf32>) -> tensor<?xf32> {
  plan.yield %a : tensor<?xf32>
}

// -----

// expected-error@+1 {{argument 0 is a host scalar, but not a rank-0 integer}}
plan.kernel @k(%a: tensor<4xf32> {plan.scalar}) -> tensor<4xf32> {
  plan.yield %a : tensor<4xf32>
}

// -----

// expected-error@+1 {{pairs result 0 with argument 0 of another size}}
plan.kernel @k(%a: tensor<4xf32>, %b: tensor<8xf32>) -> tensor<8xf32> attributes {may_overwrite = array<i64: 0, 0>} {
  plan.yield %b : tensor<8xf32>
}

// -----

func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{launches unknown kernel @nowhere}}
  %0 = plan.launch @nowhere(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x3xf32>) -> tensor<3x4xf32> {
  // expected-error@+1 {{result dimension 0 must be 4}}
  %0 = plan.matmul %a, %b contract [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

plan.program @main attributes {arg_types = [], result_types = []} {
  %a = plan.alloc : !plan.buffer<4xf32>
  // expected-error@+1 {{reaches outside its base: bytes 8 to 20 of 16}}
  %v = plan.view %a[8] : !plan.buffer<4xf32> -> !plan.buffer<3xf32>
  plan.yield
}

// -----

func.func @f() {
  // expected-error@+1 {{must be a stack of static shape in the memory of the host}}
  %0 = plan.host_stack : tensor<4x8xf32>
  return
}

// -----

func.func @f(%row: tensor<2x8xf32>, %i: tensor<i32>) {
  %0 = plan.host_stack : tensor<4x8xf32, #plan.host>
  // expected-error@+1 {{has no row of the stack}}
  %1 = plan.offload_row %row to %0[%i] : tensor<2x8xf32>, tensor<4x8xf32, #plan.host>, tensor<i32>
  return
}

// -----

func.func @f(%stack: tensor<4x8xf32>, %i: tensor<i32>) {
  // expected-error@+1 {{copies between a stack in the memory of the host and a row that is not}}
  %0 = plan.fetch_row %stack[%i] : tensor<4x8xf32>, tensor<i32> -> tensor<1x8xf32>
  return
}

// -----

func.func @f(%i: tensor<2xi32>) {
  %0 = plan.host_stack : tensor<4x8xf32, #plan.host>
  // expected-error@+1 {{needs an integer as index}}
  %1 = plan.fetch_row %0[%i] : tensor<4x8xf32, #plan.host>, tensor<2xi32> -> tensor<1x8xf32>
  return
}
