"""Reductions, reduce_window, normalization."""
from .base import Arg, CASES, Case, case, region, simple, tensor


def _reduce():
    for op, init in [("add", "1.0"), ("maximum", "2.0"), ("minimum", "-1.0"), ("multiply", "2.0")]:
        def make(z, op=op, init=init):
            a, b, c = z(8), z(6), 4
            body = (f"$i = stablehlo.constant dense<{init}> : tensor<f32>\n"
                    f"$r0 = stablehlo.reduce($a0 init: $i) applies stablehlo.{op} across dimensions = [0, 2] : ({tensor((a, b, c))}, tensor<f32>) -> {tensor((b,))}")
            return Case([Arg((a, b, c), limit=1 if op == "multiply" else 4)], [((b,), "f32")], body)
        CASES["reduce_" + op] = ("stablehlo.reduce", make)
    for op in ["and", "or"]:
        def make(z, op=op):
            a, b = z(8), z(6)
            body = (f"$i = stablehlo.constant dense<{'true' if op == 'and' else 'false'}> : tensor<i1>\n"
                    f"$r0 = stablehlo.reduce($a0 init: $i) applies stablehlo.{op} across dimensions = [0] : ({tensor((a, b), 'i1')}, tensor<i1>) -> {tensor((b,), 'i1')}")
            return Case([Arg((a, b), "i1")], [((b,), "i1")], body)
        CASES["reduce_" + op] = ("stablehlo.reduce", make)


_reduce()


@case("stablehlo.reduce")
def reduce_argmax(z):
    a, b = z(8), z(6)
    body = f"""$k = stablehlo.iota dim = 0 : {tensor((a, b), 'i32')}
$i = stablehlo.constant dense<0xFF800000> : tensor<f32>
$j = stablehlo.constant dense<0> : tensor<i32>
$r0, $r1 = "stablehlo.reduce"($a0, $k, $i, $j) <{{dimensions = array<i64: 0>}}> ({{ ^bb0($x: tensor<f32>, $xi: tensor<i32>, $y: tensor<f32>, $yi: tensor<i32>):
  $g = stablehlo.compare GT, $x, $y, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  $e = stablehlo.compare EQ, $x, $y, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  $l = stablehlo.compare LT, $xi, $yi, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  $b = stablehlo.and $e, $l : tensor<i1>
  $c = stablehlo.or $g, $b : tensor<i1>
  $v = stablehlo.select $g, $x, $y : tensor<i1>, tensor<f32>
  $w = stablehlo.select $c, $xi, $yi : tensor<i1>, tensor<i32>
  stablehlo.return $v, $w : tensor<f32>, tensor<i32> }}) : ({tensor((a, b))}, {tensor((a, b), 'i32')}, tensor<f32>, tensor<i32>) -> ({tensor((b,))}, {tensor((b,), 'i32')})"""
    return Case([Arg((a, b))], [((b,), "f32"), ((b,), "i32")], body)


@case("stablehlo.reduce")
def reduce_two(z):
    a, b = z(8), z(6)
    body = f"""$i = stablehlo.constant dense<1.0> : tensor<f32>
$r0, $r1 = "stablehlo.reduce"($a0, $a1, $i, $i) <{{dimensions = array<i64: 0>}}> ({{ ^bb0($x: tensor<f32>, $u: tensor<f32>, $y: tensor<f32>, $v: tensor<f32>):
  $p = stablehlo.add $x, $y : tensor<f32>
  $q = stablehlo.maximum $u, $v : tensor<f32>
  stablehlo.return $p, $q : tensor<f32>, tensor<f32> }}) : ({tensor((a, b))}, {tensor((a, b))}, tensor<f32>, tensor<f32>) -> ({tensor((b,))}, {tensor((b,))})"""
    return Case([Arg((a, b)), Arg((a, b))], [((b,), "f32"), ((b,), "f32")], body)


