"""gather, scatter, dynamic_slice, dynamic_update_slice, torch_index_select."""
import numpy as np

from . import bodies
from .instance import BITS, COMPLEX, DTYPES, F8, FLOATS, INTS, RARE, SIGNED, UNSIGNED, array, evaluate, is_complex, is_float, is_int, nums, product, type_of

INDEX = ["i32", "i32", "i64", "i8", "i16", "ui8", "ui16", "ui32", "ui64"]


def any_type(i):
    if i.chance(0.02):
        return i.rng.choice(RARE)
    return i.dtype(FLOATS, INTS, ["f32", "i32"], ["i1"], COMPLEX, F8)


def indices_for(i, shape, itype, sizes, vector_dim):
    """Random indices; sizes[k]: how far component k may reasonably go."""
    x = np.zeros(shape, dtype=np.int64)
    out = i.rng.choice([0, 0, 0.1, 0.4])
    for at in np.ndindex(*shape):
        k = at[vector_dim] if vector_dim < len(shape) else 0
        top = max(sizes[k], 1) if sizes else 1
        x[at] = i.np.integers(0, top) if i.np.random() >= out else i.np.integers(-3, top + 4)
        if i.np.random() < out * 0.1:
            x[at] = i.np.choice([2 ** 31 - 1, -2 ** 31, 2 ** 62, -1])
    bits = BITS[itype]
    lo, hi = (-2 ** (bits - 1), 2 ** (bits - 1) - 1) if itype in SIGNED else (0, 2 ** (bits - 1) - 1)
    return np.clip(x, lo, min(hi, 2 ** 62)).astype(DTYPES[itype])


def dims_of_indexing(i, windowed):
    """Splits operand dimensions into batching, collapsed/inserted and window ones."""
    r = i.rng
    shape = list(i.shape(low=0, high=5, limit=300, zero=0.03))
    rank = len(shape)
    dims = list(range(rank))
    nb = r.choice([0, 0, 0, 1, 2]) if rank else 0
    batching = r.sample(dims, min(nb, rank))
    rest = [d for d in dims if d not in batching]
    indexed = r.sample(rest, r.randint(0, len(rest)))          # start_index_map
    collapsed = sorted(d for d in rest if r.random() < 0.4)
    window = [d for d in rest if d not in collapsed]
    return shape, batching, indexed, collapsed, window


def is_sorted(indices, vector):
    """Whether a promise that they are sorted may be made: there is at most one."""
    return np.asarray(indices).size <= 1 or (vector < indices.ndim and indices.size == indices.shape[vector])


def gather(i):
    r = i.rng
    shape, batching, start_map, collapsed, window = dims_of_indexing(i, False)
    slice_sizes = []
    for d, n in enumerate(shape):
        if d in batching:
            slice_sizes.append(r.choice([1, 1, 0]) if n == 0 else 1)
        elif d in collapsed:
            slice_sizes.append(min(1, n))
        else:
            slice_sizes.append(r.choice([n, r.randint(0 if i.chance(0.05) else min(1, n), n)]))
    if any(shape[d] == 0 and d in start_map and slice_sizes[d] for d in range(len(shape))):
        return False
    if any(shape[d] == 0 for d in collapsed + batching):
        return False
    # Batch dimensions of the result: those of the batching dims and others.
    batch = [("x", None, r.choice([1, 2, 3, 5, 7] if not i.big else [1, 3, 50, 300])) for _ in range(r.choice([0, 1, 1, 2]))] + [("b", d, shape[d]) for d in batching]
    r.shuffle(batch)
    if product(s for _, _, s in batch) * product(slice_sizes) > (100000 if i.big else 3000):
        return False
    indices_shape = [s for _, _, s in batch]
    implicit = len(start_map) == 1 and i.chance(0.5)
    vector = len(indices_shape) if implicit else r.randint(0, len(indices_shape))
    if not implicit:
        indices_shape.insert(vector, len(start_map))
    where = {d: k for k, (_, d, _) in enumerate(batch)}
    sib = [where[d] + (0 if implicit or where[d] < vector else 1) for d in batching]
    itype = r.choice(INDEX)
    sizes = [shape[d] for d in start_map]
    indices = indices_for(i, indices_shape, itype, sizes, vector)
    t = any_type(i)
    data = i.anything(shape, t)
    rank = len(batch) + len(window)
    offset = sorted(r.sample(range(rank), len(window)))
    out, bi, wi = [], iter(s for _, _, s in batch), iter(slice_sizes[d] for d in window)
    for k in range(rank):
        out.append(next(wi) if k in offset else next(bi))
    order = sorted(range(len(batching)), key=lambda k: batching[k])
    batching, sib = [batching[k] for k in order], [sib[k] for k in order]
    numbers = (f"#stablehlo.gather<offset_dims = {nums(offset)}, collapsed_slice_dims = {nums(collapsed)}, operand_batching_dims = {nums(batching)}, "
               f"start_indices_batching_dims = {nums(sib)}, start_index_map = {nums(start_map)}, index_vector_dim = {vector}>")
    i.op(f'"stablehlo.gather"({i.arg(data, t)}, {i.arg(indices, itype)}) <{{dimension_numbers = {numbers}, indices_are_sorted = {str(is_sorted(indices, vector)).lower()}, slice_sizes = {array(slice_sizes)}}}> : '
         f"({type_of(shape, t)}, {type_of(indices_shape, itype)}) -> {type_of(out, t)}", t, out, "bits")

    def reference():
        result = np.zeros(out, dtype=DTYPES[t])
        idx = np.asarray(indices).astype(object)
        x = np.asarray(data)
        for at in np.ndindex(*out):
            b = [a for k, a in enumerate(at) if k not in offset]
            o = iter([a for k, a in enumerate(at) if k in offset])
            full = [0] * len(shape)
            for d, k in zip(batching, sib):
                full[d] = b[k - (0 if implicit or k < vector else 1)]
            for k, d in enumerate(start_map):
                pos = b[:] if implicit else b[:vector] + [k] + b[vector:]
                full[d] = min(max(int(idx[tuple(pos)]), 0), shape[d] - slice_sizes[d])
            for d in window:
                full[d] += next(o)
            result[at] = x[tuple(full)]
        return [result]
    i.reference = reference


