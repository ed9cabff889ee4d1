"""Discrete Fourier transforms as sequences of additions and multiplications by constants.

Values are anything with `+`, `-` and `*`: vectors of generated code, or NumPy arrays. A complex value is a pair of real
and imaginary part; None is a part that is known to be zero. Decimation in time with the radices 4, 2, 3, 5 and 7
(Cooley and Tukey 1965); transforms of real values compute only the frequencies that symmetry does not give (Sorensen
et al. 1987).
"""

import math
from collections.abc import Sequence
from typing import Any

Complex = tuple[Any, Any]
ROOT_HALF = math.sqrt(0.5)


def complex_dft(values: Sequence[Complex], sign: int = -1) -> list[Complex]:
    """Return sum_s values[s] exp(sign 2 pi i k s / n) for each of n frequencies k."""
    n = len(values)
    radix = _radix(n)
    if radix == n:
        return _butterfly(values, sign)
    rest = n // radix
    parts = [complex_dft(values[j::radix], sign) for j in range(radix)]
    spectrum: list[Any] = [None] * n
    for k in range(rest):
        spectrum[k::rest] = complex_dft([_turned(parts[j][k], j * k, n, sign) for j in range(radix)], sign)
    return spectrum


def real_dft(values: Sequence[Any]) -> list[Complex]:
    """Return the frequencies 0 to n // 2 of n real values; that of 0, and of n / 2, are real."""
    n = len(values)
    radix = _radix(n)
    if radix == n:
        return _butterfly([(value, None) for value in values], -1)[: n // 2 + 1]
    rest = n // radix
    parts = [real_dft(values[j::radix]) for j in range(radix)]
    spectrum: list[Any] = [None] * (n // 2 + 1)
    for k in range(rest // 2 + 1):
        turned = [_turned(parts[j][k], j * k, n, -1) for j in range(radix)]
        found = complex_dft(turned) if k else real_dft([re for re, _ in turned])
        for q, value in enumerate(found):
            if k + rest * q <= n // 2:
                spectrum[k + rest * q] = value
            elif 2 * k != rest:
                spectrum[n - k - rest * q] = _conjugate(value)
    for k in (0, n // 2) if n % 2 == 0 else (0,):
        spectrum[k] = (spectrum[k][0], None)
    return spectrum


def inverse_real_dft(spectrum: Sequence[Complex], n: int) -> list[Any]:
    """Return sum_k spectrum[k] exp(2 pi i k s / n) over all n frequencies, given those from 0 to n // 2."""

    def frequency(k: int) -> Complex:
        return spectrum[k] if k <= n // 2 else _conjugate(spectrum[n - k])

    radix = _radix(n)
    if radix == n:
        return [re for re, _ in _butterfly([frequency(k) for k in range(n)], 1)]
    rest = n // radix
    parts: list[list[Any]] = [[] for _ in range(radix)]
    for k in range(rest // 2 + 1):
        gathered = [frequency(k + rest * q) for q in range(radix)]
        if k:
            found = complex_dft(gathered, 1)
        else:
            found = [(re, None) for re in inverse_real_dft(gathered[: radix // 2 + 1], radix)]
        for j, value in enumerate(found):
            re, im = _turned(value, j * k, n, 1)
            parts[j].append((re, None if 2 * k in (0, rest) else im))
    values: list[Any] = [None] * n
    for j, part in enumerate(parts):
        values[j::radix] = inverse_real_dft(part, rest)
    return values


def _radix(n: int) -> int:
    """Return the radix of the last stage; n itself if it has no smaller one."""
    if n % 4 == 0 and n > 4:
        return 4
    return next((radix for radix in (2, 3, 5, 7) if n % radix == 0), n)


def _butterfly(values: Sequence[Complex], sign: int) -> list[Complex]:
    """Return the transform of a prime number of values; frequencies k and n - k share their products."""
    n = len(values)
    if n == 1:
        return list(values)
    if n == 2:
        return [_plus(*values), _minus(*values)]
    half = range(1, (n + 1) // 2)
    sums = [_plus(values[k], values[n - k]) for k in half]
    differences = [_minus(values[k], values[n - k]) for k in half]
    total = values[0]
    for pair in sums:
        total = _plus(total, pair)
    spectrum: list[Any] = [total] + [None] * (n - 1)
    for k in half:
        even: Complex = values[0]
        odd: Complex = (None, None)
        for s, (plus, minus) in enumerate(zip(sums, differences, strict=True), start=1):
            angle = 2 * math.pi * (k * s % n) / n
            even = _plus(even, _scaled(plus, math.cos(angle)))
            odd = _plus(odd, _scaled(minus, sign * math.sin(angle)))
        turned = (_times(odd[1], -1), odd[0])
        spectrum[k], spectrum[n - k] = _plus(even, turned), _minus(even, turned)
    return spectrum


def _turned(value: Complex, k: int, n: int, sign: int) -> Complex:
    """Multiply by exp(sign 2 pi i k / n), exactly for multiples of a quarter turn."""
    re, im = value
    k = sign * k % n
    match 4 * k / n:
        case 0:
            return value
        case 1:
            return _times(im, -1), re
        case 2:
            return _times(re, -1), _times(im, -1)
        case 3:
            return im, _times(re, -1)
    if 8 * k % n == 0:
        eighth = 8 * k // n
        # Signs of the cosine and the sine, both of magnitude sqrt(1/2).
        right, up = 1 if eighth in (1, 7) else -1, 1 if eighth in (1, 3) else -1
        turned = _less(_times(re, right), _times(im, up)), _sum(_times(re, up), _times(im, right))
        return _scaled(turned, ROOT_HALF)
    cosine, sine = math.cos(2 * math.pi * k / n), math.sin(2 * math.pi * k / n)
    return _less(_times(re, cosine), _times(im, sine)), _sum(_times(re, sine), _times(im, cosine))


def _sum(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _less(a: Any, b: Any) -> Any:
    return a if b is None else -b if a is None else a - b


def _times(a: Any, factor: float) -> Any:
    return None if a is None else a if factor == 1 else -a if factor == -1 else a * factor


def _plus(a: Complex, b: Complex) -> Complex:
    return _sum(a[0], b[0]), _sum(a[1], b[1])


def _minus(a: Complex, b: Complex) -> Complex:
    return _less(a[0], b[0]), _less(a[1], b[1])


def _scaled(a: Complex, factor: float) -> Complex:
    return _times(a[0], factor), _times(a[1], factor)


def _conjugate(a: Complex) -> Complex:
    return a[0], _times(a[1], -1)
