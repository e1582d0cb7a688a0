// RUN: shoal-opt %s --split-input-file --verify-diagnostics

shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<4x8xf32>) {
  // expected-error @below {{4 blocks of 8 elements do not hold 33}}
  %0 = comm.all_gather %a dim = 1 over <@m, {"x"}> : (tensor<4x8xf32>) -> tensor<4x33xf32>
  return
}

// -----
shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<4x8xf32>) {
  // expected-error @below {{has no dimension 2}}
  %0 = comm.all_gather %a dim = 2 over <@m, {"x"}> : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----
shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{unknown axis "y"}}
  %0 = comm.all_reduce add %a over <@m, {"y"}> : tensor<8xf32>
  return
}

// -----
shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{cannot reduce 'f32' with 'and'}}
  %0 = comm.all_reduce and %a over <@m, {"x"}> : tensor<8xf32>
  return
}

// -----
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{device id 1 is in two groups}}
  %0 = comm.all_reduce add %a over <[[0, 1], [1, 2]]> : tensor<8xf32>
  return
}

// -----
shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{target 1 occurs twice}}
  %0 = comm.permute %a pairs = [[0, 1], [2, 1]] over <@m, {"x"}> : tensor<8xf32>
  return
}

// -----
shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{root 4 is not in a group of 4}}
  %0 = comm.broadcast %a root = 4 over <@m, {"x"}> : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----
shoal.mesh @m <["x"=4]>
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{a block of 8 with low 1 and high 1 gives 10 elements, not 9}}
  %0 = comm.halo %a dim = 0 size = 32 low = 1 high = 1 over <@m, {"x"}> : (tensor<8xf32>) -> tensor<9xf32>
  return
}
