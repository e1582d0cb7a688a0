"""Sorts, scans, FFT, factorizations, random bits."""
from .base import Arg, Case, case, simple, tensor


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
