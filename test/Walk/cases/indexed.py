"""Places that are data: gather, scatter, dynamic slices."""
from .base import Arg, CASES, case, region, simple, tensor


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


def _positions(b, n):
    """Indices that address a first dimension by the position in the batch, as x[arange(b), i] has them."""
    column, pair = tensor((b, n, 1), "i32"), tensor((b, n, 2), "i32")
    return (f"$p = stablehlo.iota dim = 0 : {column}\n$0 = stablehlo.constant dense<0> : {column}\n$m = stablehlo.constant dense<{b}> : {column}\n"
            f"$l = stablehlo.compare LT, $p, $0, SIGNED : ({column}, {column}) -> {tensor((b, n, 1), 'i1')}\n$s = stablehlo.add $p, $m : {column}\n"
            f"$q = stablehlo.select $l, $s, $p : {tensor((b, n, 1), 'i1')}, {column}\n"
            f"$j = stablehlo.concatenate $q, $a1, dim = 2 : ({column}, {column}) -> {pair}\n")


@case("stablehlo.gather")
def gather_positions(z):
    b, v, d, n = z(8), z(12), z(6), z(4)
    c = gather([Arg((b, v, d)), Arg((b, n, 1), "i32", v, True)], (b, n, d), "offset_dims = [2], collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 2", (1, 1, d))
    c.body = _positions(b, n) + c.body.replace("$a1", "$j").replace(tensor((b, n, 1), "i32"), tensor((b, n, 2), "i32"))
    return c


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


def _scatter_positions():
    for body in ["add", "set"]:
        def make(z, body=body):
            b, v, d, n = z(8), z(12), z(6), z(4)
            c = scatter([Arg((b, v, d)), Arg((b, n, 1), "i32", v, True), Arg((b, n, d))],
                        "update_window_dims = [2], inserted_window_dims = [0, 1], scatter_dims_to_operand_dims = [0, 1], index_vector_dim = 2", body)
            c.body = _positions(b, n) + c.body.replace("$a1", "$j").replace(tensor((b, n, 1), "i32"), tensor((b, n, 2), "i32"))
            return c
        CASES[f"scatter_positions_{body}"] = ("stablehlo.scatter", make)


_scatter_positions()


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
