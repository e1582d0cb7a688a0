"""Generators of single operations, by subject."""
from . import contraction, indexing, movement, others, reduction

GENERATORS = contraction.GENERATORS + reduction.GENERATORS + indexing.GENERATORS + movement.GENERATORS + others.GENERATORS
