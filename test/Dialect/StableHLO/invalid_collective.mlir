// RUN: shoal-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// What the verifiers of collective ops refuse.

func.func @all_gather_dim(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{all_gather_dim must be a valid index of operand, got 2 and 'tensor<2x4xf32>'}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 2 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_negative_dim(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{all_gather_dim must be a valid index of operand, got -1 and 'tensor<2x4xf32>'}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = -1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

// stricter than jaxlib
func.func @all_gather_size(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{result gather dimension has size 12, expected 2 times 4, as many as devices in a group}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x12xf32>
  return
}

// -----

func.func @all_gather_multiple(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{result gather dimension has size 9, expected to be a multiple of operand gather dimension size 4}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x9xf32>
  return
}

// -----

func.func @all_gather_other(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{operand and result should have the same shape except for the dimension size at all_gather_dim, got 'tensor<2x4xf32>' and 'tensor<3x8xf32>'}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @all_gather_element(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{operand and result must have one element type, got 'tensor<2x4xf32>' and 'tensor<2x8xf64>'}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf64>
  return
}

// -----

func.func @all_gather_rank(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{replica groups should be a rank 2 tensor, got 'tensor<2xi64>'}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[0, 1]> : tensor<2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_twice(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{replica id #0 seen more than once}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_missing(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{replica id #1 not seen in replica groups}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 2]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_negative(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{Invalid replica id -1 in replica groups}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, -1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_type(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'replica_groups' failed to satisfy constraint: 64-bit signless integer elements attribute or replica groups by mesh axes}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi32>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

// stricter than jaxlib
func.func @all_gather_global(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{channel_id must be positive when useGlobalDeviceIds is set but got: 0}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, use_global_device_ids}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_mesh(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{replica_groups: mesh symbol 'm' not found}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @m, axes = []>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_mesh_axis(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{axis 'y' not found in mesh definition}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = #stablehlo.mesh<axes = [#stablehlo.mesh_axis<name = "x", size = 4>]>, axes = [#stablehlo.axis_ref<name = "y">]>}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_gather_groups_attribute(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'replica_groups' failed to satisfy constraint: 64-bit signless integer elements attribute or replica groups by mesh axes}}
  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 1 : i64, replica_groups = "x"}> : (tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @all_reduce_body(%a: tensor<2x4xf32>) {
  // expected-error@+2 {{Reduction-region must take 2 parameters, but takes 1 parameter(s)}}
  // expected-error@+1 {{'stablehlo.all_reduce' op failed to infer returned types}}
  %0 = "stablehlo.all_reduce"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
  ^bb0(%x: tensor<f32>):
    stablehlo.return %x : tensor<f32>
  }) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @all_reduce_groups(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{replica id #0 seen more than once}}
  %0 = "stablehlo.all_reduce"(%a) <{replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @reduce_scatter_dim(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{expects scatter_dimension to be a dimension of operand and result, got 2, 'tensor<2x4xf32>' and 'tensor<2x2xf32>'}}
  %0 = "stablehlo.reduce_scatter"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, scatter_dimension = 2 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<2x4xf32>) -> tensor<2x2xf32>
  return
}

// -----

// stricter than jaxlib
func.func @reduce_scatter_size(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{operand scatter dimension has size 4, expected 2 times 1, as many as devices in a group}}
  %0 = "stablehlo.reduce_scatter"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, scatter_dimension = 1 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<2x4xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @reduce_scatter_multiple(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{operand scatter dimension has size 4, expected to be a multiple of result scatter dimension size 3}}
  %0 = "stablehlo.reduce_scatter"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, scatter_dimension = 1 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @reduce_scatter_zero(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{operand scatter dimension has size 4, expected to be a multiple of result scatter dimension size 0}}
  %0 = "stablehlo.reduce_scatter"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, scatter_dimension = 1 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %1 = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<2x4xf32>) -> tensor<2x0xf32>
  return
}

// -----

func.func @all_to_all_split(%a: tensor<2x4xf32>) {
  // expected-error@+2 {{AllToAll split_dimension 2 is out-of-bounds for input 'tensor<2x4xf32>'}}
  // expected-error@+1 {{'stablehlo.all_to_all' op failed to infer returned types}}
  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 2 : i64, concat_dimension = 0 : i64, split_count = 2 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @all_to_all_concat(%a: tensor<2x4xf32>) {
  // expected-error@+2 {{AllToAll concat_dimension -1 is out-of-bounds for input 'tensor<2x4xf32>'}}
  // expected-error@+1 {{'stablehlo.all_to_all' op failed to infer returned types}}
  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 1 : i64, concat_dimension = -1 : i64, split_count = 2 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @all_to_all_count(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{group size of replica_groups must be 0, got 2}}
  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @all_to_all_divide(%a: tensor<2x4xf32>) {
  // expected-error@+2 {{split dimension has size 4, expected to be a multiple of split_count 3}}
  // expected-error@+1 {{'stablehlo.all_to_all' op failed to infer returned types}}
  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 3 : i64, replica_groups = dense<[[0, 1, 2]]> : tensor<1x3xi64>}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @all_to_all_groups(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{group size of replica_groups must be 4, got 2}}
  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 4 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<8x1xf32>
  return
}

// -----

func.func @all_to_all_result(%a: tensor<2x4xf32>) {
  // expected-error@+2 {{inferred type(s) 'tensor<4x2xf32>' are incompatible with return type(s) of operation 'tensor<2x4xf32>'}}
  // expected-error@+1 {{'stablehlo.all_to_all' op failed to infer returned types}}
  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 1 : i64, concat_dimension = 0 : i64, split_count = 2 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @collective_permute_shape(%a: tensor<2xf32>) {
  // expected-error@+1 {{expect source_target_pairs attribute to be of shape (N, 2), but got 'tensor<1x3xi64>'}}
  %0 = "stablehlo.collective_permute"(%a) {source_target_pairs = dense<[[0, 1, 2]]> : tensor<1x3xi64>} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @collective_permute_sources(%a: tensor<2xf32>) {
  // expected-error@+1 {{duplicate sources not allowed, got 0 twice}}
  %0 = "stablehlo.collective_permute"(%a) {source_target_pairs = dense<[[0, 1], [0, 2]]> : tensor<2x2xi64>} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @collective_permute_targets(%a: tensor<2xf32>) {
  // expected-error@+1 {{duplicate targets not allowed, got 1 twice}}
  %0 = "stablehlo.collective_permute"(%a) {source_target_pairs = dense<[[0, 1], [2, 1]]> : tensor<2x2xi64>} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @collective_permute_negative(%a: tensor<2xf32>) {
  // expected-error@+1 {{replica ids in source_target_pairs must be >= 0, got -1}}
  %0 = "stablehlo.collective_permute"(%a) {source_target_pairs = dense<[[-1, 1]]> : tensor<1x2xi64>} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @send_channel(%a: tensor<2xf32>, %t: !stablehlo.token) {
  // expected-error@+1 {{channel_type should be 2 when is_host_transfer, got 1}}
  %0 = "stablehlo.send"(%a, %t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, is_host_transfer = true} : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  return
}

// -----

func.func @recv_token(%t: !stablehlo.token) {
  // expected-error@+1 {{last element of result types is expected to be of token type, but got 'tensor<2xf32>'}}
  %0 = "stablehlo.recv"(%t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (!stablehlo.token) -> tensor<2xf32>
  return
}

// -----

func.func @infeed_layout(%t: !stablehlo.token) {
  // expected-error@+1 {{layout size must be 1, one per tensor, but got 2}}
  %0:2 = "stablehlo.infeed"(%t) {layout = [[0], [1]]} : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)
  return
}

// -----

func.func @infeed_results(%t: !stablehlo.token) {
  // expected-error@+1 {{result is expected to be at least of size 1}}
  "stablehlo.infeed"(%t) : (!stablehlo.token) -> ()
  return
}

// -----

func.func @future() {
  // expected-error@+1 {{future element type must be a ranked tensor, but got '!stablehlo.token'}}
  "test.x"() : () -> !stablehlo.future<!stablehlo.token>
  return
}
