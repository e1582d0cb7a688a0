"""Prints kernels of each form (elementwise with a transpose, rows with what is done
with their sums, columns, everything to one element, conversions) for every element
type, for gpu-kernel-check."""
TYPES = ("i1 i2 i4 i8 i16 i32 i64 ui2 ui4 ui8 ui16 ui32 ui64 f4E2M1FN f6E2M3FN "
         "f6E3M2FN f8E3M4 f8E4M3 f8E4M3FN f8E4M3FNUZ f8E4M3B11FNUZ f8E5M2 "
         "f8E5M2FNUZ bf16 f16 f32 f64 complex<f32>").split()


def kernels(t):
    name = t.strip(">").replace("<", "_")
    is_complex = t.startswith("complex")
    zero = "false" if t == "i1" else "(0.0, 0.0)" if is_complex else \
        "0" if t[0] in "iu" else "0.0"
    larger = "multiply" if is_complex else "maximum"
    over = "add" if is_complex else "maximum"
    add, both = ("or", "xor") if t == "i1" else ("add", "add")
    a, b, row = f"tensor<37x70x{t}>", f"tensor<70x37x{t}>", f"tensor<37x{t}>"
    f, i1 = "tensor<37x70xf32>", "tensor<37x70xi1>"

    def reduce(source, op, dims, result):
        return f"""    %z = stablehlo.constant dense<{zero}> : tensor<{t}>
    %0 = stablehlo.reduce(%a init: %z) applies stablehlo.{op} across dimensions = [{dims}] : ({source}, tensor<{t}>) -> {result}"""
    tall, wide = f"tensor<300x11x{t}>", f"tensor<64x1000x{t}>"
    print(f"""  plan.kernel @elementwise_{name}(%a: {a}, %b: {b}) -> {a} {{
    %0 = stablehlo.transpose %b, dims = [1, 0] : ({b}) -> {a}
    %1 = stablehlo.add %a, %0 : {a}
    %2 = stablehlo.{larger} %1, %a : {a}
    plan.yield %2 : {a}
  }}
  plan.kernel @both_ways_{name}(%a: {a}) -> ({a}, {b}) {{
    %0 = stablehlo.add %a, %a : {a}
    %1 = stablehlo.transpose %0, dims = [1, 0] : ({a}) -> {b}
    plan.yield %0, %1 : {a}, {b}
  }}
  plan.kernel @rows_{name}(%a: {a}) -> ({row}, {a}) {{
{reduce(a, add, 1, row)}
    %1 = stablehlo.broadcast_in_dim %0, dims = [0] : ({row}) -> {a}
    %2 = stablehlo.{both} %1, %a : {a}
    plan.yield %0, %2 : {row}, {a}
  }}
  plan.kernel @columns_{name}(%a: {tall}) -> tensor<11x{t}> {{
{reduce(tall, over, 0, f"tensor<11x{t}>")}
    plan.yield %0 : tensor<11x{t}>
  }}
  plan.kernel @everything_{name}(%a: {wide}) -> tensor<{t}> {{
{reduce(wide, over, "0, 1", f"tensor<{t}>")}
    plan.yield %0 : tensor<{t}>
  }}""")
    if is_complex:
        return
    print(f"""  plan.kernel @convert_{name}(%a: {a}, %p: tensor<70xi1>, %w: {f}) -> ({a}, {f}, {i1}) {{
    %0 = stablehlo.convert %a : ({a}) -> {f}
    %1 = stablehlo.broadcast_in_dim %p, dims = [1] : (tensor<70xi1>) -> {i1}
    %2 = stablehlo.select %1, %0, %w : {i1}, {f}
    %3 = stablehlo.convert %2 : ({f}) -> {a}
    %4 = stablehlo.compare LT, %3, %a : ({a}, {a}) -> {i1}
    plan.yield %3, %2, %4 : {a}, {f}, {i1}
  }}""")


print("module {")
for one in TYPES:
    kernels(one)
print("}")
