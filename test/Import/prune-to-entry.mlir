// RUN: shoal-opt %s --shoal-prune-to-entry=entry=second | FileCheck %s
// RUN: not shoal-opt %s --shoal-prune-to-entry=entry=third 2>&1 | FileCheck %s --check-prefix=MISSING

// CHECK-NOT: @first
// CHECK: func.func @second
// CHECK: func.func private @helper
// MISSING: no function 'third'; choose the entry with --entry, one of: first, second
func.func @first() {
  return
}
func.func @second() {
  call @helper() : () -> ()
  return
}
func.func private @helper() {
  return
}
