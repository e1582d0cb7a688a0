"""Ops that move elements and compute nothing."""
from .base import Arg, Case, case, simple, tensor


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
