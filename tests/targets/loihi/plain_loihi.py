"""The published equations of Loihi in plain Python integers, one compartment and one synapse at a time.

Written from the tables of the chip's arithmetic (Davies 2018; nengo-loihi, lava-nc and brian2-loihi agree), not
from the code under test: the independent side of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PlainGroup:
    """A population; lists of registers are one number a neuron."""

    size: int
    threshold: list[int]  # mantissas, times 64
    bias: list[int]
    initial: list[int]
    current_decay: list[int]
    voltage_decay: list[int]
    refractory: list[int]
    start: int = 0
    v_min: int = -(2**23) + 1
    v_max: int = 2**23 - 1
    subtract: bool = False
    reset_charge: list[int] = field(default_factory=list)
    spikes: list[list[int]] | None = None  # [tick][neuron], of a population that the host makes
    drive: list[list[int]] | None = None  # [tick][neuron]


@dataclass
class PlainSynapse:
    source: tuple[int, int]  # population, neuron
    target: tuple[int, int]
    mantissa: int
    exponent: int
    delay: int


def weight_of(mantissa: int, exponent: int) -> int:
    """floor(w * 2^e) * 64."""
    scaled = mantissa * 2**exponent if exponent >= 0 else mantissa // 2**-exponent
    return scaled * 64


def wrapped(value: int, bits: int) -> int:
    """Two's complement of ``bits`` magnitude bits and a sign bit."""
    value &= (1 << (bits + 1)) - 1
    return value - (1 << (bits + 1)) if value >> bits else value


def left_after(value: int, decay: int) -> int:
    """Value - sgn(value) * ceil(|value| * decay / 4096): the amount that decays is rounded away from zero."""
    amount = -(-abs(value) * decay // 4096)
    return value - amount if value >= 0 else value + amount


class PlainNeuron:
    """The registers of one neuron; reset by subtraction takes the charge away through the next tick's input."""

    def __init__(self, group: PlainGroup, index: int) -> None:
        self.group, self.index = group, index
        self.u, self.v, self.pause, self.fired = 0, group.initial[index], 0, False

    def tick(self, q: int, drive: int) -> None:
        group = self.group
        if group.subtract and self.fired:
            q -= group.reset_charge[self.index]
        self.u = wrapped(left_after(self.u, group.current_decay[self.index]) + wrapped(q, 21), 23)
        total = left_after(self.v, group.voltage_decay[self.index]) + self.u + group.bias[self.index] + drive
        total = min(max(total, group.v_min), group.v_max)
        self.fired = self.pause == 0 and total > group.threshold[self.index] * 64
        self.v = 0 if self.pause > 0 or (self.fired and not group.subtract) else total
        self.pause = group.refractory[self.index] - 1 if self.fired else max(self.pause - 1, 0)

    @property
    def reported(self) -> int:
        """The potential with the inhibition that is on its way taken away."""
        owes = self.group.subtract and self.fired
        return self.v - self.group.reset_charge[self.index] if owes else self.v


def run(
    groups: list[PlainGroup], synapses: list[PlainSynapse], ticks: int
) -> list[dict[str, list[list[int]]]]:
    """u, v and spikes [tick of the window][neuron] of every population."""
    sizes = [0 if group.spikes else group.size for group in groups]
    neurons = [
        [PlainNeuron(group, index) for index in range(size)]
        for group, size in zip(groups, sizes, strict=True)
    ]
    fired: list[list[list[int]]] = []  # [chip tick][population][neuron]
    found: list[dict[str, list[list[int]]]] = [{"u": [], "v": [], "spikes": []} for _ in groups]
    for tick in range(max(group.start for group in groups) + ticks):
        q = [[0] * group.size for group in groups]
        for synapse in synapses:
            emitted = tick - 1 - synapse.delay
            if emitted >= 0 and fired[emitted][synapse.source[0]][synapse.source[1]]:
                q[synapse.target[0]][synapse.target[1]] += weight_of(synapse.mantissa, synapse.exponent)
        now = [[0] * group.size for group in groups]
        for p, group in enumerate(groups):
            step = tick - group.start
            if 0 <= step < ticks:
                for i, neuron in enumerate(neurons[p]):
                    neuron.tick(q[p][i], group.drive[step][i] if group.drive else 0)
                now[p] = group.spikes[step] if group.spikes else [int(neuron.fired) for neuron in neurons[p]]
                found[p]["u"].append([neuron.u for neuron in neurons[p]])
                found[p]["v"].append([neuron.reported for neuron in neurons[p]])
                found[p]["spikes"].append(now[p])
        fired.append(now)
    return found
