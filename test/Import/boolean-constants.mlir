// RUN: shoal-opt %s | FileCheck %s
// RUN: shoal-opt - < %s | FileCheck %s
// RUN: shoal-compile %s --entry=pretty --compile-to=input | FileCheck %s
// RUN: shoal-compile %s --entry=long --compile-to=partitioned --emit=stablehlo | FileCheck %s --check-prefix=EMIT

// JAX 0.10 prints a byte for each element, MLIR 22 reads a bit for each. Columns
// stay what they are.

// CHECK{LITERAL}: dense<[[true, false, true, true, false], [false, false, false, true, true]]> : tensor<2x5xi1>
func.func @pretty() -> tensor<2x5xi1> {
  %0 = stablehlo.constant dense<"0x01000101000000000101"> : tensor<2x5xi1>
  return %0 : tensor<2x5xi1>
}
// CHECK{LITERAL}: dense<[true, false, false, false, false, false, false, false, true]> : tensor<9xi1>
func.func @generic() -> tensor<9xi1> {
  %0 = "stablehlo.constant"() <{value = dense<"0x010000000000000001"> : tensor<9xi1>}> : () -> tensor<9xi1>
  return %0 : tensor<9xi1>
}

// For others it is printed in a way that all versions read.
// EMIT: dense<{{\[}}true, false, {{.*}}, true]> : tensor<104xi1>
func.func @long() -> tensor<104xi1> {
  %0 = stablehlo.constant dense<"0x0100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001"> : tensor<104xi1>
  return %0 : tensor<104xi1>
}
