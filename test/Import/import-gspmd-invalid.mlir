// RUN: shoal-opt %s --shoal-import-gspmd --split-input-file --verify-diagnostics

// expected-error@+1 {{cannot read sharding "{devices=[2,4]<=[9]}"}}
func.func @count(%0: tensor<8x8xf32> {mhlo.sharding = "{devices=[2,4]<=[9]}"}) {
  return
}

// -----

// expected-error@+1 {{sharding tiles 1 dimensions, but the value is 'tensor<8x8xf32>'}}
func.func @rank(%0: tensor<8x8xf32> {mhlo.sharding = "{devices=[2]<=[2]}"}) {
  return
}
