// The MLP of mlp_shoal.mlir, in linalg on tensors with the same annotations.
shoal.mesh @mesh <["data"=2, "model"=4]>

func.func @main(
    %x: tensor<16x64xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"data"}, {}]>},
    %w1: tensor<64x256xf32> {shoal.sharding = #shoal.sharding<@mesh, [{}, {"model"}]>},
    %w2: tensor<256x64xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"model"}, {}]>})
    -> (tensor<16x64xf32> {shoal.sharding = #shoal.sharding<@mesh, [{"data"}, {}]>}) {
  %zero = arith.constant 0.0 : f32
  %hidden = tensor.empty() : tensor<16x256xf32>
  %out = tensor.empty() : tensor<16x64xf32>
  %h0 = linalg.fill ins(%zero : f32) outs(%hidden : tensor<16x256xf32>) -> tensor<16x256xf32>
  %0 = linalg.matmul ins(%x, %w1 : tensor<16x64xf32>, tensor<64x256xf32>) outs(%h0 : tensor<16x256xf32>) -> tensor<16x256xf32>
  %1 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<16x256xf32>) outs(%hidden : tensor<16x256xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = math.tanh %a : f32
      linalg.yield %t : f32
  } -> tensor<16x256xf32>
  %o0 = linalg.fill ins(%zero : f32) outs(%out : tensor<16x64xf32>) -> tensor<16x64xf32>
  %2 = linalg.matmul ins(%1, %w2 : tensor<16x256xf32>, tensor<256x64xf32>) outs(%o0 : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %2 : tensor<16x64xf32>
}
