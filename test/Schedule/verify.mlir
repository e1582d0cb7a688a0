// What the verifier of the phase refuses.
// RUN: shoal-opt %s --split-input-file --shoal-verify-schedule --verify-diagnostics

plan.program @main attributes {arena_bytes = 64 : i64, arg_types = [tensor<4xf32>], result_types = [tensor<4xf32>]} {
  %x = plan.argument 0 : !plan.buffer<4xf32>
  %r = plan.result 0 : !plan.buffer<4xf32>
  // expected-note@+1 {{the other buffer}}
  %a = plan.alloc at 0 : !plan.buffer<4xf32>
  // expected-error@+1 {{overlaps another buffer while both are alive}}
  %b = plan.alloc at 8 : !plan.buffer<4xf32>
  plan.copy %x to %a : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.copy %x to %b : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.copy %a to %r : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.copy %b to %r : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.yield
}

// -----

plan.program @main attributes {arena_bytes = 64 : i64, arg_types = [tensor<4xf32>], result_types = [tensor<4xf32>]} {
  %x = plan.argument 0 : !plan.buffer<4xf32>
  %c = plan.constant dense<1.0> : tensor<4xf32> : !plan.buffer<4xf32>
  // expected-error@+1 {{writes to argument 0, which is not donated}}
  plan.copy %c to %x : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.yield
}

// -----

plan.program @main attributes {arena_bytes = 64 : i64, arg_types = [tensor<4xf32>], result_types = []} {
  %x = plan.argument 0 : !plan.buffer<4xf32>
  %c = plan.constant dense<1.0> : tensor<4xf32> : !plan.buffer<4xf32>
  // expected-error@+1 {{writes to a constant}}
  plan.copy %x to %c : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.yield
}

// -----

// Written after the loop's last use, but needed by its next iteration.
plan.program @main attributes {arena_bytes = 64 : i64, arg_types = [tensor<4xf32>], result_types = []} {
  %x = plan.argument 0 : !plan.buffer<4xf32>
  // expected-note@+1 {{the other buffer}}
  %a = plan.alloc at 0 : !plan.buffer<4xf32>
  // expected-error@+1 {{overlaps another buffer while both are alive}}
  %b = plan.alloc at 0 : !plan.buffer<4xf32>
  %t = plan.alloc at 32 : !plan.buffer<4xf32>
  %c0 = plan.const 0
  %c1 = plan.const 1
  plan.copy %x to %a : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
  plan.for %i = %c0 to %c1 step %c1 {
    plan.copy %a to %t : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
    plan.copy %x to %b : !plan.buffer<4xf32> -> !plan.buffer<4xf32>
    plan.yield
  }
  plan.yield
}