def scatter(i):
    r = i.rng
    shape, batching, scatter_map, inserted, window = dims_of_indexing(i, True)
    batch = [("x", None, 0 if i.chance(0.02) else r.choice([1, 2, 3, 5] if not i.big else [1, 3, 50, 300])) for _ in range(r.choice([0, 1, 1, 2]))] + [("b", d, shape[d]) for d in batching]
    r.shuffle(batch)
    window_sizes = [r.choice([shape[d], r.randint(min(1, shape[d]), shape[d])]) for d in window]
    if product(s for _, _, s in batch) * product(window_sizes) > (50000 if i.big else 600):
        return False
    indices_shape = [s for _, _, s in batch]
    implicit = len(scatter_map) == 1 and i.chance(0.5)
    vector = len(indices_shape) if implicit else r.randint(0, len(indices_shape))
    if not implicit:
        indices_shape.insert(vector, len(scatter_map))
    where = {d: k for k, (_, d, _) in enumerate(batch)}
    sib = [where[d] + (0 if implicit or where[d] < vector else 1) for d in batching]
    itype = r.choice(INDEX)
    indices = indices_for(i, indices_shape, itype, [shape[d] for d in scatter_map], vector)
    rank = len(batch) + len(window)
    window_dims = sorted(r.sample(range(rank), len(window)))
    upd, bi, wi = [], iter(s for _, _, s in batch), iter(window_sizes)
    for k in range(rank):
        upd.append(next(wi) if k in window_dims else next(bi))
    order = sorted(range(len(batching)), key=lambda k: batching[k])
    batching, sib = [batching[k] for k in order], [sib[k] for k in order]
    kind = r.random()
    n = r.choice([1, 1, 1, 2, 3])
    types, bods = [], []
    for _ in range(n):
        t = any_type(i) if kind < 0.4 else i.dtype(FLOATS, INTS, ["f32", "i32"], ["i1"], COMPLEX)
        types.append(t)
        if kind < 0.4:
            bods.append(lambda s, v: [v[1]])
        else:
            op = r.choice(["add", "multiply", "subtract"] if is_complex(t) else ["and", "or", "xor"] if t == "i1" else ["add", "add", "maximum", "minimum", "multiply", "subtract"])
            bods.append(bodies.simple(op))
    body = bodies.many(*bods)
    data = [i.small(shape, t) if kind >= 0.4 else i.anything(shape, t) for t in types]
    ups = [i.small(upd, t, 1 if kind >= 0.4 and not is_int(t) else 4) if kind >= 0.4 else i.anything(upd, t) for t in types]
    numbers = (f"#stablehlo.scatter<update_window_dims = {nums(window_dims)}, inserted_window_dims = {nums(inserted)}, input_batching_dims = {nums(batching)}, "
               f"scatter_indices_batching_dims = {nums(sib)}, scatter_dims_to_operand_dims = {nums(scatter_map)}, index_vector_dim = {vector}>")
    operands = [i.arg(x, t) for x, t in zip(data, types)] + [i.arg(indices, itype)] + [i.arg(x, t) for x, t in zip(ups, types)]
    flag = str(is_sorted(indices, vector)).lower()
    ins = [type_of(shape, t) for t in types] + [type_of(indices_shape, itype)] + [type_of(upd, t) for t in types]
    i.ops(f'"stablehlo.scatter"({", ".join(operands)}) <{{indices_are_sorted = {flag}, scatter_dimension_numbers = {numbers}, unique_indices = {flag}}}> '
          f'({i.region(types + types, body)}) : ({", ".join(ins)}) -> ({", ".join(type_of(shape, t) for t in types)})', [(t, shape) for t in types],
          [(1e-2, 1e-2) if t in ("f16", "bf16") else None for t in types])

    def reference():
        results = [np.array(x) for x in data]
        idx = np.asarray(indices).astype(object)
        # Overlapping windows: the later window wins, in the order of the indices.
        for at in sorted(np.ndindex(*upd), key=lambda at: [a for k, a in enumerate(at) if k not in window_dims]):
            b = [a for k, a in enumerate(at) if k not in window_dims]
            o = iter([a for k, a in enumerate(at) if k in window_dims])
            full = [0] * len(shape)
            for d, k in zip(batching, sib):
                full[d] = b[k - (0 if implicit or k < vector else 1)]
            for k, d in enumerate(scatter_map):
                pos = b[:] if implicit else b[:vector] + [k] + b[vector:]
                full[d] = int(idx[tuple(pos)])
            for d in window:
                full[d] += next(o)
            full = tuple(full)
            if all(0 <= f < s for f, s in zip(full, shape)):
                new = evaluate(body, [x[full] for x in results] + [np.asarray(u)[at] for u in ups], types + types)
                for x, v in zip(results, new):
                    x[full] = v
        return results
    i.reference = reference


