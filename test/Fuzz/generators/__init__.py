"""Generators of operations, by subject.

Each takes the program under construction, picks operands that suit it, and
appends one line of MLIR; it returns False where no operand suits. To add an
operation, write one generator and put its name in GENERATORS (generate.py).
"""
