// RUN: shoal-opt %s --split-input-file --verify-diagnostics

sdy.mesh @m = <["a"=2, "b"=4, "c"=8]>
func.func @unknown_axis(%x: tensor<16x32xf32>) {
  // expected-error@+1 {{unknown axis "zz" in mesh @m, which has "a", "b", "c"}}
  %0 = sdy.sharding_constraint %x <@m, [{"a"}, {"zz"}]> : tensor<16x32xf32>
  return
}

// -----

sdy.mesh @m = <["a"=2]>
// expected-error@+1 {{argument 0: axis "a" is used twice}}
func.func @twice(%x: tensor<16x32xf32> {sdy.sharding = #sdy.sharding<@m, [{"a"}, {"a"}]>}) {
  return
}

// -----

sdy.mesh @m = <["c"=8]>
// expected-error@+1 {{result 0: axes "c":(1)4 and "c":(2)2 overlap}}
func.func @overlap(%x: tensor<16x32xf32>) -> (tensor<16x32xf32> {sdy.sharding = #sdy.sharding<@m, [{"c":(1)4}, {"c":(2)2}]>}) {
  return %x : tensor<16x32xf32>
}

// -----

sdy.mesh @m = <["c"=8]>
// expected-error@+1 {{sub-axis "c":(1)3 does not fit the axis: 1 x 3 does not divide its size 8}}
func.func @misfit(%x: tensor<16xf32> {sdy.sharding = #sdy.sharding<@m, [{"c":(1)3}]>}) {
  return
}

// -----

sdy.mesh @m = <["c"=8]>
// expected-error@+1 {{sub-axis "c":(1)8 is the whole axis; write "c"}}
func.func @whole(%x: tensor<16xf32> {sdy.sharding = #sdy.sharding<@m, [{"c":(1)8}]>}) {
  return
}

// -----

sdy.mesh @m = <["c"=8]>
// expected-error@+1 {{consecutive sub-axes "c":(1)2 and "c":(2)2 must be merged}}
func.func @merge(%x: tensor<16xf32> {sdy.sharding = #sdy.sharding<@m, [{"c":(1)2, "c":(2)2}]>}) {
  return
}

// -----

sdy.mesh @m = <["a"=2]>
// expected-error@+1 {{sharding has 1 dimensions, but the value has 2}}
func.func @rank(%x: tensor<16x32xf32> {sdy.sharding = #sdy.sharding<@m, [{"a"}]>}) {
  return
}

// -----

// expected-error@+1 {{argument 0: unknown mesh @m}}
func.func @mesh(%x: tensor<16xf32> {sdy.sharding = #sdy.sharding<@m, [{}]>}) {
  return
}

// -----

// expected-error@+1 {{mesh has two axes named "a"}}
sdy.mesh @m = <["a"=2, "a"=2]>

// -----

// expected-error@+1 {{mesh axis "a" must have a size of at least 1, not 0}}
sdy.mesh @m = <["a"=0]>

// -----

// expected-error@+1 {{device ids of a mesh must be 0 to 1 in some order; 2 is too large}}
sdy.mesh @m = <["a"=2], device_ids=[0, 2]>

// -----

// expected-error@+1 {{mesh has too many devices}}
sdy.mesh @m = <["a"=1099511627776, "b"=1099511627776]>

// -----

sdy.mesh @m = <["a"=2, "b"=4]>
func.func @local_type(%x: tensor<16xf32>) -> tensor<16xf32> {
  // expected-error@+1 {{operand 0: 'tensor<16xf32>' is 'tensor<8xf32>' inside the region, not 'tensor<16xf32>'}}
  %0 = sdy.manual_computation(%x) in_shardings=[<@m, [{"a"}]>] out_shardings=[<@m, [{}]>] manual_axes={"a"} (%i: tensor<16xf32>) {
    sdy.return %i : tensor<16xf32>
  } : (tensor<16xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

sdy.mesh @m = <["a"=2, "b"=4]>
func.func @order(%x: tensor<16xf32>) -> tensor<16xf32> {
  // expected-error@+1 {{manual axis "a" must stand before the free axes of its dimension}}
  %0 = sdy.manual_computation(%x) in_shardings=[<@m, [{"b", "a"}]>] out_shardings=[<@m, [{}]>] manual_axes={"a"} (%i: tensor<8xf32>) {
    sdy.return %i : tensor<8xf32>
  } : (tensor<16xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

sdy.mesh @m = <["a"=2]>
func.func @nested(%x: tensor<16xf32>) -> tensor<16xf32> {
  %0 = sdy.manual_computation(%x) in_shardings=[<@m, [{}]>] out_shardings=[<@m, [{}]>] manual_axes={"a"} (%i: tensor<16xf32>) {
    // expected-error@+1 {{is manual on axis "a", as an enclosing manual computation already is}}
    sdy.manual_computation() in_shardings=[] out_shardings=[] manual_axes={"a"} () {
      sdy.return
    } : () -> ()
    sdy.return %i : tensor<16xf32>
  } : (tensor<16xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

func.func @rule_rank(%x: tensor<16x32xf32>) {
  // expected-error@+1 {{sharding rule gives operand 0 1 dimensions, but its rank is 2}}
  %0 = sdy.sharding_constraint %x <mesh<["a"=2]>, [{}, {}]> {sdy.sharding_rule = #sdy.op_sharding_rule<([i])->([i, j]) {i=16, j=32}>} : tensor<16x32xf32>
  return
}

// -----

func.func @rule_size(%x: tensor<16xf32>) {
  // expected-error@+1 {{sharding rule gives no size for factor j}}
  %0 = sdy.sharding_constraint %x <mesh<["a"=2]>, [{}]> {sdy.sharding_rule = #sdy.op_sharding_rule<([j])->([j]) {i=16}>} : tensor<16xf32>
  return
}
