"""chlo."""
from .base import Arg, Case, case, tensor


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