def starts(i, shape, sizes):
    """Scalar start indices: names, types, clamped values."""
    itype = i.rng.choice(INDEX)
    names, values = [], []
    for n, s in zip(shape, sizes):
        v = i.rng.randint(0, n - s) if i.chance(0.6) else i.rng.randint(-3, n + 3)
        if i.chance(0.05):
            v = i.rng.choice([2 ** 31 - 1, -2 ** 31, 2 ** 40, -2 ** 63])
        bits = BITS[itype]
        lo, hi = (-2 ** (bits - 1), 2 ** (bits - 1) - 1) if itype in SIGNED else (0, 2 ** (bits - 1) - 1)
        v = min(max(v, lo), hi)
        names.append(i.arg(np.asarray(v, dtype=object), itype, 0.4))
        values.append(min(max(v, 0), n - s))
    return names, [itype] * len(names), values


def dynamic_slice(i):
    shape = i.shape(zero=0.03)
    sizes = [i.rng.choice([n, i.rng.randint(min(n, 1) if i.chance(0.95) else 0, n)]) for n in shape]
    t = any_type(i)
    data = i.anything(shape, t)
    x = i.arg(data, t)
    names, types, at = starts(i, shape, sizes)
    i.op(f'"stablehlo.dynamic_slice"({", ".join([x] + names)}) <{{slice_sizes = {array(sizes)}}}> : ({", ".join([type_of(shape, t)] + [type_of((), u) for u in types])}) -> {type_of(sizes, t)}', t, sizes, "bits")
    i.reference = lambda: [np.asarray(data)[tuple(slice(a, a + s) for a, s in zip(at, sizes))]]


def dynamic_update_slice(i):
    shape = i.shape(zero=0.03)
    sizes = [i.rng.choice([n, i.rng.randint(min(n, 1) if i.chance(0.95) else 0, n)]) for n in shape]
    t = any_type(i)
    data, update = np.asarray(i.anything(shape, t)), np.asarray(i.anything(sizes, t))
    x, u = i.arg(data, t), i.arg(update, t)
    names, types, at = starts(i, shape, sizes)
    i.op(f'"stablehlo.dynamic_update_slice"({", ".join([x, u] + names)}) : ({", ".join([type_of(shape, t), type_of(sizes, t)] + [type_of((), v) for v in types])}) -> {type_of(shape, t)}', t, shape, "bits")

    def reference():
        result = np.array(data)
        result[tuple(slice(a, a + s) for a, s in zip(at, sizes))] = update
        return [result]
    i.reference = reference


def torch_index_select(i):
    r = i.rng
    shape = i.shape(low=1, high=3, zero=0)
    batch = r.randint(0, min(1, len(shape) - 1))
    dim = r.randint(batch, len(shape) - 1)
    index_shape = list(shape[:batch]) + [r.choice([1, 2, 3])] * r.randint(0, 1)
    t = any_type(i)
    data = np.asarray(i.anything(shape, t))
    index = i.np.integers(0, shape[dim], index_shape).astype(np.int32)
    out = list(shape[:dim]) + index_shape[batch:] + list(shape[dim + 1:])
    i.op(f'"stablehlo.torch_index_select"({i.arg(data, t)}, {i.arg(index, "i32")}) <{{batch_dims = {batch} : i64, dim = {dim} : i64}}> : ({type_of(shape, t)}, {type_of(index_shape, "i32")}) -> {type_of(out, t)}', t, out, "bits")

    def reference():
        if not batch:
            return [np.take(data, index, axis=dim)]
        return [np.stack([np.take(data[b], index[b], axis=dim - 1) for b in range(shape[0])])]
    i.reference = reference


GENERATORS = [(gather, 10), (scatter, 10), (dynamic_slice, 4), (dynamic_update_slice, 4), (torch_index_select, 1)]
