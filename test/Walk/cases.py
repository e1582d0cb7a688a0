"""Programs of one op each, for every op class with a sharding rule.

A case is a function of a `Sizes`, which scales and unevens dimensions; it gives
arguments, results, and the text in between, in which `$a0` is an argument,
`$r0` a result and any other `$name` a value of its own.
"""
from dataclasses import dataclass, field


@dataclass
class Sizes:
    """`z(8)` is a dimension of some 8 elements; `w(8)` one that other numbers
    depend on. Scaled for compiling alone, uneven or not."""
    scale: int = 1
    uneven: bool = False

    def __call__(self, n):
        return n * self.scale - (1 if self.uneven else 0)


@dataclass
class Arg:
    shape: tuple
    dtype: str = "f32"
    limit: int = 4      # integers in [-limit, limit]; indices: [-2, limit + 1]
    index: bool = False
    spd: bool = False   # symmetric positive definite in the last two dimensions
    tri: bool = False   # lower triangular, diagonal away from 0


@dataclass
class Case:
    args: list
    results: list  # (shape, dtype)
    body: str
    tolerance: float = 0.0
    # JAX's compiler does not know the op, or does otherwise than the specification
    # says: Shoal on one device judges.
    own_judge: bool = False


def tensor(shape, dtype="f32"):
    return "tensor<" + "".join(f"{d}x" for d in shape) + dtype + ">"


def t(x):
    return tensor(x.shape, x.dtype) if isinstance(x, Arg) else tensor(*x)


CASES = {}


def case(op):
    def add(f):
        CASES[f.__name__.rstrip("_")] = (op, f)
        return f
    return add


def simple(op, args, results, attrs="", tolerance=0.0):
    """One op in generic form."""
    names = ", ".join(f"$a{i}" for i in range(len(args)))
    outs = ", ".join(f"$r{i}" for i in range(len(results)))
    types = ", ".join(t(a) for a in args)
    rtypes = ", ".join(t(r) for r in results)
    return Case(args, results, f'{outs} = "{op}"({names}){attrs} : ({types}) -> ({rtypes})', tolerance)


def region(args, op, dtype="f32"):
    """` ({ op })` over two scalars."""
    s = tensor((), dtype)
    return f"({{ ^bb0($x: {s}, $y: {s}): $z = stablehlo.{op} $x, $y : {s}\n stablehlo.return $z : {s} }})"


