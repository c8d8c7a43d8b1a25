"""The limits of a TrueNorth chip, the widths of its registers, and every choice where no source decides.

Facts and choices of the arithmetic, in one place. Sources: Merolla 2014 (Science 345, with supplement), Akopyan 2015
(TCAD 34), Cassidy 2013 (IJCNN) as read by NeMo and RANC. What follows is not settled by any of them; each choice is
the plain reading of the equations:

1. *Overflow.* The potential has 20 bits. A tick's synaptic sum and leak are added without loss and the result then
   saturates, once, at -2^19 and 2^19 - 1, before it is compared. No reset can leave that range.
2. *Leak reversal* adds sgn(V) * leak with sgn(0) = 0 and may cross zero: it is not stopped there (NeMo stops it).
3. *Sign of the leak*: a signed leak is added (Cassidy 2013, RANC), not taken away (Merolla table S2).
4. *Stochastic synapse and leak* add sgn(s) where abs(s) >= rho, and else 0. rho is uniform over 1..256, so that the
   probability is exactly abs(s) / 256.
5. *Stochastic threshold*: eta is the low ``mask_bits`` bits of a random number, uniform over 0..2^mask_bits - 1, one
   draw a neuron and tick, the same on the positive and the negative side.
6. *Widths* of thresholds (18 bits, unsigned), leak (9 bits, signed), mask (0..18 bits) and the exponent of the
   reset potential (0..19).
7. *The generator* of the chip is not public: ``random.py`` documents the one used here instead. Runs with stochastic
   neurons therefore agree with the chip in distribution, not bit by bit.
8. *Delay*: a spike of tick t with delay d is integrated in tick t + d.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrueNorthLimits:
    """Constants of one chip, after Merolla et al. 2014 unless another source is named.

    Attributes:
        mesh: cores along each side of the chip's square of cores.
        axons, neurons: of a core.
        axon_types: of a core; the type of an axon selects one of a neuron's as many weights.
        weight: smallest and largest weight, 9 bits signed.
        leak: smallest and largest leak, 9 bits signed (choice 6).
        threshold: largest positive and largest negative threshold, 18 bits (choice 6).
        mask_bits: largest width of the threshold's random part (choice 6).
        reset_exponent: largest e of a reset potential +-(2^e - 1) (coding: NeMo; width: choice 6).
        potential: smallest and largest potential, 20 bits signed.
        delay: smallest and largest delay in ticks (Akopyan 2015, section V-D).
        distance: how many cores a spike may travel along x and along y, on this chip or others.
    """

    mesh: int = 64
    axons: int = 256
    neurons: int = 256
    axon_types: int = 4
    weight: tuple[int, int] = (-256, 255)
    leak: tuple[int, int] = (-256, 255)
    threshold: int = 2**18 - 1
    mask_bits: int = 18
    reset_exponent: int = 19
    potential: tuple[int, int] = (-(2**19), 2**19 - 1)
    delay: tuple[int, int] = (1, 15)
    distance: int = 255

    @property
    def cores(self) -> int:
        """Cores of a chip."""
        return self.mesh**2


TRUENORTH = TrueNorthLimits()

AXONS = TRUENORTH.axons
NEURONS = TRUENORTH.neurons
AXON_TYPES = TRUENORTH.axon_types
CROSSBAR_BYTES = NEURONS // 8
"""Bytes of a crossbar's row: one bit a neuron."""

SCHEDULER_TICKS = 16
"""Rows of a core's scheduler, one a tick (Akopyan 2015, section V-D)."""

RANDOM_BITS = 8
"""A random number that decides over a weight or leak is uniform over 1..2^8 (choice 4)."""
