"""Products."""
from .base import Arg, Case, case, simple, tensor


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
