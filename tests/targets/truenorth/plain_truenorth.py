"""The published equations of TrueNorth in plain Python integers, one axon, neuron and spike at a time.

Written from the table of the chip's arithmetic (Merolla 2014, Akopyan 2015, Cassidy 2013 as read by NeMo) and from
the documented choices and generator, not from the code under test: the independent side of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WORD = 2**64


@dataclass
class PlainNeuron:
    weights: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # S_j[0..3]
    stochastic: list[bool] = field(default_factory=lambda: [False] * 4)  # b_j[0..3]
    leak: int = 0  # lambda
    leak_reversal: bool = False  # epsilon
    stochastic_leak: bool = False  # c
    alpha: int = 2**18 - 1
    beta: int = 2**18 - 1
    mask_bits: int = 0  # TM
    gamma: int = 1
    kappa: int = 1
    reset: int = 0  # R
    v: int = 0
    stream: int = 0
    target: tuple[int, int, int] | None = None  # core, axon, delay


@dataclass
class PlainCore:
    types: list[int]  # G_i of every axon
    connected: list[list[int]]  # [axon][neuron]
    neurons: list[PlainNeuron]


def finalise(z: int) -> int:
    """SplitMix64's."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def draw(seed: int, sample: int, stream: int, tick: int, number: int) -> int:
    """64 random bits."""
    gamma = 0x9E3779B97F4A7C15
    state = finalise((seed + gamma) % WORD)
    for part in (sample, stream, tick):
        state = finalise((state + gamma * (part + 1)) % WORD)
    return finalise((state + gamma * (number + 1)) % WORD)


def sign(value: int) -> int:
    return 1 if value > 0 else -1 if value < 0 else 0


def passes(value: int, bits: int) -> bool:
    """abs(s) >= rho, rho uniform over 1..256."""
    return abs(value) >= bits // 2**56 + 1


def tick_neuron(neuron: PlainNeuron, arrived: list[tuple[int, int]], where: tuple[int, int, int]) -> bool:
    """One tick for the (axon, type) pairs that arrived at a connected axon; ``where``: seed, sample, tick."""
    seed, sample, tick = where

    def bits(number: int) -> int:
        return draw(seed, sample, neuron.stream, tick, number)

    total = neuron.v
    for axon, kind in arrived:
        weight = neuron.weights[kind]
        if neuron.stochastic[kind]:
            weight = sign(weight) if passes(weight, bits(axon)) else 0
        total += weight
    leak = neuron.leak
    if neuron.stochastic_leak:
        leak = sign(leak) if passes(leak, bits(256)) else 0
    omega = sign(total) if neuron.leak_reversal else 1
    total += omega * leak
    total = max(-(2**19), min(2**19 - 1, total))
    eta = bits(257) // 2 ** (64 - neuron.mask_bits) if neuron.mask_bits else 0
    alpha, beta, kappa = neuron.alpha, neuron.beta, neuron.kappa
    if total >= alpha + eta:
        neuron.v = {0: neuron.reset, 1: total - (alpha + eta), 2: total}[neuron.gamma]
        return True
    if total < -(beta * kappa + (beta + eta) * (1 - kappa)):
        mirrored = {0: -neuron.reset, 1: total + (beta + eta), 2: total}[neuron.gamma]
        total = -beta * kappa + mirrored * (1 - kappa)
    neuron.v = total
    return False


def run(
    cores: list[PlainCore], given: dict[int, list[tuple[int, int]]], ticks: int, seed: int, sample: int
) -> tuple[list[list[list[int]]], list[list[list[bool]]]]:
    """Potentials and spikes [tick][core][neuron]; ``given``: (core, axon) of the host's spikes by tick of arrival."""
    waiting: dict[int, set[tuple[int, int]]] = {tick: set(places) for tick, places in given.items()}
    potentials, spikes = [], []
    for tick in range(ticks):
        present = waiting.pop(tick, set())
        fired: list[list[bool]] = []
        for number, core in enumerate(cores):
            row = []
            for index, neuron in enumerate(core.neurons):
                arrived = [
                    (axon, core.types[axon])
                    for axon in range(len(core.types))
                    if (number, axon) in present and core.connected[axon][index]
                ]
                row.append(tick_neuron(neuron, arrived, (seed, sample, tick)))
            fired.append(row)
        for number, core in enumerate(cores):
            for index, neuron in enumerate(core.neurons):
                if fired[number][index] and neuron.target is not None:
                    to, axon, delay = neuron.target
                    waiting.setdefault(tick + delay, set()).add((to, axon))
        potentials.append([[neuron.v for neuron in core.neurons] for core in cores])
        spikes.append(fired)
    return potentials, spikes
