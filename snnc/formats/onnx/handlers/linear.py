"""Fully connected maps: Gemm and MatMul."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import KEEP_BATCH, Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Array, Linear, Shape

PRODUCT = "it multiplies two values that both depend on the input (as attention and gates do)"
PRODUCT_REMEDY = "spiking neurons cannot multiply signals; use a network without it"


@operator("Gemm", 7)
def gemm(
    build: Builder,
    a: Value,
    b: Value,
    c: Value | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 - ONNX's name
    transB: int = 0,  # noqa: N803 - ONNX's name
) -> Signal:
    """Alpha A B + beta C with constant B and C."""
    if isinstance(a, Signal) and isinstance(b, Signal):
        raise Refusal(PRODUCT, PRODUCT_REMEDY)
    x, matrix = build.settle(signal(a, "A")), constant(b, "B")
    if transA:
        raise Refusal("it transposes its input, which mixes the samples", KEEP_BATCH, batch=True)
    with np.errstate(over="ignore", invalid="ignore"):
        weight = matrix if transB else matrix.T
        weight = weight if alpha == 1 else np.float64(alpha) * weight
        bias = None if c is None else np.float64(beta) * _bias(constant(c, "C"), weight.shape[0])
    return build.emit(Linear(np.asarray(weight), bias), x)


def _bias(c: Array, outputs: int) -> Array:
    if c.ndim == 2 and c.shape[0] != 1:
        raise Refusal("its C has values for each sample of a batch", KEEP_BATCH)
    return np.broadcast_to(c.reshape(c.shape[-1:]), (outputs,))


@operator("MatMul")
def mat_mul(build: Builder, a: Value, b: Value) -> Signal:
    """Product with a constant matrix on either side."""
    if isinstance(a, Signal) and isinstance(b, Signal):
        raise Refusal(PRODUCT, PRODUCT_REMEDY)
    if isinstance(a, Constant):
        return _times_columns(build, constant(a, "matrix"), signal(b, "input"))
    return _times_rows(build, signal(a, "input"), constant(b, "matrix"))


def _matrix(array: Array, axes: int) -> Array:
    while array.ndim > 2 and array.ndim <= axes and array.shape[0] == 1:
        array = array[0]
    if array.ndim > 2:
        raise Refusal("it multiplies with a stack of matrices", "use one matrix for all")
    return array


def _times_rows(build: Builder, x: Signal, array: Array) -> Signal:
    matrix = _matrix(array, len(x.shape) + 1)
    columns = matrix.reshape(matrix.shape[0], -1)
    result = build.emit(Linear(columns.T), build.settle(x))
    return result if matrix.ndim == 2 else build.reshape(result, result.shape[:-1], "squeeze")


def _times_columns(build: Builder, array: Array, x: Signal) -> Signal:
    if len(x.shape) < 2:
        raise Refusal("it sums over the batch", KEEP_BATCH, batch=True)
    matrix = _matrix(array, len(x.shape) + 1)
    rows = matrix.reshape(-1, matrix.shape[-1])
    swap: Shape = (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)
    result = build.emit(Linear(rows), build.settle(build.transpose(x, swap)))
    result = build.transpose(result, swap)
    return (
        result
        if matrix.ndim == 2
        else build.reshape(result, (*result.shape[:-2], result.shape[-1]), "squeeze")
    )
