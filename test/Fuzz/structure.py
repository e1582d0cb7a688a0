"""Generators of generate.py with regions: manual ones with collectives, loops
and branches that depend on data, calls; and a few functions of chlo.

They are drawn in the wider programs only (seeds from 1,000,000 on).
"""
from program import Value, _product, is_num, kind_of, literal, nums, same_shape_pair, tensor


# ---------------------------------------------------------------- manual regions

class Manual:
    """A value inside a manual region: per dimension the manual axes, major to minor, that cut it.

    Each step appends lines for the region (local shapes) and lines that compute
    the same from the whole value (`plain`), of global shape.
    """

    def __init__(self, p, a, mesh, manual, dims):
        self.p, self.mesh, self.sizes, self.manual = p, mesh, dict(mesh), manual
        self.dims, self.shape, self.dtype, self.bound = dims, list(a.shape), a.dtype, a.bound
        self.inside, self.plain = [], []
        self.name, self.whole = p.fresh(), a.name
        self.free = [x for x, _ in mesh if x not in manual]
        self.active = manual    # axes that steps may use: those of the innermost region
        self.channel = 0

    def cut(self, d):
        return _product(self.sizes[x] for x in self.dims[d])

    @property
    def local(self):
        return [n // self.cut(d) for d, n in enumerate(self.shape)]

    def types(self):
        return tensor(self.local, self.dtype), tensor(self.shape, self.dtype)

    def groups(self, axis):
        """Device ids that differ along the axis only."""
        names = [x for x, _ in self.mesh]
        strides, n = {}, 1
        for x, size in reversed(self.mesh):
            strides[x], n = n, n * size
        rest = [0]
        for x in names:
            if x != axis:
                rest = [r + i * strides[x] for r in rest for i in range(self.sizes[x])]
        groups = [[r + i * strides[axis] for i in range(self.sizes[axis])] for r in rest]
        return groups

    def handle(self):
        self.channel += 1
        return f"channel_handle = #stablehlo.channel_handle<handle = {self.p.counter + self.channel}, type = 1>"

    def groups_attr(self, axis):
        g = self.groups(axis)
        return f"replica_groups = dense<{g}> : tensor<{len(g)}x{len(g[0])}xi64>"

    def both(self, line):
        """The same operation on the local and on the whole value: line(operand, type)."""
        local, whole = self.types()
        new = self.p.fresh(), self.p.fresh()
        self.inside.append(f"{new[0]} = {line(self.name, local)}")
        self.plain.append(f"{new[1]} = {line(self.whole, whole)}")
        self.name, self.whole = new

    def into(self, text, whole_lines=()):
        """Appends an operation of the region; plain ones as (name, text) pairs, the last being the value."""
        self.name = self.p.fresh()
        self.inside.append(f"{self.name} = {text}")
        for name, line in whole_lines:
            self.plain.append(f"{name} = {line}")
            self.whole = name

    def times(self, factor):
        p, t = self.p, tensor(self.shape, self.dtype)
        c, m = p.fresh(), p.fresh()
        self.bound *= factor
        return [(c, f"stablehlo.constant dense<{literal(factor, self.dtype)}> : {t}"), (m, f"stablehlo.multiply {self.whole}, {c} : {t}")]

    def reducer(self, op="add"):
        t = tensor((), self.dtype)
        x, y, r = (self.p.fresh() for _ in range(3))
        return f"({{\n      ^bb0({x}: {t}, {y}: {t}):\n        {r} = stablehlo.{op} {x}, {y} : {t}\n        stablehlo.return {r} : {t}\n      }})"

    # -------- steps

    def elementwise(self):
        op = self.p.rng.choice(["add", "maximum", "subtract", "negate"])
        if op == "add":
            self.bound *= 2
        self.both(lambda x, t: f"stablehlo.{op} {x}{'' if op == 'negate' else ', ' + x} : {t}")

    def split(self, d, axis):
        """Reshape of the whole value to (before, axis, local after): shape and name's text."""
        at = self.dims[d].index(axis)
        before = _product(self.sizes[x] for x in self.dims[d][:at])
        size = self.sizes[axis]
        shape = self.shape[:d] + [before, size, self.shape[d] // before // size] + self.shape[d + 1:]
        name = self.p.fresh()
        return shape, name, f"stablehlo.reshape {self.whole} : ({tensor(self.shape, self.dtype)}) -> {tensor(shape, self.dtype)}"

    def sum_over(self, axis):
        """all_reduce: over blocks, where the axis cuts a dimension, else over copies."""
        p = self.p
        d = next((d for d, xs in enumerate(self.dims) if axis in xs), None)
        local, _ = self.types()
        op = f'"stablehlo.all_reduce"({self.name}) <{{{self.handle()}, {self.groups_attr(axis)}, use_global_device_ids}}> {self.reducer()} : ({local}) -> {local}'
        if d is None:
            self.into(op, self.times(self.sizes[axis]))
            return
        shape, split, text = self.split(d, axis)
        summed = shape[:d + 1] + shape[d + 2:]
        joined = self.shape[:d] + [self.shape[d] // self.sizes[axis]] + self.shape[d + 1:]
        zero, r, j = p.fresh(), p.fresh(), p.fresh()
        lines = [(split, text), (zero, f"stablehlo.constant dense<{literal(0, self.dtype)}> : {tensor((), self.dtype)}"),
                 (r, f"stablehlo.reduce({split} init: {zero}) applies stablehlo.add across dimensions = [{d + 1}] : ({tensor(shape, self.dtype)}, {tensor((), self.dtype)}) -> {tensor(summed, self.dtype)}"),
                 (j, f"stablehlo.reshape {r} : ({tensor(summed, self.dtype)}) -> {tensor(joined, self.dtype)}")]
        self.into(op, lines)
        self.shape = joined
        self.dims[d].remove(axis)
        self.bound *= self.sizes[axis]

    def gather(self, d):
        axis = self.dims[d][-1]
        local, _ = self.types()
        self.dims[d].pop()
        to, _ = self.types()
        self.into(f'"stablehlo.all_gather"({self.name}) <{{all_gather_dim = {d} : i64, {self.handle()}, {self.groups_attr(axis)}, use_global_device_ids}}> : ({local}) -> {to}')

    def scatter(self, axis, d):
        """reduce_scatter of copies: each block of the sum of as many."""
        local, _ = self.types()
        lines = self.times(self.sizes[axis])
        self.dims[d].append(axis)
        to, _ = self.types()
        self.into(f'"stablehlo.reduce_scatter"({self.name}) <{{{self.handle()}, {self.groups_attr(axis)}, scatter_dimension = {d} : i64, use_global_device_ids}}> {self.reducer()} : ({local}) -> {to}', lines)

    def exchange(self, d, e):
        """all_to_all: the minor axis of one dimension goes to another."""
        axis = self.dims[d][-1]
        local, _ = self.types()
        self.dims[d].pop()
        self.dims[e].append(axis)
        to, _ = self.types()
        self.into(f'"stablehlo.all_to_all"({self.name}) <{{{self.handle()}, concat_dimension = {d} : i64, {self.groups_attr(axis)}, split_count = {self.sizes[axis]} : i64, split_dimension = {e} : i64}}> : ({local}) -> {to}')

    def shift(self, d, axis):
        """collective_permute to the next ones; those at the end get zeros, or what the other end has."""
        p = self.p
        local, whole = self.types()
        n = self.sizes[axis]
        by, around = p.rng.randint(1, n - 1), p.rng.random() < 0.5
        pairs = [[g[i], g[(i + by) % n]] for g in self.groups(axis) for i in range(n) if around or i + by < n]
        shape, split, text = self.split(d, axis)
        t = tensor(shape, self.dtype)
        lines = [(split, text)]
        moved, joined = p.fresh(), p.fresh()
        if around:
            def part(lo, hi):
                name = p.fresh()
                sub = shape[:d + 1] + [hi - lo] + shape[d + 2:]
                cut = ", ".join(f"{lo}:{hi}" if i == d + 1 else f"0:{s}" for i, s in enumerate(shape))
                lines.append((name, f"stablehlo.slice {split} [{cut}] : ({t}) -> {tensor(sub, self.dtype)}"))
                return name, tensor(sub, self.dtype)
            (x, tx), (y, ty) = part(n - by, n), part(0, n - by)
            lines.append((moved, f"stablehlo.concatenate {x}, {y}, dim = {d + 1} : ({tx}, {ty}) -> {t}"))
        else:
            zero = p.fresh()
            low = [by if i == d + 1 else 0 for i in range(len(shape))]
            lines += [(zero, f"stablehlo.constant dense<{literal(0, self.dtype)}> : {tensor((), self.dtype)}"),
                      (moved, f"stablehlo.pad {split}, {zero}, low = {nums(low)}, high = {nums(-x for x in low)}, interior = {nums([0] * len(shape))} : ({t}, {tensor((), self.dtype)}) -> {t}")]
        lines.append((joined, f"stablehlo.reshape {moved} : ({t}) -> {whole}"))
        self.into(f'"stablehlo.collective_permute"({self.name}) <{{{self.handle()}, source_target_pairs = dense<{pairs}> : tensor<{len(pairs)}x2xi64>}}> : ({local}) -> {local}', lines)

    def constrain(self):
        """Free axes somewhere, for the compiler to choose the rest."""
        axes, dims = list(self.free), [[] for _ in self.shape]
        self.p.rng.shuffle(axes)
        for x in axes:
            if dims and self.p.rng.random() < 0.7:
                dims[self.p.rng.randrange(len(dims))].append(f'"{x}"')
        local, _ = self.types()
        self.into(f"sdy.sharding_constraint {self.name} <@mesh, [{', '.join('{' + ', '.join(d) + '}' for d in dims)}]> : {local}")

    def step(self):
        rng = self.p.rng
        way = rng.choice(["elementwise", "sum", "sum", "gather", "scatter", "exchange", "shift", "constrain", "nested"])
        cut = [d for d, xs in enumerate(self.dims) if xs and xs[-1] in self.active]
        idle = [x for x in self.active if not any(x in xs for xs in self.dims)]
        if way == "sum":
            self.sum_over(rng.choice(self.active))
        elif way == "gather" and cut:
            self.gather(rng.choice(cut))
        elif way == "scatter" and idle:
            axis = rng.choice(idle)
            fits = [d for d, n in enumerate(self.local) if n % self.sizes[axis] == 0]
            if fits:
                self.scatter(axis, rng.choice(fits))
        elif way == "exchange" and cut:
            d = rng.choice(cut)
            fits = [e for e, n in enumerate(self.local) if e != d and n % self.sizes[self.dims[d][-1]] == 0]
            if fits:
                self.exchange(d, rng.choice(fits))
        elif way == "shift" and cut:
            d = rng.choice(cut)
            axis = rng.choice([x for x in self.dims[d] if x in self.active])
            if self.sizes[axis] > 1:
                self.shift(d, axis)
        elif way == "constrain" and self.free:
            self.constrain()
        elif way == "nested" and self.free:
            self.nested()
        else:
            self.elementwise()

    def nested(self):
        """A region inside: some of the free axes become manual too, minor to those that are."""
        rng, p = self.p.rng, self.p
        inner = [x for x in self.free if rng.random() < 0.7] or [rng.choice(self.free)]
        outer_type, before = self.types()[0], (self.active, self.free, self.inside)
        for x in rng.sample(inner, len(inner)):
            fits = [d for d, n in enumerate(self.local) if n % self.sizes[x] == 0]
            if fits and rng.random() < 0.85:
                self.dims[rng.choice(fits)].append(x)
        self.active, self.free, self.inside = inner, [x for x in self.free if x not in inner], []
        operand, self.name, result = self.name, p.fresh(), p.fresh()
        argument, local, into = self.name, self.types()[0], self.sharding()
        for _ in range(rng.randint(1, 3)):
            self.step()
        to, out = self.types()[0], self.sharding()
        lines = self.inside + [f"sdy.return {self.name} : {to}"]
        self.active, self.free, self.inside = before
        self.dims = [[x for x in xs if x not in inner] for xs in self.dims]
        names = ", ".join(f'"{x}"' for x in inner)
        self.inside.append(f"{result} = sdy.manual_computation({operand}) in_shardings=[{into}] out_shardings=[{out}] manual_axes={{{names}}} "
                           f"({argument}: {local}) {{\n        " + "\n        ".join(lines) + f"\n      }} : ({outer_type}) -> {self.types()[0]}")
        self.name = result

    def sharding(self):
        """Of the innermost region's boundary."""
        tail = ', ?' if self.free and self.p.rng.random() < 0.5 else ''
        cut = [[f'"{x}"' for x in xs if x in self.active] for xs in self.dims]
        dims = ["{" + ", ".join(xs) + (tail if xs else tail[2:]) + "}" for xs in cut]
        idle = [f'"{x}"' for x, _ in self.mesh if x in self.active and not any(x in xs for xs in self.dims)]
        return f"<@mesh, [{', '.join(dims)}]{f', replicated={{{chr(44).join(idle)}}}' if idle else ''}>"


def manual_region(p):
    if not p.ordered:
        return False
    a = p.pick(lambda v: is_num(v) and v.exact and len(v.shape) >= 1 and v.bound < 1e3 and v.size <= 2048)
    if a is None:
        return False
    axes = [x for x, _ in p.mesh]
    manual = [x for x in axes if p.rng.random() < 0.7] or [p.rng.choice(axes)]
    if p.rng.random() < 0.5:   # A value that fits.
        n = _product(s for x, s in p.mesh if x in manual)
        shape = tuple(p.rng.choice([n, 2 * n, 1, 3]) for _ in range(p.rng.randint(1, 3)))
        i = p.emit(f"stablehlo.iota dim = {p.rng.randrange(len(shape))} : {tensor(shape, a.dtype)}", a.dtype, shape, True, max(shape))
        a = p.emit(f"sdy.sharding_constraint {i.name} {p.sharding(shape)} : {i.type}", a.dtype, shape, True, max(shape))
    sizes, dims, left = dict(p.mesh), [[] for _ in a.shape], list(a.shape)
    order = list(manual)
    p.rng.shuffle(order)
    for x in order:
        fits = [d for d, n in enumerate(left) if n % sizes[x] == 0]
        if fits and p.rng.random() < 0.85:
            d = p.rng.choice(fits)
            dims[d].append(x)
            left[d] //= sizes[x]
    m = Manual(p, a, p.mesh, manual, dims)
    argument, local = m.name, m.types()[0]
    before = m.sharding()
    for _ in range(p.rng.randint(1, 4)):
        m.step()
    result, (to, whole) = p.fresh(), m.types()
    body = "\n      ".join(m.inside + [f"sdy.return {m.name} : {to}"])
    sharded = (f"{result} = sdy.manual_computation({a.name}) in_shardings=[{before}] out_shardings=[{m.sharding()}] manual_axes={{{', '.join(f'{chr(34)}{x}{chr(34)}' for x in manual)}}} "
               f"({argument}: {local}) {{\n      {body}\n    }} : ({a.type}) -> {whole}")
    plain = "\n    ".join(m.plain + [f"{result} = stablehlo.reshape {m.whole} : ({whole}) -> {whole}"])
    p.lines.append((sharded, plain))
    p.values.append(Value(result, a.dtype, tuple(m.shape), True, m.bound))


# ---------------------------------------------------------------- control flow that depends on data

def total(p, v):
    """Lines and name of a scalar i32 made from all of a value."""
    zero, s = p.const(literal(0, v.dtype), v.dtype), p.fresh()
    dims = list(range(len(v.shape)))
    return zero, s, f"{s} = stablehlo.reduce({{}} init: {zero}) applies stablehlo.add across dimensions = {nums(dims)} : ({v.type}, {tensor((), v.dtype)}) -> {tensor((), v.dtype)}"


def data_loop(p):
    """While the sum of a carried value is small, at most four times: two carried values change places, one grows."""
    a, b = same_shape_pair(p, lambda v: is_num(v) and v.exact and v.bound < 100 and v.size <= 1024)
    if a is None or not b.exact or b.bound >= 100:
        return False
    limit = p.const(literal(p.rng.choice([1, 20, 100]), a.dtype), a.dtype)
    zero, steps, one = p.const(0, "i32"), p.const(4, "i32"), p.const(1, "i32")
    i, x, y, q, c, both, t, out, j = (p.fresh() for _ in range(9))
    _, s, line = total(p, a)
    grown, kind = t, kind_of(a)
    body = [f"{t} = stablehlo.add {x}, {y} : {a.type}"]
    if p.rng.random() < 0.5 and a.shape:
        grown = p.fresh()
        body.append(f"{grown} = sdy.sharding_constraint {t} {p.sharding(a.shape)} : {a.type}")
    ts = tensor((), a.dtype)
    text = (f"{out}:3 = stablehlo.while({i} = {zero}, {x} = {a.name}, {y} = {b.name}) : tensor<i32>, {a.type}, {a.type}\n    cond {{\n"
            f"      {line.format(x)}\n      {q} = stablehlo.compare LT, {s}, {limit}, {kind} : ({ts}, {ts}) -> tensor<i1>\n"
            f"      {c} = stablehlo.compare LT, {i}, {steps}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>\n"
            f"      {both} = stablehlo.and {q}, {c} : tensor<i1>\n      stablehlo.return {both} : tensor<i1>\n    }} do {{\n      "
            + "\n      ".join(body) + f"\n      {j} = stablehlo.add {i}, {one} : tensor<i32>\n      stablehlo.return {j}, {y}, {grown} : tensor<i32>, {a.type}, {a.type}\n    }}")
    p.lines.append(text)
    bound = 8 * max(a.bound, b.bound)
    p.values += [Value(f"{out}#0", "i32", (), True, 4), Value(f"{out}#1", a.dtype, a.shape, True, bound), Value(f"{out}#2", a.dtype, a.shape, True, bound)]


def choice(p):
    """A case (or an if) whose index is computed from a sharded value; branches differ in what they do and how they are sharded."""
    a, b = same_shape_pair(p, lambda v: is_num(v) and v.exact and v.bound < 1e4)
    if a is None or not b.exact:
        return False
    source = p.pick(lambda v: v.dtype == "i32" and v.exact)
    if source is None:
        return False
    if source.shape:
        _, s, line = total(p, source)
        p.lines.append(line.format(source.name))
    else:
        s = source.name
    t = a.type
    ways = [f"stablehlo.add {a.name}, {b.name} : {t}", f"stablehlo.maximum {a.name}, {b.name} : {t}", f"stablehlo.subtract {b.name}, {a.name} : {t}"]
    if a.shape:
        ways += [f"stablehlo.reverse {a.name}, dims = [{p.rng.randrange(len(a.shape))}] : {t}", f"sdy.sharding_constraint {b.name} {p.sharding(a.shape)} : {t}"]
    out, mod, index = p.fresh(), p.const(5, "i32"), p.fresh()
    p.lines.append(f"{index} = stablehlo.remainder {s}, {mod} : tensor<i32>")
    count = p.rng.randint(1, 4)
    branches = []
    for _ in range(count):
        r = p.fresh()
        branches.append(f"{{\n      {r} = {p.rng.choice(ways)}\n      stablehlo.return {r} : {t}\n    }}")
    if count == 2 and p.rng.random() < 0.6:
        predicate, two = p.fresh(), p.const(2, "i32")
        p.lines.append(f"{predicate} = stablehlo.compare LT, {index}, {two}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>")
        p.lines.append(f'{out} = "stablehlo.if"({predicate}) ({", ".join(branches)}) : (tensor<i1>) -> {a.type}')
    else:
        p.lines.append(f'{out} = "stablehlo.case"({index}) ({", ".join(branches)}) : (tensor<i32>) -> {a.type}')
    p.values.append(Value(out, a.dtype, a.shape, True, a.bound + b.bound))


def call(p):
    """A private function called twice, as JAX prints inner jits; constraints inside."""
    a, b = same_shape_pair(p, lambda v: is_num(v) and v.exact and v.bound < 1e4)
    if a is None or not b.exact:
        return False
    name = f"inner_{p.counter}"
    x, y, r, s, t = "%x", "%y", "%r", "%s", a.type
    last = f"    {s} = sdy.sharding_constraint {r} {p.sharding(a.shape)} : {t}\n" if a.shape and p.rng.random() < 0.7 else f"    {s} = stablehlo.negate {r} : {t}\n"
    p.functions.append(f"  func.func private @{name}({x}: {t}, {y}: {t}) -> {t} {{\n    {r} = stablehlo.{p.rng.choice(['add', 'maximum'])} {x}, {y} : {t}\n{last}    return {s} : {t}\n  }}\n")
    bound = a.bound + b.bound
    one = p.emit(f"call @{name}({a.name}, {b.name}) : ({t}, {t}) -> {t}", a.dtype, a.shape, True, bound)
    if p.rng.random() < 0.5:
        p.emit(f"func.call @{name}({b.name}, {one.name}) : ({t}, {t}) -> {t}", a.dtype, a.shape, True, bound + b.bound)


# ---------------------------------------------------------------- a few functions

def special(p):
    a = p.pick(lambda v: v.dtype in ("f32", "f64") and v.bound <= 100)
    if a is None:
        return False
    op = p.rng.choice(["chlo.erf", "chlo.erfc", "chlo.atan", "chlo.asinh", "chlo.square", "stablehlo.exponential", "stablehlo.cbrt", "stablehlo.log_plus_one"])
    bound, steep = {"chlo.erfc": (2.0, 2), "chlo.asinh": (6.0, 1), "chlo.atan": (2.0, 1), "chlo.erf": (1.0, 2), "chlo.square": (a.bound ** 2, 2 * a.bound)}.get(op, (a.bound, 1))
    source = a.name
    if op in ("stablehlo.exponential", "stablehlo.cbrt", "stablehlo.log_plus_one"):   # Where they are smooth.
        source, bound, steep = p.emit(f"stablehlo.logistic {a.name} : {a.type}", a.dtype, a.shape, False, 1.0, a.err * max(1.0, a.bound) + 4).name, 3.0, 3
        if op == "stablehlo.cbrt":
            return True
    t = a.type
    p.emit(f"{op} {source} : {t} -> {t}" if op.startswith("chlo") else f"{op} {source} : {t}", a.dtype, a.shape, op == "chlo.square" and a.exact, bound, (a.err * max(1.0, a.bound) + 8) * steep)


def barrier(p):
    a = p.pick(lambda v: True)
    b = p.pick(lambda v: True)
    if a is b:
        p.emit(f"stablehlo.optimization_barrier {a.name} : {a.type}", a.dtype, a.shape, a.exact, a.bound, a.err)
        return
    name = p.fresh()
    p.lines.append(f"{name}:2 = stablehlo.optimization_barrier {a.name}, {b.name} : {a.type}, {b.type}")
    for i, v in enumerate((a, b)):
        p.values.append(Value(f"{name}#{i}", v.dtype, v.shape, v.exact, v.bound, v.err))


def integer_ops(p):
    a, b = same_shape_pair(p, lambda v: v.dtype.lstrip("u").startswith("i") and v.dtype != "i1")
    if a is None:
        return False
    op = p.rng.choice(["and", "or", "xor", "not", "popcnt", "count_leading_zeros", "shift_left", "shift_right_logical", "divide", "remainder"])
    if op == "popcnt" and int(a.dtype.lstrip("ui")) < 8:
        op = "not"   # XLA counts the sign bits of the byte that an i4 is kept in.
    if op in ("divide", "remainder"):   # XLA's folding of constants ends the process at a division by zero.
        c = p.const(3, a.dtype)
        b = p.emit(f"stablehlo.broadcast_in_dim {c}, dims = [] : ({tensor((), a.dtype)}) -> {a.type}", a.dtype, a.shape, True, 3)
    operands = a.name if op in ("not", "popcnt", "count_leading_zeros") else f"{a.name}, {b.name}"
    bound = 2.0 ** 31 if a.dtype == "i32" else 1e18
    if op in ("divide", "remainder", "popcnt", "count_leading_zeros"):
        bound = max(a.bound, 64)
    p.emit(f"stablehlo.{op} {operands} : {a.type}", a.dtype, a.shape, True, bound)


GENERATORS = [manual_region] * 4 + [data_loop] * 2 + [choice] * 2 + [call, special, barrier, integer_ops]
