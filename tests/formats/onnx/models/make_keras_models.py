"""Writes the small models of this folder whose names start with ``keras``: channel-last networks of Keras 3.

Run once a backend, which is in the models' names: ``KERAS_BACKEND=tensorflow python make_keras_models.py``
(Keras 3.15, TensorFlow 2.21, tf2onnx 1.17: it exports through tf2onnx) and ``KERAS_BACKEND=torch`` (torch
2.13). Weights are random, with a fixed seed; batch norm gets statistics other than its initial ones.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).parent


def images() -> keras.Model:
    """Strided convolutions with "same" padding, batch norm before and after, ReLU6, global mean, softmax."""
    return keras.Sequential(
        [
            layers.Input((14, 14, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4, activation="softmax"),
        ]
    )


def branches() -> keras.Model:
    """Rescaled input, a residual depthwise branch, zero padding, concatenation, flattened channel-last."""
    start = layers.Input((8, 8, 3))
    x = layers.ReLU()(layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255)(start)))
    y = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.ReLU()(layers.Add()([x, y]))
    strided = layers.Conv2D(4, 3, strides=2)(layers.ZeroPadding2D(1)(x))
    joined = layers.Concatenate()([strided, layers.AveragePooling2D(2)(x)])
    return keras.Model(start, layers.Dense(3)(layers.Flatten()(joined)))


def series() -> keras.Model:
    """Convolutions over one axis, channel-last."""
    return keras.Sequential(
        [
            layers.Input((20, 2)),
            layers.Conv1D(4, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(4, 3, dilation_rate=2, activation="relu"),
            layers.SeparableConv1D(4, 3),
            layers.ReLU(),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3),
        ]
    )


def main() -> None:
    """Write all models with the backend in use."""
    backend = keras.backend.backend()
    for make in (images, branches, series):
        keras.utils.set_random_seed(0)
        model = make()
        generator = np.random.default_rng(0)
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.set_weights([generator.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
        model(np.zeros((2, *model.input_shape[1:]), np.float32))
        model.export(FOLDER / f"keras_{backend}_{make.__name__}.onnx", format="onnx", verbose=False)


if __name__ == "__main__":
    main()
