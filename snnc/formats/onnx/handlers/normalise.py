"""Batch normalisation."""

from __future__ import annotations

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import BatchNorm

TRAINING = "it normalises with the statistics of the batch (training mode)"
EVALUATE = "export the model in evaluation mode (model.eval() in PyTorch, training=False in Keras)"


@operator("BatchNormalization", 9, 13)
def batch_normalization_by_outputs(
    build: Builder,
    x: Value,
    scale: Value,
    b: Value,
    mean: Value,
    var: Value,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
) -> Signal:
    """As ``batch_normalization``; more than one output means training mode."""
    training_mode = int(build.current_outputs > 1)
    return batch_normalization(build, x, scale, b, mean, var, epsilon=epsilon, training_mode=training_mode)


@operator("BatchNormalization", 14)
def batch_normalization(
    build: Builder,
    x: Value,
    scale: Value,
    b: Value,
    mean: Value,
    var: Value,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Signal:
    """Normalisation with fixed statistics; ``momentum`` matters in training only."""
    if training_mode:
        raise Refusal(TRAINING, EVALUATE)
    names = ("scale", "bias", "mean", "variance")
    gamma, beta, center, variance = (
        constant(value, name) for value, name in zip((scale, b, mean, var), names, strict=True)
    )
    if not (variance + epsilon > 0).all():
        raise Refusal("its variance is negative or not a number", "export the model again")
    moved = build.settle(signal(x, "input"))
    return build.emit(BatchNorm(gamma, beta, center, variance, float(epsilon)), moved)