# ------------------------------------------------------------------ elementwise
UNARY = ["abs", "cbrt", "ceil", "cosine", "exponential", "exponential_minus_one", "floor", "is_finite", "logistic",
         "negate", "round_nearest_afz", "round_nearest_even", "sign", "sine", "tanh", "tan"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder", "atan2"]
INT_BINARY = ["and", "or", "xor", "shift_left", "shift_right_arithmetic", "shift_right_logical"]


def _elementwise():
    for name in UNARY:
        def make(z, name=name):
            s = (z(8), z(6))
            return simple(f"stablehlo.{name}", [Arg(s)], [(s, "i1" if name == "is_finite" else "f32")], tolerance=1e-5)
        CASES["ew_" + name] = (f"stablehlo.{name}", make)
    for name in BINARY:
        def make(z, name=name):
            s = (z(8), z(6))
            body = simple(f"stablehlo.{name}", [Arg(s), Arg(s)], [(s, "f32")], tolerance=1e-5)
            return body
        CASES["ew_" + name] = (f"stablehlo.{name}", make)
    for name in INT_BINARY:
        def make(z, name=name):
            s = (z(8), z(6))
            return simple(f"stablehlo.{name}", [Arg(s, "i32", 30), Arg(s, "i32", 30)], [(s, "i32")])
        CASES["ew_" + name] = (f"stablehlo.{name}", make)
    for name in ["not", "popcnt", "count_leading_zeros"]:
        def make(z, name=name):
            s = (z(8), z(6))
            return simple(f"stablehlo.{name}", [Arg(s, "i32", 30)], [(s, "i32")])
        CASES["ew_" + name] = (f"stablehlo.{name}", make)
    for name in ["log", "log_plus_one", "sqrt", "rsqrt"]:
        def make(z, name=name):
            s = (z(8), z(6))
            c = simple(f"stablehlo.{name}", [Arg(s)], [(s, "f32")], tolerance=1e-5)
            c.body = f"$p = stablehlo.abs $a0 : {tensor(s)}\n$q = stablehlo.add $p, $p : {tensor(s)}\n" + c.body.replace("$a0", "$q", 1)
            return c
        CASES["ew_" + name] = (f"stablehlo.{name}", make)
    for name in ["erf", "erfc", "lgamma", "digamma", "asinh", "atan", "cosh", "sinh", "square", "bessel_i1e"]:
        def make(z, name=name):
            s = (z(8), z(6))
            return simple(f"chlo.{name}", [Arg(s)], [(s, "f32")], tolerance=1e-4)
        CASES["ew_chlo_" + name] = (f"chlo.{name}", make)


_elementwise()


@case("stablehlo.power")
def power(z):
    s = (z(8), z(6))
    return simple("stablehlo.power", [Arg(s), Arg(s, limit=2)], [(s, "f32")], tolerance=1e-4)


@case("stablehlo.compare")
def compare(z):
    s = (z(8), z(6))
    return simple("stablehlo.compare", [Arg(s), Arg(s)], [(s, "i1")], " <{comparison_direction = #stablehlo<comparison_direction LE>}>")


@case("stablehlo.select")
def select(z):
    s = (z(8), z(6))
    return simple("stablehlo.select", [Arg(s, "i1"), Arg(s), Arg(s)], [(s, "f32")])


@case("stablehlo.select")
def select_scalar(z):
    s = (z(8), z(6))
    return simple("stablehlo.select", [Arg((), "i1"), Arg(s), Arg(s)], [(s, "f32")])


@case("stablehlo.clamp")
def clamp(z):
    s = (z(8), z(6))
    return simple("stablehlo.clamp", [Arg(()), Arg(s), Arg(s)], [(s, "f32")])


@case("stablehlo.convert")
def convert(z):
    s = (z(8), z(6))
    return simple("stablehlo.convert", [Arg(s)], [(s, "i32")])


@case("stablehlo.bitcast_convert")
def bitcast_same(z):
    s = (z(8), z(6))
    return simple("stablehlo.bitcast_convert", [Arg(s)], [(s, "i32")])


@case("stablehlo.bitcast_convert")
def bitcast_narrow(z):
    s = (z(8), z(6))
    return simple("stablehlo.bitcast_convert", [Arg(s)], [(s + (2,), "i16")])


@case("stablehlo.bitcast_convert")
def bitcast_wide(z):
    s = (z(8), z(6))
    return simple("stablehlo.bitcast_convert", [Arg(s + (2,), "i16")], [(s, "i32")])


@case("stablehlo.complex")
def complex_(z):
    s = (z(8), z(6))
    c = Case([Arg(s), Arg(s)], [(s, "f32"), (s, "f32")], "")
    ct = tensor(s, "complex<f32>")
    c.body = (f"$c = stablehlo.complex $a0, $a1 : {ct}\n$m = stablehlo.multiply $c, $c : {ct}\n"
              f"$r0 = stablehlo.real $m : ({ct}) -> {tensor(s)}\n$r1 = stablehlo.imag $m : ({ct}) -> {tensor(s)}")
    return c


@case("stablehlo.reduce_precision")
def reduce_precision(z):
    s = (z(8), z(6))
    return simple("stablehlo.reduce_precision", [Arg(s)], [(s, "f32")], " <{exponent_bits = 5 : i32, mantissa_bits = 2 : i32}>")


# ------------------------------------------------------------------ shape
@case("stablehlo.broadcast_in_dim")
def broadcast_in_dim(z):
    a, b = z(8), z(6)
    return simple("stablehlo.broadcast_in_dim", [Arg((a, 1, b))], [((a, z(4), b, 2), "f32")], " <{broadcast_dimensions = array<i64: 0, 1, 2>}>")


@case("stablehlo.transpose")
def transpose(z):
    a, b = z(8), z(6)
    return simple("stablehlo.transpose", [Arg((a, b, 4))], [((4, a, b), "f32")], " <{permutation = array<i64: 2, 0, 1>}>")


@case("stablehlo.reshape")
def reshape_split(z):
    a = z(6)
    return simple("stablehlo.reshape", [Arg((a * 8, 4))], [((a, 8, 4), "f32")])


@case("stablehlo.reshape")
def reshape_merge(z):
    a, b = z(6), z(8)
    return simple("stablehlo.reshape", [Arg((a, b, 4))], [((a * b, 4), "f32")])


@case("stablehlo.reshape")
def reshape_minor(z):
    a, b = z(6), z(8)
    return simple("stablehlo.reshape", [Arg((4, a, b))], [((4, a * b), "f32")])


@case("stablehlo.reshape")
def reshape_mixed(z):
    return simple("stablehlo.reshape", [Arg((z(4) * 3, 10))], [((z(4) * 5, 6), "f32")])


@case("stablehlo.concatenate")
def concatenate(z):
    a, b = z(8), z(6)
    return simple("stablehlo.concatenate", [Arg((a, b)), Arg((a, z(4))), Arg((a, 3))], [((a, b + z(4) + 3), "f32")], " <{dimension = 1 : i64}>")


@case("stablehlo.slice")
def slice_(z):
    a, b = z(8), z(12)
    return simple("stablehlo.slice", [Arg((a, b))], [((a - 3, (b - 2 + 1) // 2), "f32")],
                  f" <{{start_indices = array<i64: 2, 1>, limit_indices = array<i64: {a - 1}, {b - 1}>, strides = array<i64: 1, 2>}}>")


@case("stablehlo.pad")
def pad(z):
    a, b = z(8), z(6)
    return simple("stablehlo.pad", [Arg((a, b)), Arg(())], [((a + 3, b + 1), "f32")],
                  " <{edge_padding_low = array<i64: 1, -1>, edge_padding_high = array<i64: 2, 2>, interior_padding = array<i64: 0, 0>}>")


@case("stablehlo.pad")
def pad_interior(z):
    a, b = z(8), z(6)
    return simple("stablehlo.pad", [Arg((a, b)), Arg(())], [((2 * a - 1 + 1, b), "f32")],
                  " <{edge_padding_low = array<i64: 1, 0>, edge_padding_high = array<i64: 0, 0>, interior_padding = array<i64: 1, 0>}>")


@case("stablehlo.reverse")
def reverse(z):
    a, b = z(8), z(6)
    return simple("stablehlo.reverse", [Arg((a, b))], [((a, b), "f32")], " <{dimensions = array<i64: 0, 1>}>")


@case("stablehlo.iota")
def iota(z):
    a, b = z(8), z(6)
    return Case([], [((a, b), "f32")], f"$r0 = stablehlo.iota dim = 0 : {tensor((a, b))}")


# ------------------------------------------------------------------ contraction
@case("stablehlo.dot_general")
def dot_general(z):
    a, m, n, k = z(4), z(8), z(6), z(12)
    return simple("stablehlo.dot_general", [Arg((a, m, k)), Arg((a, k, n))], [((a, m, n), "f32")],
                  " <{dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}>")


@case("stablehlo.convolution")
def convolution(z):
    n, h, w, ci, co = z(4), z(8), z(8), z(4), z(6)
    out = (n, h, (w + 2 - 3) // 2 + 1, co)
    body = (f"$r0 = stablehlo.convolution($a0, $a1) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], "
            f"window = {{stride = [1, 2], pad = [[1, 1], [1, 1]]}} {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({tensor((n, h, w, ci))}, {tensor((3, 3, ci, co))}) -> {tensor(out)}")
    return Case([Arg((n, h, w, ci)), Arg((3, 3, ci, co))], [(out, "f32")], body)


@case("stablehlo.convolution")
def convolution_dilated(z):
    n, h, ci, co = z(4), z(8), z(4), z(6)
    out = (n, (h - 1) * 2 + 1 + 2 - 4, co)
    body = (f"$r0 = stablehlo.convolution($a0, $a1) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], "
            f"window = {{pad = [[1, 1]], lhs_dilate = [2], rhs_dilate = [2]}} {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({tensor((n, h, ci))}, {tensor((3, ci, co))}) -> {tensor(out)}")
    return Case([Arg((n, h, ci)), Arg((3, ci, co))], [(out, "f32")], body)


@case("stablehlo.convolution")
def convolution_groups(z):
    n, h, g = z(4), z(8), z(8)
    out = (n, h, 2 * g)
    body = (f"$r0 = stablehlo.convolution($a0, $a1) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], "
            f"window = {{pad = [[1, 1]]}} {{batch_group_count = 1 : i64, feature_group_count = {g} : i64}} : ({tensor((n, h, 3 * g))}, {tensor((3, 3, 2 * g))}) -> {tensor(out)}")
    return Case([Arg((n, h, 3 * g)), Arg((3, 3, 2 * g))], [(out, "f32")], body)


@case("stablehlo.convolution")
def convolution_batch_groups(z):
    g, h, ci, k = z(4), z(8), z(4), 2
    out = (2, h, k * g)
    body = (f"$r0 = stablehlo.convolution($a0, $a1) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], "
            f"window = {{pad = [[1, 1]]}} {{batch_group_count = {g} : i64, feature_group_count = 1 : i64}} : ({tensor((2 * g, h, ci))}, {tensor((3, ci, k * g))}) -> {tensor(out)}")
    return Case([Arg((2 * g, h, ci)), Arg((3, ci, k * g))], [(out, "f32")], body)


# ------------------------------------------------------------------ windows
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


# ------------------------------------------------------------------ reduction
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


# ------------------------------------------------------------------ indexed
def gather(args, out, dims, sizes):
    return simple("stablehlo.gather", args, [(out, args[0].dtype)],
                  f" <{{dimension_numbers = #stablehlo.gather<{dims}>, indices_are_sorted = false, slice_sizes = array<i64: {', '.join(map(str, sizes))}>}}>")


@case("stablehlo.gather")
def gather_rows(z):
    v, d, n = z(16), z(6), z(8)
    return gather([Arg((v, d)), Arg((n, 1), "i32", v, True)], (n, d), "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1", (1, d))


@case("stablehlo.gather")
def gather_windows(z):
    v, d, n, w = z(16), z(6), z(8), z(4)
    return gather([Arg((v, d)), Arg((n, 1), "i32", v, True)], (w, n, d), "offset_dims = [0, 2], start_index_map = [0], index_vector_dim = 1", (w, d))


@case("stablehlo.gather")
def gather_two_windows(z):
    v, d, n, w, x = z(16), z(8), z(6), z(4), 3
    return gather([Arg((v, d)), Arg((2, n), "i32", 12, True)], (n, w, x), "offset_dims = [1, 2], start_index_map = [1, 0], index_vector_dim = 0", (w, x))


@case("stablehlo.gather")
def gather_points(z):
    v, d, n = z(16), z(8), z(6)
    return gather([Arg((v, d)), Arg((n, 2), "i32", 12, True)], (n,), "collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1", (1, 1))


@case("stablehlo.gather")
def gather_batched(z):
    b, v, d, n = z(4), z(12), z(6), z(8)
    return gather([Arg((v, b, d)), Arg((n, b, 1), "i32", v, True)], (n, b, d), "offset_dims = [2], collapsed_slice_dims = [0], operand_batching_dims = [1], start_indices_batching_dims = [1], start_index_map = [0], index_vector_dim = 2", (1, 1, d))


@case("stablehlo.gather")
def gather_fixed_start(z):
    v, d, n, w = z(16), z(8), z(6), z(4)
    # The second dimension starts at 0 for every index.
    return gather([Arg((v, d)), Arg((n,), "i32", v, True)], (n, w), "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1", (1, w))


@case("stablehlo.gather")
def gather_bool(z):
    v, d, n, w = z(16), z(6), z(8), z(4)
    return gather([Arg((v, d), "i1"), Arg((n, 1), "i32", v, True)], (w, n, d), "offset_dims = [0, 2], start_index_map = [0], index_vector_dim = 1", (w, d))


def scatter(args, dims, body="add", dtype="f32", n=1):
    s = tensor((), dtype)
    if body == "set":
        r = f"({{ ^bb0($x: {s}, $y: {s}): stablehlo.return $y : {s} }})"
    elif body == "odd":  # not commutative: 2x + y
        r = f"({{ ^bb0($x: {s}, $y: {s}): $d = stablehlo.add $x, $x : {s}\n $z = stablehlo.add $d, $y : {s}\n stablehlo.return $z : {s} }})"
    elif n == 2:
        r = (f"({{ ^bb0($x: {s}, $u: {s}, $y: {s}, $v: {s}): $p = stablehlo.{body} $x, $y : {s}\n $q = stablehlo.{body} $u, $v : {s}\n stablehlo.return $p, $q : {s}, {s} }})")
    else:
        r = region(2, body, dtype)
    c = simple("stablehlo.scatter", args, [(a.shape, a.dtype) for a in args[:n]],
               f" <{{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<{dims}>, unique_indices = false}}> {r}")
    # XLA drops an update as a whole if a part of it is out of bounds.
    c.own_judge = True
    return c


def _scatters():
    for body in ["add", "set", "maximum", "minimum", "multiply", "odd"]:
        def rows(z, body=body):
            v, d, n = z(12), z(6), z(8)
            return scatter([Arg((v, d)), Arg((n, 1), "i32", v, True), Arg((n, d), limit=2)],
                           "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1", body)

        def windows(z, body=body):
            v, d, n, w = z(12), z(6), z(8), z(4)
            return scatter([Arg((v, d)), Arg((n,), "i32", v, True), Arg((w, n, d), limit=2)],
                           "update_window_dims = [0, 2], scatter_dims_to_operand_dims = [0], index_vector_dim = 1", body)
        CASES[f"scatter_rows_{body}"] = ("stablehlo.scatter", rows)
        CASES[f"scatter_windows_{body}"] = ("stablehlo.scatter", windows)


_scatters()


@case("stablehlo.scatter")
def scatter_points(z):
    v, d, n = z(12), z(6), z(8)
    return scatter([Arg((v, d)), Arg((2, n), "i32", 8, True), Arg((n,))],
                   "inserted_window_dims = [0, 1], scatter_dims_to_operand_dims = [1, 0], index_vector_dim = 0", "add")


@case("stablehlo.scatter")
def scatter_batched(z):
    b, v, d, n = z(4), z(12), z(6), z(8)
    return scatter([Arg((v, b, d)), Arg((n, b, 1), "i32", v, True), Arg((n, b, d))],
                   "update_window_dims = [2], inserted_window_dims = [0], input_batching_dims = [1], scatter_indices_batching_dims = [1], scatter_dims_to_operand_dims = [0], index_vector_dim = 2", "add")


@case("stablehlo.scatter")
def scatter_batched_windows(z):
    b, v, d, n, w = z(4), z(12), z(6), z(8), 3
    return scatter([Arg((v, b, d)), Arg((n, b, 1), "i32", v, True), Arg((w, n, b, d))],
                   "update_window_dims = [0, 3], input_batching_dims = [1], scatter_indices_batching_dims = [1], scatter_dims_to_operand_dims = [0], index_vector_dim = 2", "set")


@case("stablehlo.scatter")
def scatter_shifted(z):
    # The update covers the dimension and may still start elsewhere.
    v, d, n = z(12), z(6), z(4)
    return scatter([Arg((v, d)), Arg((n, 1), "i32", 6, True), Arg((n, v, d))],
                   "update_window_dims = [1, 2], scatter_dims_to_operand_dims = [0], index_vector_dim = 1", "add")


@case("stablehlo.scatter")
def scatter_two(z):
    v, d, n = z(12), z(6), z(8)
    return scatter([Arg((v, d)), Arg((v, d)), Arg((n, 1), "i32", v, True), Arg((n, d), limit=2), Arg((n, d), limit=2)],
                   "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1", "add", n=2)


@case("stablehlo.scatter")
def scatter_two_set(z):
    v, d, n, w = z(12), z(6), z(8), z(4)
    c = scatter([Arg((v, d)), Arg((v, d)), Arg((n, 1), "i32", v, True), Arg((n, w, d), limit=2), Arg((n, w, d), limit=2)],
                "update_window_dims = [1, 2], scatter_dims_to_operand_dims = [0], index_vector_dim = 1", "add", n=2)
    c.body = c.body.replace("stablehlo.add $u, $v", "stablehlo.maximum $x, $v")
    return c


@case("stablehlo.scatter")
def scatter_bool(z):
    v, d, n = z(12), z(6), z(8)
    return scatter([Arg((v, d), "i1"), Arg((n, 1), "i32", v, True), Arg((n, d), "i1")],
                   "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1", "or", "i1")


def _dynamic(args, out, op, sizes):
    k = len(args)
    return simple(f"stablehlo.{op}", args, [(out, "f32")], f" <{{slice_sizes = array<i64: {', '.join(map(str, sizes))}>}}>" if sizes else "")


@case("stablehlo.dynamic_slice")
def dynamic_slice(z):
    a, b = z(12), z(6)
    return _dynamic([Arg((a, b)), Arg((), "i32", a, True), Arg((), "i32", 2, True)], (z(4), b), "dynamic_slice", (z(4), b))


@case("stablehlo.dynamic_slice")
def dynamic_slice_row(z):
    a, b = z(12), z(6)
    return _dynamic([Arg((a, b)), Arg((), "i32", a, True), Arg((), "i32", 2, True)], (1, z(4)), "dynamic_slice", (1, z(4)))


@case("stablehlo.dynamic_update_slice")
def dynamic_update_slice(z):
    a, b = z(12), z(6)
    return _dynamic([Arg((a, b)), Arg((z(4), b)), Arg((), "i32", a, True), Arg((), "i32", 2, True)], (a, b), "dynamic_update_slice", ())


@case("stablehlo.dynamic_update_slice")
def dynamic_update_row(z):
    a, b = z(12), z(6)
    return _dynamic([Arg((a, b)), Arg((1, z(4))), Arg((), "i32", a, True), Arg((), "i32", 4, True)], (a, b), "dynamic_update_slice", ())


@case("stablehlo.torch_index_select")
def torch_index_select(z):
    b, v, d, n = z(4), z(12), z(6), z(8)
    c = simple("stablehlo.torch_index_select", [Arg((b, d, v)), Arg((b, n), "i32", 3)], [((b, d, n), "f32")], " <{dim = 2 : i64, batch_dims = 1 : i64}>")
    c.body = f"$i = stablehlo.abs $a1 : {tensor((b, n), 'i32')}\n" + c.body.replace("$a1)", "$i)")
    c.own_judge = True
    return c


# ------------------------------------------------------------------ ordered
@case("stablehlo.sort")
def sort(z):
    a, b = z(8), z(6)
    body = f"""$r0, $r1 = "stablehlo.sort"($a0, $a1) <{{dimension = 0 : i64, is_stable = true}}> ({{ ^bb0($x: tensor<f32>, $y: tensor<f32>, $u: tensor<i32>, $v: tensor<i32>):
  $g = stablehlo.compare LT, $x, $y, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  stablehlo.return $g : tensor<i1> }}) : ({tensor((a, b))}, {tensor((a, b), 'i32')}) -> ({tensor((a, b))}, {tensor((a, b), 'i32')})"""
    return Case([Arg((a, b)), Arg((a, b), "i32", 30)], [((a, b), "f32"), ((a, b), "i32")], body)


@case("chlo.top_k")
def top_k(z):
    a, b = z(6), z(16)
    body = f"$r0, $r1 = chlo.top_k($a0, k = 3) : {tensor((a, b))} -> ({tensor((a, 3))}, {tensor((a, 3), 'i32')})"
    return Case([Arg((a, b), limit=40)], [((a, 3), "f32"), ((a, 3), "i32")], body)


@case("stablehlo.cholesky")
def cholesky(z):
    b, n = z(4), 6
    return simple("stablehlo.cholesky", [Arg((b, n, n), spd=True)], [((b, n, n), "f32")], " <{lower = true}>", 1e-4)


@case("stablehlo.triangular_solve")
def triangular_solve(z):
    b, n, m = z(4), 6, z(8)
    return simple("stablehlo.triangular_solve", [Arg((b, n, n), tri=True), Arg((b, n, m))], [((b, n, m), "f32")],
                  " <{left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false}>", 1e-3)


@case("stablehlo.fft")
def fft(z):
    b, n = z(4), 8
    ct = tensor((b, n), "complex<f32>")
    body = (f"$c = stablehlo.complex $a0, $a1 : {ct}\n$f = stablehlo.fft $c, type = FFT, length = [{n}] : ({ct}) -> {ct}\n"
            f"$r0 = stablehlo.real $f : ({ct}) -> {tensor((b, n))}\n$r1 = stablehlo.imag $f : ({ct}) -> {tensor((b, n))}")
    return Case([Arg((b, n)), Arg((b, n))], [((b, n), "f32"), ((b, n), "f32")], body, 1e-4)


@case("stablehlo.fft")
def fft2(z):
    b, n, m = z(4), 8, 6
    ct = tensor((b, n, m), "complex<f32>")
    s = (b, n, m)
    body = (f"$c = stablehlo.complex $a0, $a1 : {ct}\n$f = stablehlo.fft $c, type = FFT, length = [{n}, {m}] : ({ct}) -> {ct}\n"
            f"$r0 = stablehlo.real $f : ({ct}) -> {tensor(s)}\n$r1 = stablehlo.imag $f : ({ct}) -> {tensor(s)}")
    return Case([Arg(s), Arg(s)], [(s, "f32"), (s, "f32")], body, 1e-3)


@case("stablehlo.rng_bit_generator")
def rng_bit_generator(z):
    a, b = z(8), z(6)
    body = (f"$s = stablehlo.constant dense<[7, 9]> : tensor<2xui64>\n"
            f"$t, $u = stablehlo.rng_bit_generator $s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, {tensor((a, b), 'ui32')})\n"
            f"$r0 = stablehlo.convert $u : ({tensor((a, b), 'ui32')}) -> {tensor((a, b), 'i32')}")
    return Case([], [((a, b), "i32")], body)


# ------------------------------------------------------------------ control flow
@case("stablehlo.while")
def while_(z):
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$n = stablehlo.constant dense<3> : tensor<i32>
$0 = stablehlo.constant dense<0> : tensor<i32>
$1 = stablehlo.constant dense<1> : tensor<i32>
$w:3 = stablehlo.while($i = $0, $x = $a0, $y = $a1) : tensor<i32>, {tensor(s)}, {tensor(s)} cond {{
  $c = stablehlo.compare LT, $i, $n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $j = stablehlo.add $i, $1 : tensor<i32>
  $u = stablehlo.add $x, $y : {tensor(s)}
  stablehlo.return $j, $u, $x : tensor<i32>, {tensor(s)}, {tensor(s)}
}}
$r0 = stablehlo.negate $w#1 : {tensor(s)}
$r1 = stablehlo.negate $w#2 : {tensor(s)}"""
    return Case([Arg(s), Arg(s)], [(s, "f32"), (s, "f32")], body)


@case("stablehlo.while")
def while_data(z):
    """Runs until a sum over cut dimensions is large enough."""
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$0 = stablehlo.constant dense<0.0> : tensor<f32>
$n = stablehlo.constant dense<5000.0> : tensor<f32>
$m = stablehlo.abs $a0 : {tensor(s)}
$o = stablehlo.constant dense<1.0> : {tensor(s)}
$p = stablehlo.add $m, $o : {tensor(s)}
$w = stablehlo.while($x = $p) : {tensor(s)} cond {{
  $q = stablehlo.reduce($x init: $0) applies stablehlo.add across dimensions = [0, 1] : ({tensor(s)}, tensor<f32>) -> tensor<f32>
  $c = stablehlo.compare LT, $q, $n : (tensor<f32>, tensor<f32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $u = stablehlo.add $x, $x : {tensor(s)}
  stablehlo.return $u : {tensor(s)}
}}
$r0 = stablehlo.negate $w : {tensor(s)}"""
    return Case([Arg(s)], [(s, "f32")], body)


@case("stablehlo.if")
def if_(z):
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$r0 = "stablehlo.if"($a1) ({{
  $u = stablehlo.add $a0, $a0 : {tensor(s)}
  stablehlo.return $u : {tensor(s)} }}, {{
  $v = stablehlo.reverse $a0, dims = [0] : {tensor(s)}
  stablehlo.return $v : {tensor(s)} }}) : (tensor<i1>) -> {tensor(s)}"""
    return Case([Arg(s), Arg((), "i1")], [(s, "f32")], body)


@case("stablehlo.case")
def case_(z):
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$0 = stablehlo.constant dense<0.0> : tensor<f32>
$q = stablehlo.reduce($a0 init: $0) applies stablehlo.maximum across dimensions = [0, 1] : ({tensor(s)}, tensor<f32>) -> tensor<f32>
$i = stablehlo.convert $q : (tensor<f32>) -> tensor<i32>
$r0 = "stablehlo.case"($i) ({{
  stablehlo.return $a0 : {tensor(s)} }}, {{
  $v = stablehlo.reverse $a0, dims = [0] : {tensor(s)}
  stablehlo.return $v : {tensor(s)} }}, {{
  $w = stablehlo.negate $a0 : {tensor(s)}
  stablehlo.return $w : {tensor(s)} }}) : (tensor<i32>) -> {tensor(s)}"""
    return Case([Arg(s)], [(s, "f32")], body)


@case("stablehlo.while")
def control_nested(z):
    """A loop over rows, in it a branch on what the row holds, in that a loop."""
    a, b = z(8), z(6)
    s, row = tensor((a, b)), tensor((b,))
    body = f"""$0 = stablehlo.constant dense<0> : tensor<i32>
$1 = stablehlo.constant dense<1> : tensor<i32>
$n = stablehlo.constant dense<{a}> : tensor<i32>
$f = stablehlo.constant dense<0.0> : tensor<f32>
$h = stablehlo.constant dense<50.0> : tensor<f32>
$o = stablehlo.constant dense<1.0> : {row}
$z = stablehlo.constant dense<0.0> : {row}
$w:3 = stablehlo.while($i = $0, $x = $a0, $acc = $z) : tensor<i32>, {s}, {row} cond {{
  $c = stablehlo.compare LT, $i, $n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $j = stablehlo.add $i, $1 : tensor<i32>
  $p = stablehlo.dynamic_slice $x, $i, $0, sizes = [1, {b}] : ({s}, tensor<i32>, tensor<i32>) -> {tensor((1, b))}
  $r = stablehlo.reshape $p : ({tensor((1, b))}) -> {row}
  $q = stablehlo.reduce($r init: $f) applies stablehlo.add across dimensions = [0] : ({row}, tensor<f32>) -> tensor<f32>
  $g = stablehlo.compare GT, $q, $f : (tensor<f32>, tensor<f32>) -> tensor<i1>
  $t = "stablehlo.if"($g) ({{
    $v = stablehlo.while($y = $r) : {row} cond {{
      $m = stablehlo.reduce($y init: $f) applies stablehlo.add across dimensions = [0] : ({row}, tensor<f32>) -> tensor<f32>
      $l = stablehlo.compare LT, $m, $h : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return $l : tensor<i1>
    }} do {{
      $d = stablehlo.add $y, $o : {row}
      stablehlo.return $d : {row}
    }}
    stablehlo.return $v : {row}
  }}, {{
    $k = stablehlo.reverse $r, dims = [0] : {row}
    stablehlo.return $k : {row}
  }}) : (tensor<i1>) -> {row}
  $u = stablehlo.reshape $t : ({row}) -> {tensor((1, b))}
  $X = stablehlo.dynamic_update_slice $x, $u, $i, $0 : ({s}, {tensor((1, b))}, tensor<i32>, tensor<i32>) -> {s}
  $A = stablehlo.add $acc, $t : {row}
  stablehlo.return $j, $X, $A : tensor<i32>, {s}, {row}
}}
$r0 = stablehlo.negate $w#1 : {s}
$r1 = stablehlo.negate $w#2 : {row}"""
    return Case([Arg((a, b))], [((a, b), "f32"), ((b,), "f32")], body)


@case("stablehlo.case")
def case_in_loop(z):
    """Carried values that change places; a branch by the turn."""
    a = z(8)
    s = tensor((a, a))
    body = f"""$0 = stablehlo.constant dense<0> : tensor<i32>
$1 = stablehlo.constant dense<1> : tensor<i32>
$n = stablehlo.constant dense<4> : tensor<i32>
$w:3 = stablehlo.while($i = $0, $x = $a0, $y = $a1) : tensor<i32>, {s}, {s} cond {{
  $c = stablehlo.compare LT, $i, $n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $j = stablehlo.add $i, $1 : tensor<i32>
  $t:2 = "stablehlo.case"($i) ({{
    stablehlo.return $y, $x : {s}, {s}
  }}, {{
    $p = stablehlo.transpose $x, dims = [1, 0] : ({s}) -> {s}
    stablehlo.return $p, $y : {s}, {s}
  }}, {{
    $q = stablehlo.dot_general $x, $y, contracting_dims = [1] x [0] : ({s}, {s}) -> {s}
    stablehlo.return $q, $x : {s}, {s}
  }}, {{
    $r = stablehlo.subtract $x, $y : {s}
    stablehlo.return $r, $r : {s}, {s}
  }}) : (tensor<i32>) -> ({s}, {s})
  stablehlo.return $j, $t#0, $t#1 : tensor<i32>, {s}, {s}
}}
$r0 = stablehlo.negate $w#1 : {s}
$r1 = stablehlo.negate $w#2 : {s}"""
    return Case([Arg((a, a)), Arg((a, a))], [((a, a), "f32"), ((a, a), "f32")], body)


@case("stablehlo.map")
def map_(z):
    s = (z(8), z(6))
    return simple("stablehlo.map", [Arg(s), Arg(s)], [(s, "f32")], f" <{{dimensions = array<i64: 0, 1>}}> {region(2, 'add')}")


@case("stablehlo.optimization_barrier")
def optimization_barrier(z):
    s = (z(8), z(6))
    return Case([Arg(s)], [(s, "f32")], f"$r0 = stablehlo.optimization_barrier $a0 : {tensor(s)}")


# ------------------------------------------------------------------ calls, chlo
@case("chlo.ragged_dot")
def ragged_dot(z):
    m, k, n, g = z(16), z(8), z(6), 4
    body = (f"$g = stablehlo.constant dense<[3, 0, 5, {m - 9}]> : tensor<4xi32>\n"
            f'$r0 = "chlo.ragged_dot"($a0, $a1, $g) <{{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}}> : ({tensor((m, k))}, {tensor((g, k, n))}, tensor<4xi32>) -> {tensor((m, n))}')
    return Case([Arg((m, k)), Arg((g, k, n))], [((m, n), "f32")], body, own_judge=True)


@case("chlo.ragged_dot")
def ragged_dot_contracting(z):
    m, k, n, g = z(16), z(8), z(6), 4
    body = (f"$g = stablehlo.constant dense<[3, 0, 5, {m - 9}]> : tensor<4xi32>\n"
            f'$r0 = "chlo.ragged_dot"($a0, $a1, $g) <{{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0], lhs_ragged_dimensions = [0], rhs_group_dimensions = []>}}> : ({tensor((m, k))}, {tensor((m, n))}, tensor<4xi32>) -> {tensor((g, k, n))}')
    return Case([Arg((m, k)), Arg((m, n))], [((g, k, n), "f32")], body, own_judge=True)


@case("chlo.ragged_dot")
def ragged_dot_batch(z):
    b, m, k, n = z(8), z(4), z(6), 4
    body = (f"$g = stablehlo.constant dense<[3, {b - 3}]> : tensor<2xi32>\n"
            f'$r0 = "chlo.ragged_dot"($a0, $a1, $g) <{{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = []>}}> : ({tensor((b, m, k))}, {tensor((b, k, n))}, tensor<2xi32>) -> {tensor((b, m, n))}')
    return Case([Arg((b, m, k)), Arg((b, k, n))], [((b, m, n), "f32")], body, own_judge=True)
