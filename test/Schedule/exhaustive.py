"""Orders that shoal-overlap finds against the best of all orders, on small random graphs of kernels and permutes.

exhaustive.py SHOAL_OPT [COUNT]: fails if one takes over 5 % longer than the best, or longer than as written."""
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile

KERNEL_RATE, LINK_RATE = 1e9, 1e9
HARDWARE = {"name": "plain", "flops_per_second": 1e12, "memory_bytes_per_second": KERNEL_RATE, "memory_bytes": 1e12,
            "kernel_latency": 0, "collective_latency": 0,
            "links": [{"name": "link", "bytes_per_second": LINK_RATE, "latency": 0}]}


def graph(rng, count):
    """Nodes (kind, elements, operands); a permute has one operand, and its size."""
    nodes = []
    for i in range(count):
        if i and rng.random() < 0.45:
            source = rng.randrange(i)
            nodes.append(("permute", nodes[source][1], [source]))
        else:
            operands = rng.sample(range(i), min(i, rng.choice([0, 0, 1, 1, 2])))
            nodes.append(("kernel", rng.randint(1, 20) * 100000, operands))
    return nodes


def text(number, nodes):
    kernels, body = "", ""
    for i, (kind, n, operands) in enumerate(nodes):
        kernel, out = f"k{number}_{i}", f"tensor<{n}xf32>"
        types = [f"tensor<{nodes[o][1]}xf32>" for o in operands]
        if kind == "permute":
            body += f"  %{i} = comm.permute %{operands[0]} pairs = [[0, 1], [1, 0]] over <@m, {{\"x\"}}> {{reason = \"n{i}\"}} : {out}\n"
            continue
        # One element of each operand is read: what counts is what is written.
        args = ", ".join(f"%a{j}: {t}" for j, t in enumerate(types))
        read = "".join(f"  %s{j} = stablehlo.slice %a{j} [0:1] : ({t}) -> tensor<1xf32>\n" for j, t in enumerate(types))
        value = "%s0" if types else "%one"
        kernels += (f"plan.kernel @{kernel}({args}) -> ({out}) {{\n{read}"
                    f"  %one = stablehlo.constant dense<1.0> : tensor<1xf32>\n"
                    f"  %r = stablehlo.broadcast_in_dim {value}, dims = [0] : (tensor<1xf32>) -> {out}\n"
                    f"  plan.yield %r : {out}\n}}\n")
        body += (f"  %{i} = plan.launch @{kernel}({', '.join(f'%{o}' for o in operands)}) : "
                 f"({', '.join(types)}) -> {out}\n")
    results = ", ".join(f"%{i}" for i in range(len(nodes)))
    types = ", ".join(f"tensor<{n}xf32>" for _, n, _ in nodes)
    return f"{kernels}func.func @g{number}() -> ({types}) {{\n{body}  return {results} : {types}\n}}\n"


def makespan(nodes, order):
    """As the runtime does it: kernels one after the other; a collective, on the link, when all kernels issued before
    it are done; whoever reads its result waits, and to issue a collective that does, the device waits."""
    free, ready, end = {"kernel": 0.0, "permute": 0.0}, {}, 0.0
    for i in order:
        kind, n, operands = nodes[i]
        start = max([free["kernel"], free[kind]] + [ready[o] for o in operands])
        free["kernel"] = max([free["kernel"]] + [ready[o] for o in operands])
        ready[i] = free[kind] = start + 4 * n / (KERNEL_RATE if kind == "kernel" else LINK_RATE)
        end = max(end, ready[i])
    return end


def best(nodes):
    """The shortest of all orders, set by set: of two ways to have done the same nodes, one that is nowhere later will do."""
    users = [[j for j, (_, _, operands) in enumerate(nodes) if i in operands] for i in range(len(nodes))]
    states = {frozenset(): [((0.0, 0.0), (), 0.0)]}  # kernel and link free, ready (of what is still read), end
    for _ in nodes:
        after = {}
        for done, ways in states.items():
            for i, (kind, n, operands) in enumerate(nodes):
                if i in done or not all(o in done for o in operands):
                    continue
                now = done | {i}
                live = [o for o in sorted(now) if any(u not in now for u in users[o])]
                for (kernel, link), ready, end in ways:
                    ready = dict(ready)
                    arrived = max([0.0] + [ready[o] for o in operands])
                    start = max(kernel, arrived) if kind == "kernel" else max(kernel, link, arrived)
                    finish = start + 4 * n / (KERNEL_RATE if kind == "kernel" else LINK_RATE)
                    free = (finish, link) if kind == "kernel" else (max(kernel, arrived), finish)
                    ready[i] = finish
                    after.setdefault(now, []).append((free, tuple((o, ready[o]) for o in live), max(end, finish)))
        states = {}
        for done, ways in after.items():
            kept = []
            for way in sorted(ways, key=lambda w: (w[2], w[0])):
                later = lambda a, b: all(x >= y for x, y in zip((*a[0], a[2], *(t for _, t in a[1])), (*b[0], b[2], *(t for _, t in b[1]))))
                if not any(later(way, k) for k in kept):
                    kept.append(way)
            states[done] = kept
    return min(end for ways in states.values() for _, _, end in ways)


def main():
    tool, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    rng = random.Random(8)
    graphs = [graph(rng, rng.randint(5, 8)) for _ in range(count)] + [graph(rng, 12) for _ in range(count // 5)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as hardware:
        json.dump(HARDWARE, hardware)
        hardware.flush()
        module = 'shoal.mesh @m <["x"=2]>\n' + "".join(text(i, g) for i, g in enumerate(graphs))
        out = subprocess.run([tool, f"--shoal-overlap=hardware={hardware.name} memory-limit=1000000000000", "-"],
                             input=module, text=True, capture_output=True)
    if out.returncode:
        sys.exit(out.stderr)
    worst, gains = 0.0, []
    for number, (nodes, body) in enumerate(zip(graphs, out.stdout.split("func.func @g")[1:])):
        order = [int(a or b) for a, b in re.findall(r'plan.launch @k\d+_(\d+)|comm.permute.*reason = "n(\d+)"', body)]
        assert sorted(order) == list(range(len(nodes))), (number, order)
        ours, ideal, written = makespan(nodes, order), best(nodes), makespan(nodes, range(len(nodes)))
        worst = max(worst, ours / ideal - 1)
        gains.append(written / ours)
        if ours > written * (1 + 1e-9) or ours > ideal * 1.05:
            print(f"graph {number}: {ours:.6f}, best {ideal:.6f}, as written {written:.6f}: {nodes}")
    print(f"{len(graphs)} graphs: at most {worst:.1%} above the best; {max(gains):.2f} times faster than as written at most")
    sys.exit(worst > 0.05 or min(gains) < 1 - 1e-9)


main()
