"""Convolutions and windows."""
from .base import Arg, CASES, Case, case, region, simple, t, tensor


def _conv(name, make):
    """make(z) gives lhs, rhs and result shapes, dimension numbers, window, feature and batch groups."""
    def f(z):
        lhs, rhs, out, numbers, window, fg, bg = make(z)
        return Case([Arg(lhs), Arg(rhs)], [(out, "f32")],
                    f"$r0 = stablehlo.convolution($a0, $a1) dim_numbers = {numbers}, window = {{{window}}} "
                    f"{{batch_group_count = {bg} : i64, feature_group_count = {fg} : i64}} : ({tensor(lhs)}, {tensor(rhs)}) -> {tensor(out)}")
    CASES["convolution_" + name] = ("stablehlo.convolution", f)


# The gradient of a 3-wide kernel (strided: the gradient is the dilated kernel), of a strided convolution's input.
_conv("kernel_gradient", lambda z: ((z(8), z(4), z(6)), (z(8), z(4), z(6)), (3, z(6), z(6)),
                                    "[0, f, b]x[0, i, o]->[0, b, f]", "pad = [[1, 1]]", 1, 1))
_conv("strided_kernel_gradient", lambda z: ((2 * z(8), z(4), z(6)), (z(8), z(4), z(6)), (3, z(6), z(6)),
                                            "[0, f, b]x[0, i, o]->[0, b, f]", "pad = [[0, 1]], rhs_dilate = [2]", 1, 1))
_conv("input_gradient", lambda z: ((z(4), z(8), z(6)), (3, z(4), z(6)), (z(4), 2 * z(8), z(4)),
                                   "[b, 0, f]x[0, o, i]->[b, 0, f]", "pad = [[2, 1]], lhs_dilate = [2], reverse = [true]", 1, 1))
_conv("causal_depthwise", lambda z: ((z(4), z(16), z(6)), (4, 1, z(6)), (z(4), z(16), z(6)),
                                     "[b, 0, f]x[0, i, o]->[b, 0, f]", "pad = [[3, 0]]", z(6), 1))
_conv("depthwise_kernel_gradient", lambda z: ((z(8), z(4), z(6)), (z(8), z(4), z(6)), (4, 1, z(6)),
                                              "[0, f, b]x[0, i, o]->[0, b, f]", "pad = [[3, 0]]", 1, z(6)))
_conv("patches", lambda z: ((z(4), 4 * z(8), 3), (4, 3, z(6)), (z(4), z(8), z(6)),
                            "[b, 0, f]x[0, i, o]->[b, 0, f]", "stride = [4]", 1, 1))
_conv("cropped", lambda z: ((z(4), z(16), 3), (3, 3, z(6)), (z(4), z(16) - 5, z(6)),
                            "[b, 0, f]x[0, i, o]->[b, 0, f]", "pad = [[-1, -2]]", 1, 1))
_conv("wide_halo", lambda z: ((z(4), z(8), 3), (2, 3, z(6)), (z(4), z(8), z(6)),
                              "[b, 0, f]x[0, i, o]->[b, 0, f]", "pad = [[5, 0]], rhs_dilate = [5]", 1, 1))


def _window(name, make, body="add", init="0.0"):
    def f(z):
        shape, out, attrs = make(z)
        return Case([Arg(shape)], [(out, "f32")],
                    f"$i = stablehlo.constant dense<{init}> : tensor<f32>\n"
                    f'$r0 = "stablehlo.reduce_window"($a0, $i) <{{{attrs}}}> {region(2, body)} : ({tensor(shape)}, tensor<f32>) -> {tensor(out)}')
    CASES["reduce_window_" + name] = ("stablehlo.reduce_window", f)


_window("spread", lambda z: ((z(8), z(6)), (2 * z(8), z(6)),
                             "padding = dense<[[1, 1], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: 2, 1>, base_dilations = array<i64: 2, 1>"))
_window("max", lambda z: ((2 * z(8) + 1, z(6)), (z(8), z(6)),
                          "window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>"), "maximum", "-1000.0")
_window("global", lambda z: ((z(8), z(6)), (1, z(6)), f"window_dimensions = array<i64: {z(8)}, 1>"))
_window("dilated", lambda z: ((z(16), z(6)), (z(16) - 6, z(6)),
                              "window_dimensions = array<i64: 3, 1>, window_dilations = array<i64: 3, 1>"), "minimum", "1000.0")


@case("stablehlo.reduce_window")
def reduce_window_pair(z):
    a, b = z(8), z(6)
    x, y = tensor((a, b)), tensor((a, b), "i32")
    body = f"""$i = stablehlo.constant dense<-1000.0> : tensor<f32>
$j = stablehlo.constant dense<0> : tensor<i32>
$r0, $r1 = "stablehlo.reduce_window"($a0, $a1, $i, $j) <{{padding = dense<[[1, 1], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: 3, 1>}}> ({{
^bb0($p: tensor<f32>, $q: tensor<i32>, $u: tensor<f32>, $v: tensor<i32>):
  $m = stablehlo.maximum $p, $u : tensor<f32>
  $n = stablehlo.add $q, $v : tensor<i32>
  stablehlo.return $m, $n : tensor<f32>, tensor<i32> }}) : ({x}, {y}, tensor<f32>, tensor<i32>) -> ({x}, {y})"""
    return Case([Arg((a, b)), Arg((a, b), "i32")], [((a, b), "f32"), ((a, b), "i32")], body)


def _scatter(name, make, init="0.0"):
    def f(z):
        shape, source, attrs = make(z)
        n = 1
        for d in shape:
            n *= d
        t, s = tensor(shape), tensor(source)
        # All elements differ: which of equal ones is selected is not at issue.
        return Case([Arg(shape), Arg(source)], [(shape, "f32")], f"""$i = stablehlo.constant dense<{init}> : tensor<f32>
$n = stablehlo.constant dense<{n}.0> : {t}
$l = stablehlo.iota dim = 0 : {tensor((n,))}
$o = stablehlo.reshape $l : ({tensor((n,))}) -> {t}
$e = stablehlo.multiply $a0, $n : {t}
$d = stablehlo.add $e, $o : {t}
$r0 = "stablehlo.select_and_scatter"($d, $a1, $i) <{{{attrs}}}> ({{
^bb0($x: tensor<f32>, $y: tensor<f32>):
  $g = stablehlo.compare GE, $x, $y : (tensor<f32>, tensor<f32>) -> tensor<i1>
  stablehlo.return $g : tensor<i1> }}, {{
^bb0($u: tensor<f32>, $v: tensor<f32>):
  $w = stablehlo.add $u, $v : tensor<f32>
  stablehlo.return $w : tensor<f32> }}) : ({t}, {s}, tensor<f32>) -> {t}""")
    CASES["select_and_scatter_" + name] = ("stablehlo.select_and_scatter", f)


_scatter("overlapping", lambda z: ((2 * z(8) + 1, z(6)), (z(8), z(6)),
                                   "window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>"))
_scatter("padded", lambda z: ((2 * z(8), z(6)), (z(8), z(6)),
                              "padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>"))
_scatter("apart", lambda z: ((3 * z(8), z(6)), (z(8), z(6)),
                             "window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 3, 1>"), "1.0")


@case("stablehlo.slice")
def slice_last(z):
    a, b = z(8), z(6)
    return simple("stablehlo.slice", [Arg((a, b))], [((1, b), "f32")],
                  f" <{{start_indices = array<i64: {a - 1}, 0>, limit_indices = array<i64: {a}, {b}>, strides = array<i64: 1, 1>}}>")
