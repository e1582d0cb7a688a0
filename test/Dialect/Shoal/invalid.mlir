// RUN: shoal-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{mesh names axis "x" twice}}
shoal.mesh @m <["x"=2, "x"=4]>

// -----
// expected-error @below {{must have a positive size, not 0}}
shoal.mesh @m <["x"=0]>

// -----
// expected-error @below {{more than 65536 devices}}
shoal.mesh @m <["x"=1000, "y"=1000]>

// -----
// expected-error @below {{device ids must be a permutation of 0 to 1; 1 occurs twice}}
shoal.mesh @m <["x"=2], device_ids=[1, 1]>

// -----
// expected-error @below {{topology of unknown axis "y"}}
shoal.mesh @m <["x"=2], topology={"y" = (1.0, 1.0)}>

// -----
// expected-error @below {{"shoal.sharding" of argument 0: unknown mesh @m}}
func.func private @f(tensor<4xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})

// -----
shoal.mesh @m <["x"=2, "y"=4]>
// expected-error @below {{unknown axis "z"; the mesh has "x", "y"}}
func.func private @f(tensor<4xf32> {shoal.sharding = #shoal.sharding<@m, [{"z"}]>})

// -----
shoal.mesh @m <["x"=2, "y"=4]>
// expected-error @below {{axis {"x"} is used twice}}
func.func private @f(tensor<4x4xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}, {"x"}]>})

// -----
shoal.mesh @m <["x"=2, "y"=4]>
// expected-error @below {{axis {"y":(1)2} overlaps {"y"}}}
func.func private @f(tensor<4x4xf32> {shoal.sharding = #shoal.sharding<@m, [{"y"}, {"y":(1)2}]>})

// -----
shoal.mesh @m <["x"=2, "y"=4]>
// expected-error @below {{sub-axis {"y":(2)4} does not divide axis "y" of size 4}}
func.func private @f(tensor<4xf32> {shoal.sharding = #shoal.sharding<@m, [{"y":(2)4}]>})

// -----
shoal.mesh @m <["x"=2]>
// expected-error @below {{sharding has 1 dimensions, but its value has type 'tensor<4x4xf32>'}}
func.func private @f(tensor<4x4xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"}]>})

// -----
shoal.mesh @m <["x"=2]>
// expected-error @below {{block 2 of dimension 0 is too small: 2 parts must hold 5 elements}}
func.func private @f(tensor<5xf32> {shoal.sharding = #shoal.sharding<@m, [{"x"} block 2]>})

// -----
shoal.mesh @m <["x"=2]>
// expected-error @below {{cannot be partial with kind 'or'}}
func.func private @f(tensor<5xf32> {shoal.sharding = #shoal.sharding<@m, [{}], partial = or {"x"}>})

// -----
shoal.mesh @m <["x"=2]>
func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{unknown axis "y"}}
  %0 = shoal.constraint %a <@m, [{"y"}]> : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
shoal.mesh @m <["x"=2]>
func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{the region's type 'tensor<4xf32>' should be 'tensor<2xf32>'}}
  %0 = shoal.manual(%a) in_shardings=[<@m, [{"x"}]>] out_shardings=[<@m, [{"x"}]>]
      manual_axes={"x"} (%b: tensor<4xf32>) {
    shoal.return %b : tensor<4xf32>
  } : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
shoal.mesh @m <["x"=2]>
func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{has 2 shardings for 1 results}}
  %0 = builtin.unrealized_conversion_cast %a : tensor<4xf32> to tensor<4xf32> {
      shoal.shardings = #shoal.sharding_per_value<[<@m, [{}]>, <@m, [{}]>]>}
  return %0 : tensor<4xf32>
}

// -----
// expected-error @below {{unknown factor 'q'}}
shoal.rule "f" <([i])->([i]) {i, q}>
