#!/usr/bin/env python3
"""Writes FormatGolden.inc: what every code of every narrow float format means
(float bits, by ml_dtypes), and what it makes of values that overflow."""
import ml_dtypes
import numpy as np

NAMES = {
    "8E5M2": "float8_e5m2", "8E4M3": "float8_e4m3", "8E3M4": "float8_e3m4",
    "8E4M3FN": "float8_e4m3fn", "8E4M3FNUZ": "float8_e4m3fnuz",
    "8E4M3B11FNUZ": "float8_e4m3b11fnuz", "8E5M2FNUZ": "float8_e5m2fnuz",
    "8E8M0FNU": "float8_e8m0fnu", "6E2M3FN": "float6_e2m3fn",
    "6E3M2FN": "float6_e3m2fn", "4E2M1FN": "float4_e2m1fn",
}
OVERFLOW = np.array([np.inf, -np.inf, 3e38, -3e38], np.float32)

print("// Written by format_golden.py from ml_dtypes "
      f"{ml_dtypes.__version__}.")
for name, dtype in NAMES.items():
    t = getattr(ml_dtypes, dtype)
    count = 2**ml_dtypes.finfo(t).bits
    values = np.arange(count, dtype=np.uint8).view(t).astype(np.float32)
    with np.errstate(all="ignore"):
        over = OVERFLOW.astype(t).astype(np.float32)
    print(f'{{"{name}", {{', end="")
    print(",".join(hex(b) for b in values.view(np.uint32)), end="},{")
    print(",".join(hex(b) for b in over.view(np.uint32)), end="}},\n")
