shoal.mesh @m <["x"=4]>
func.func @main(%a: tensor<8xf32>) -> tensor<8xf32> {
  %0 = comm.all_reduce add %a over <@m, {"x"}> : tensor<8xf32>
  return %0 : tensor<8xf32>
}
