"""The published equations of Loihi in plain Python integers, one compartment and one synapse at a time.

Written from the tables of the chip's arithmetic (Davies 2018; nengo-loihi, lava-nc and brian2-loihi agree), not
from the code under test: the independent side of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PlainGroup:
    """A population: registers are one number for all, or one a neuron."""

    size: int
    threshold: list[int]  # mantissas, times 64
    bias: list[int]
    initial: list[int]
    start: int = 0
    current_decay: int = 4096
    voltage_decay: int = 0
    refractory: int = 1
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
    """value - sgn(value) * ceil(|value| * decay / 4096): the amount that decays is rounded away from zero."""
    amount = -(-abs(value) * decay // 4096)
    return value - amount if value >= 0 else value + amount


def run(
    groups: list[PlainGroup], synapses: list[PlainSynapse], ticks: int
) -> list[dict[str, list[list[int]]]]:
    """u, v and spikes [tick of the window][neuron] of every population."""
    last = max(group.start for group in groups) + ticks
    u = [[0] * group.size for group in groups]
    v = [list(group.initial) for group in groups]
    pause = [[0] * group.size for group in groups]
    fired: list[list[list[int]]] = []  # [chip tick][population][neuron]
    found: list[dict[str, list[list[int]]]] = [{"u": [], "v": [], "spikes": []} for _ in groups]
    for tick in range(last):
        q = [[0] * group.size for group in groups]
        for synapse in synapses:
            emitted = tick - 1 - synapse.delay
            if emitted >= 0 and fired[emitted][synapse.source[0]][synapse.source[1]]:
                q[synapse.target[0]][synapse.target[1]] += weight_of(synapse.mantissa, synapse.exponent)
        now = [[0] * group.size for group in groups]
        for p, group in enumerate(groups):
            step = tick - group.start
            if not 0 <= step < ticks:
                continue
            if group.spikes is not None:
                now[p] = list(group.spikes[step])
                found[p]["spikes"].append(now[p])
                continue
            reported = []
            for i in range(group.size):
                if group.subtract and step > 0 and fired[tick - 1][p][i]:
                    q[p][i] -= group.reset_charge[i]
                u[p][i] = wrapped(left_after(u[p][i], group.current_decay) + wrapped(q[p][i], 21), 23)
                drive = group.drive[step][i] if group.drive is not None else 0
                total = left_after(v[p][i], group.voltage_decay) + u[p][i] + group.bias[i] + drive
                total = min(max(total, group.v_min), group.v_max)
                if pause[p][i] > 0:
                    total = 0
                if total > group.threshold[i] * 64 and pause[p][i] == 0:
                    now[p][i] = 1
                    pause[p][i] = group.refractory - 1
                    v[p][i] = total if group.subtract else 0
                    reported.append(total - group.reset_charge[i] if group.subtract else 0)
                else:
                    pause[p][i] = max(pause[p][i] - 1, 0)
                    v[p][i] = total
                    reported.append(total)
            found[p]["u"].append(list(u[p]))
            found[p]["v"].append(reported)
            found[p]["spikes"].append(now[p])
        fired.append(now)
    return found
