"""Shardings of a program's text as GSPMD's strings, as JAX prints them without Shardy."""
import re


def tiles(sharding, mesh, order):
    """`{devices=[2,1,4]<=[2,4]T(1,0) last_tile_dim_replicate}` for `[{"b"}, {}]`."""
    inner = sharding[sharding.index("["):sharding.rindex("]") + 1]
    sizes, refs = dict(mesh), []
    for dim in re.findall(r"\{([^}]*)\}", inner):
        refs.append([(m[1], int(m[2] or 1), int(m[3] or sizes[m[1]])) for m in re.finditer(r'"(\w+)"(?::\((\d+)\)(\d+))?', dim)])
    # The mesh as parts of axes that are used or left as wholes.
    atoms = []
    for axis, size in mesh:
        cuts = sorted({1, size} | {c for dim in refs for a, before, n in dim if a == axis for c in (before, before * n)})
        atoms += [(axis, lo, hi // lo) for lo, hi in zip(cuts, cuts[1:])]
    used, shape = [], []
    for dim in refs:
        n = 1
        for axis, before, size in dim:
            for k, (a, lo, m) in enumerate(atoms):
                if a == axis and before <= lo and lo * m <= before * size:
                    used.append(k)
                    n *= m
        shape.append(n)
    rest = [k for k in range(len(atoms)) if k not in used]
    if not used:
        return "{replicated}"
    copies = 1
    for k in rest:
        copies *= atoms[k][2]
    perm = used + rest
    if order is not None:
        ids = _transposed(order, [a[2] for a in atoms], perm)
        devices = ",".join(map(str, ids))
    else:
        devices = "<=[" + ",".join(str(a[2]) for a in atoms) + "]" + ("T(" + ",".join(map(str, perm)) + ")" if perm != sorted(perm) else "")
    dims = shape + ([copies] if copies > 1 else [])
    return "{devices=[" + ",".join(map(str, dims)) + "]" + devices + (" last_tile_dim_replicate" if copies > 1 else "") + "}"


def _transposed(order, shape, perm):
    import numpy as np
    return np.asarray(order).reshape(shape).transpose(perm).reshape(-1).tolist()


def convert(text, mesh):
    """The same program in that style; only whole shardings over one mesh can be said."""
    ids = re.search(r"device_ids=\[([^\]]*)\]", text)
    order = [int(x) for x in ids[1].split(",")] if ids else None
    text = re.sub(r"  sdy\.mesh .*\n", "", text)
    text = re.sub(r"\{sdy\.sharding = #sdy\.sharding(<[^>]*>)\}", lambda m: f'{{mhlo.sharding = "{tiles(m[1], mesh, order)}"}}', text)

    def constraint(m):
        dims = re.findall(r"\{([^}]*)\}", m[3][m[3].index("["):m[3].rindex("]") + 1])
        open_dims = [str(i) for i, d in enumerate(dims) if "?" in d]
        config = f'backend_config = "unspecified_dims=[{",".join(open_dims)}]", ' if open_dims else ""
        return f'{m[1]} = stablehlo.custom_call @Sharding({m[2]}) {{{config}mhlo.sharding = "{tiles(m[3], mesh, order)}"}} : ({m[4]}) -> {m[4]}'
    return re.sub(r"(%\w+) = sdy\.sharding_constraint (\S+) (<[^>]*>) : (\S+)", constraint, text)
