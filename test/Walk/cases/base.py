"""Programs of one op each, for every op class with a sharding rule.

A case is a function of a `Sizes`, which scales and unevens dimensions; it gives
arguments, results, and the text in between, in which `$a0` is an argument,
`$r0` a result and any other `$name` a value of its own.
"""
from dataclasses import dataclass


@dataclass
class Sizes:
    """`z(8)` is a dimension of some 8 elements; `w(8)` one that other numbers
    depend on. Scaled for compiling alone, uneven or not."""
    scale: int = 1
    uneven: bool = False

    def __call__(self, n):
        return n * self.scale - (1 if self.uneven else 0)


@dataclass
class Arg:
    shape: tuple
    dtype: str = "f32"
    limit: int = 4      # integers in [-limit, limit]; indices: [-2, limit + 1]
    index: bool = False
    spd: bool = False   # symmetric positive definite in the last two dimensions
    tri: bool = False   # lower triangular, diagonal away from 0


@dataclass
class Case:
    args: list
    results: list  # (shape, dtype)
    body: str
    tolerance: float = 0.0
    # JAX's compiler does not know the op, or does otherwise than the specification
    # says: Shoal on one device judges.
    own_judge: bool = False


def tensor(shape, dtype="f32"):
    return "tensor<" + "".join(f"{d}x" for d in shape) + dtype + ">"


def t(x):
    return tensor(x.shape, x.dtype) if isinstance(x, Arg) else tensor(*x)


CASES = {}


def case(op):
    def add(f):
        CASES[f.__name__.rstrip("_")] = (op, f)
        return f
    return add


def simple(op, args, results, attrs="", tolerance=0.0):
    """One op in generic form."""
    names = ", ".join(f"$a{i}" for i in range(len(args)))
    outs = ", ".join(f"$r{i}" for i in range(len(results)))
    types = ", ".join(t(a) for a in args)
    rtypes = ", ".join(t(r) for r in results)
    return Case(args, results, f'{outs} = "{op}"({names}){attrs} : ({types}) -> ({rtypes})', tolerance)


def region(args, op, dtype="f32"):
    """` ({ op })` over two scalars."""
    s = tensor((), dtype)
    return f"({{ ^bb0($x: {s}, $y: {s}): $z = stablehlo.{op} $x, $y : {s}\n stablehlo.return $z : {s} }})"
