"""Matrix products whose bits are the same on every machine, whatever the order in which a BLAS adds up.

Choices of the compiler (scales, roundings, widths) hang on such sums: with another processor's rounding in the last
bit, a rate or a weight could fall on the other side of a step, and the program be another.
"""

from __future__ import annotations

import numpy as np

from .operators.base import Array, Product

_MANTISSA = 53
"""Bits of a float64."""


def order_free(product: Product, slices: int) -> Product:
    """A product that is computed in slices of few bits, such that each partial product is exact in any order.

    The scheme of Ozaki, Ogita, Oishi and Rump (2012), "Error-free transformations of matrix multiplication by using
    fast routines of matrix multiplication": rows of the left factor and columns of the right one are cut into
    slices of b bits, 2 b + log2(terms) <= 53, counted from the largest magnitude of the row or column.

    Args:
        product: of float64 arrays, with the meaning of ``numpy.matmul``.
        slices: of each factor, about 21 bits each; what is left behind the last is dropped. Products of slices whose
            numbers add up to ``slices`` or more are below that and dropped too.

    Returns:
        A product that gives the dtype of its left factor, with the same bits for a row among any number of rows.
    """

    def evaluate(left: Array, right: Array) -> Array:
        """``numpy.matmul`` of float32 or float64 arrays of finite numbers."""
        terms = max(left.shape[-1], 1)
        bits = (_MANTISSA - int(np.ceil(np.log2(terms)))) // 2
        first = _slices(left, -1, bits, slices)
        second = _slices(right, -2, bits, slices)
        result = np.zeros((), np.float64)
        for level in reversed(range(slices)):
            for number in range(level + 1):
                if number < len(first) and level - number < len(second):
                    result = result + product(first[number], second[level - number])
        return result.astype(left.dtype, copy=False)

    return evaluate


STEADY_PRODUCT = order_free(np.matmul, 1)
"""For the float32 values of an ANN, from which scales and ranges are chosen."""


def _slices(values: Array, axis: int, bits: int, most: int) -> list[Array]:
    """Float64 arrays that add up to ``values`` but for what is left; those that hold nothing are left out."""
    rest = values.astype(np.float64)
    if not rest.size:
        return [rest]
    # Adding and subtracting 3/2 of 2^52 units rounds to whole units, ties to even.
    unit = np.ldexp(1.0, np.frexp(np.abs(rest).max(axis=axis, keepdims=True))[1] - bits)
    parts: list[Array] = []
    for number in range(most):
        big = 1.5 * 2.0 ** (_MANTISSA - 1) * unit * 2.0 ** (-bits * number)
        part = (rest + big) - big
        parts.append(part)
        rest = rest - part
        if not rest.any():
            break
    return parts
