// RUN: shoal-opt %s --split-input-file --verify-diagnostics --shoal-refine-shapes=argument-shapes=arg0:3x4

// expected-error @below {{argument #1 of type 'tensor<?xf32>' needs a shape}}
func.func @missing(%a: tensor<?x4xf32>, %b: tensor<?xf32>) {
  return
}

// -----

// expected-error @below {{argument #0 is 'tensor<?x5xf32>', but it is given as 'tensor<3x4xf32>'}}
func.func @wrong(%a: tensor<?x5xf32>) {
  return
}

// -----

func.func @assertion(%a: tensor<?x4xf32>) {
  %two = stablehlo.constant dense<2> : tensor<i32>
  %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %p = stablehlo.compare EQ, %n, %two : (tensor<i32>, tensor<i32>) -> tensor<i1>
  // expected-error @below {{shape assertion failed: expected 2 rows, not 3}}
  stablehlo.custom_call @shape_assertion(%p, %n, %two) {error_message = "expected {1} rows, not {0}", has_side_effect = true} : (tensor<i1>, tensor<i32>, tensor<i32>) -> ()
  return
}

// -----

func.func @data(%a: tensor<3xf32>, %s: tensor<1xi32>) -> tensor<?xf32> {
  // expected-error @below {{output_dimensions must be known when compiling}}
  %0 = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [0] : (tensor<3xf32>, tensor<1xi32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @mismatch(%a: tensor<?x4xf32>) -> tensor<2x4xf32> {
  // expected-error @below {{has size 3 in dimension 0 where its type, 'tensor<2x4xf32>', says 2}}
  %0 = stablehlo.add %a, %a : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @growing(%a: tensor<?x4xf32>, %p: tensor<i1>) -> tensor<?x4xf32> {
  // expected-error @below {{a loop cannot change the sizes it carries}}
  %r = stablehlo.while(%x = %a) : tensor<?x4xf32>
    cond {
      stablehlo.return %p : tensor<i1>
    } do {
      %y = stablehlo.concatenate %x, %x, dim = 0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      stablehlo.return %y : tensor<?x4xf32>
    }
  return %r : tensor<?x4xf32>
}
