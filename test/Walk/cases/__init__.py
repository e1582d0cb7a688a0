"""Programs of one op each, for every op class with a sharding rule: one file a subject."""
from . import elementwise, shape, contraction, windows, reduction, indexed, ordered, control, chlo_ops  # noqa: F401
from .base import CASES, Sizes, t  # noqa: F401
