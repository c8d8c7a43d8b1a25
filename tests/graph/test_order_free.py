"""Sums that choices hang on have the same bits in any order of adding up, and a program with any BLAS."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from snnc.graph.operators.base import Array
from snnc.graph.order_free import order_free

RNG = np.random.default_rng(3)

PROGRAM = """
import hashlib
import numpy as np, snnc
from snnc.graph import Conv, Flatten, Graph, Input, Linear, Output, Relu
rng = np.random.default_rng(0)
graph = Graph("g").add("in", Input((2, 9, 9))).add("w1", Conv(rng.normal(size=(12, 2, 3, 3)) / 4), "in")
graph = graph.add("r1", Relu(), "w1").add("f", Flatten(), "r1").add("w2", Linear(rng.normal(size=(60, 588)) / 20), "f")
graph = graph.add("r2", Relu(), "w2").add("w3", Linear(rng.normal(size=(9, 60)) / 8), "r2").add("out", Output(), "w3")
x = rng.random((40, 2, 9, 9))
for target, width in (("loihi", 4), ("truenorth", 3)):
    compiled = snnc.compile(graph, target=target, calibration=x, weight_bits=width, ticks=16)
    digest = hashlib.sha256()
    for node in compiled.graph:
        for name, value in sorted(vars(node.operator).items()):
            held = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            digest.update(name.encode() + held)
    print(digest.hexdigest())
"""


def _in_reverse(left: Array, right: Array) -> Array:
    """The product added up one term after the other, from the last."""
    terms = left[..., ::-1, None] * right[..., ::-1, :]
    return np.asarray(np.add.accumulate(terms, axis=-2)[..., -1, :])


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_order(slices: int, dtype: type) -> None:
    scales = 10.0 ** RNG.integers(-4, 5, 300)
    left, right = (RNG.normal(size=(20, 300)) * scales).astype(dtype), RNG.normal(size=(300, 7)).astype(dtype)
    assert ((left @ right) != _in_reverse(left, right)).any()
    steady = order_free(np.matmul, slices)(left, right)
    assert steady.dtype == dtype
    assert (steady == order_free(_in_reverse, slices)(left, right)).all()
    assert (order_free(np.matmul, slices)(left[3:5], right) == steady[3:5]).all()


@pytest.mark.parametrize(("slices", "bits"), [(1, 19), (2, 39)])
def test_it_is_the_product(slices: int, bits: int) -> None:
    left, right = RNG.normal(size=(2, 6, 90)), RNG.normal(size=(90, 5))
    exact = np.asarray(left.astype(np.longdouble) @ right.astype(np.longdouble), np.float64)
    room = 90 * np.abs(left).max(axis=-1, keepdims=True) * np.abs(right).max(axis=0)
    assert (np.abs(order_free(np.matmul, slices)(left, right) - exact) <= room * 2.0**-bits).all()


def test_no_terms_and_zeros() -> None:
    assert order_free(np.matmul, 2)(np.zeros((2, 0)), np.zeros((0, 3))).tolist() == [[0.0] * 3] * 2
    assert order_free(np.matmul, 2)(np.zeros((2, 4)), np.ones((4, 3))).tolist() == [[0.0] * 3] * 2


@pytest.mark.skipif(
    "openblas" not in str(np.show_config(mode="dicts")).lower(), reason="numpy's BLAS is another one"
)
def test_programs_are_the_same_with_the_kernels_of_another_processor() -> None:
    """OpenBLAS's own kernels for processors without AVX and with it, which add up in other orders."""
    digests = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "OPENBLAS_CORETYPE": core},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for core in ("Nehalem", "Haswell")
    ]
    assert digests[0] == digests[1]
