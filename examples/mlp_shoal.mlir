// A Megatron-style MLP annotated by hand: two weights and the input carry a
// sharding, everything else follows. `data` cuts the batch, `model` the hidden
// dimension, so that one all-reduce at the end is all the communication.
shoal.mesh @mesh <["data"=2, "model"=4]>

func.func @main(
    %x: tensor<16x64xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"data"}, {}]>},
    %w1: tensor<64x256xf32> {shoal.sharding = #shoal.sharding<@mesh, [{}, {"model"}]>},
    %w2: tensor<256x64xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"model"}, {}]>})
    -> (tensor<16x64xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"data"}, {}]>}) {
  %0 = stablehlo.dot_general %x, %w1, contracting_dims = [1] x [0]
      : (tensor<16x64xf32>, tensor<64x256xf32>) -> tensor<16x256xf32>
  %1 = stablehlo.tanh %0 : tensor<16x256xf32>
  %2 = stablehlo.dot_general %1, %w2, contracting_dims = [1] x [0]
      : (tensor<16x256xf32>, tensor<256x64xf32>) -> tensor<16x64xf32>
  return %2 : tensor<16x64xf32>
}