@case("stablehlo.reduce_window")
def reduce_window(z):
    a, b = z(8), z(6)
    out = (a, (b + 2 - 3) // 2 + 1)
    body = (f"$i = stablehlo.constant dense<0.0> : tensor<f32>\n"
            f'$r0 = "stablehlo.reduce_window"($a0, $i) <{{padding = dense<[[1, 1], [1, 1]]> : tensor<2x2xi64>, window_dimensions = array<i64: 3, 3>, window_strides = array<i64: 1, 2>}}> {region(2, "add")} : ({tensor((a, b))}, tensor<f32>) -> {tensor(out)}')
    return Case([Arg((a, b))], [(out, "f32")], body)


@case("stablehlo.reduce_window")
def cumsum_window(z):
    a, b = z(8), z(6)
    body = (f"$i = stablehlo.constant dense<0.0> : tensor<f32>\n"
            f'$r0 = "stablehlo.reduce_window"($a0, $i) <{{padding = dense<[[{a - 1}, 0], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: {a}, 1>}}> {region(2, "add")} : ({tensor((a, b))}, tensor<f32>) -> {tensor((a, b))}')
    return Case([Arg((a, b))], [((a, b), "f32")], body)


@case("stablehlo.select_and_scatter")
def select_and_scatter(z):
    a, b = z(4), z(6)
    body = (f"$i = stablehlo.constant dense<0.0> : tensor<f32>\n"
            f'$r0 = "stablehlo.select_and_scatter"($a0, $a1, $i) <{{padding = dense<0> : tensor<2x2xi64>, window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 2, 1>}}> '
            f'({{ ^bb0($x: tensor<f32>, $y: tensor<f32>): $g = stablehlo.compare GE, $x, $y : (tensor<f32>, tensor<f32>) -> tensor<i1>\n stablehlo.return $g : tensor<i1> }}, {{ ^bb0($u: tensor<f32>, $v: tensor<f32>): $z = stablehlo.add $u, $v : tensor<f32>\n stablehlo.return $z : tensor<f32> }}) : ({tensor((2 * a, b))}, {tensor((a, b))}, tensor<f32>) -> {tensor((2 * a, b))}')
    return Case([Arg((2 * a, b)), Arg((a, b))], [((2 * a, b), "f32")], body)


@case("stablehlo.batch_norm_training")
def batch_norm_training(z):
    n, h, f = z(4), z(6), z(8)
    return simple("stablehlo.batch_norm_training", [Arg((n, h, f)), Arg((f,)), Arg((f,))], [((n, h, f), "f32"), ((f,), "f32"), ((f,), "f32")],
                  " <{epsilon = 0.001 : f32, feature_index = 2 : i64}>", 1e-4)


@case("stablehlo.batch_norm_inference")
def batch_norm_inference(z):
    n, h, f = z(4), z(6), z(8)
    c = simple("stablehlo.batch_norm_inference", [Arg((n, h, f)), Arg((f,)), Arg((f,)), Arg((f,)), Arg((f,))], [((n, h, f), "f32")],
               " <{epsilon = 0.001 : f32, feature_index = 2 : i64}>", 1e-4)
    c.body = f"$q = stablehlo.abs $a4 : {tensor((f,))}\n" + c.body.replace("$a4)", "$q)")
    return c


@case("stablehlo.batch_norm_grad")
def batch_norm_grad(z):
    n, h, f = z(4), z(6), z(8)
    c = simple("stablehlo.batch_norm_grad", [Arg((n, h, f)), Arg((f,)), Arg((f,)), Arg((f,)), Arg((n, h, f))], [((n, h, f), "f32"), ((f,), "f32"), ((f,), "f32")],
               " <{epsilon = 0.5 : f32, feature_index = 2 : i64}>", 1e-3)
    c.body = f"$q = stablehlo.abs $a3 : {tensor((f,))}\n" + c.body.replace("$a3,", "$q,")
    return c
