"""Element by element."""
from .base import Arg, CASES, Case, case, simple, tensor


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
