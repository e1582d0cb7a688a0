#!/usr/bin/env python3
"""Writes Coefficients.h: near-minimax polynomials (Chebyshev interpolation in
60 digits, then rounded) for the reduced arguments of the scalar functions.

Run it by hand after changing an interval or a degree; needs mpmath:
    python3 coefficients.py > Coefficients.h
"""
import numpy as np
from mpmath import mp, mpf, chebyfit, polyval, log, exp, sin, cos, tanh, atan
from mpmath import sqrt, pi, ln

mp.dps = 60


R = ln(2) / 2 * mpf("1.01")
SMAX = ((sqrt(2) - 1) / (sqrt(2) + 1))**2 * mpf("1.01")
TRIG = (pi / 4)**2 * mpf("1.01")
TANH = mpf("0.625")**2
TAN8 = (sqrt(2) - 1)**2 * mpf("1.01")


def expm1_tail(r):  # (e^r - 1 - r) / r^2
    return mp.nsum(lambda k: r**k / mp.factorial(k + 2), [0, 40])


def atanh_tail(z, first):  # sum 2/(2k+first) z^k
    return mp.nsum(lambda k: 2 * z**k / (2 * k + first), [0, 60])


def sin_tail(z):  # (sin r - r) / r^3
    return mp.nsum(lambda k: -(-z)**k / mp.factorial(2 * k + 3), [0, 20])


def cos_tail(z):  # (cos r - 1 + r^2/2) / r^4
    return mp.nsum(lambda k: (-z)**k / mp.factorial(2 * k + 4), [0, 20])


def tanh_tail(z):  # (tanh x - x) / x^3
    x = sqrt(z)
    if x < mpf(10)**-8:
        return mpf(-1) / 3
    return (tanh(x) - x) / x**3


def atan_tail(z):  # (atan x - x) / x^3
    x = sqrt(z)
    if x < mpf(10)**-8:
        return mpf(-1) / 3
    return (atan(x) - x) / x**3


# name, what it approximates, function, interval, terms for float and double
TABLE = [
    ("expm1", "(e^r - 1 - r) / r^2, |r| <= ln2/2", expm1_tail, [-R, R], 6, 11),
    ("log", "(log((1+s)/(1-s)) - 2s) / s^3, z = s^2, s <= (sqrt2-1)/(sqrt2+1)",
     lambda z: atanh_tail(z, 3), [0, SMAX], 4, 8),
    ("log5", "(log((1+s)/(1-s)) - 2s - 2/3 s^3) / s^5, z = s^2",
     lambda z: atanh_tail(z, 5), [0, SMAX], 3, 9),
    ("sin", "(sin r - r) / r^3, z = r^2, |r| <= pi/4", sin_tail, [0, TRIG], 3, 7),
    ("cos", "(cos r - 1 + r^2/2) / r^4, z = r^2, |r| <= pi/4", cos_tail,
     [0, TRIG], 3, 7),
    ("tanh", "(tanh x - x) / x^3, z = x^2, |x| <= 0.625", tanh_tail,
     [0, TANH], 6, 12),
    ("atan", "(atan x - x) / x^3, z = x^2, |x| <= tan(pi/8)", atan_tail,
     [0, TAN8], 5, 11),
]

print("""// Polynomial coefficients, lowest order first. Written by coefficients.py.
#ifndef SHOAL_KERNELMATH_COEFFICIENTS_H
#define SHOAL_KERNELMATH_COEFFICIENTS_H

namespace shoal::math {

template <typename T> struct Coefficients;
""")
for typ, np_type, col in (("float", np.float32, 4), ("double", np.float64, 5)):
    print(f"template <> struct Coefficients<{typ}> {{")
    for name, what, f, interval, *terms in TABLE:
        n = terms[col - 4]
        c, err = chebyfit(f, interval, n, error=True)
        c = c[::-1]
        print(f"  // {what}: error 2^{float(mp.log(err, 2)):.1f}")
        print(f"  static constexpr {typ} {name}[{n}] = {{")
        for x in c:
            v = np_type(float(x)) if np_type is np.float64 else np_type(mp.nstr(x, 20))
            print(f"      {float(v).hex()}{'f' if typ == 'float' else ''},")
        print("  };")
    print("};\n")
print("""} // namespace shoal::math

#endif // SHOAL_KERNELMATH_COEFFICIENTS_H""")
