"""The words that options take, an Enum for each; nothing is imported, so that the command line starts at once."""

from __future__ import annotations

from enum import Enum


class Reset(Enum):
    """What a spike does to the potential: ``ZERO`` sets it to 0, ``SUBTRACT`` takes the threshold away."""

    ZERO = "zero"
    SUBTRACT = "subtract"


class InputMode(Enum):
    """Where the samples become currents or spikes.

    ``NEURONS``: input neurons on the chip, driven by a bias current. ``HOST``: the linear maps in front of the
    first population are computed off the chip and given as bias. ``POISSON``: spikes made by the host.
    """

    NEURONS = "neurons"
    HOST = "host"
    POISSON = "poisson"


class BalancingMethod(Enum):
    """How the scale of an activation is chosen, see ``snnc.passes.BalanceThresholds``."""

    AUTO = "auto"
    MODEL = "model"
    DATA = "data"
    PERCENTILE = "percentile"
    TICKS = "ticks"
    SYNTHETIC = "synthetic"


class Initial(Enum):
    """Potential of a neuron before the first tick.

    ``half`` a threshold rounds the rate for a constant input (Bu 2022), ``zero`` floors it. ``balanced`` takes
    half where the input is constant and less where spikes come in: those arrive unevenly, and spikes fired on an
    early surplus are not taken back, which adds to the rate what the lower start takes off.
    """

    BALANCED = "balanced"
    HALF = "half"
    ZERO = "zero"


class Calibration(Enum):
    """What a converted network is fitted to.

    ``activations``: thresholds to the ANN's activations alone. ``spikes``: then thresholds, initial potentials, biases
    and weights, layer by layer, to the spikes that the layers before really send, see
    ``snnc.passes.CalibrateOnSpikes``.
    """

    SPIKES = "spikes"
    ACTIVATIONS = "activations"


class PoolMethod(Enum):
    """How max-pooling is replaced, see ``snnc.passes.ReplaceMaxPool``."""

    EXACT = "exact"
    AVERAGE = "average"
    GATE = "gate"


class ReadBy(Enum):
    """How the answer is read: by the last layer's potential or by counting its spikes."""

    POTENTIAL = "potential"
    COUNT = "count"


class PlacementMethod(Enum):
    """How cores are placed on the mesh: to keep messages short, along a curve, or row by row in dataflow order."""

    TRAFFIC = "traffic"
    CURVE = "curve"
    ROWS = "rows"
