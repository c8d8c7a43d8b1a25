"""The limits of a Loihi 1 chip and the widths of its registers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoihiLimits:
    """Constants of one chip, after Davies et al. 2018 (IEEE Micro) unless another source is named.

    Attributes:
        cores: neuromorphic cores a chip (p. 86).
        compartments: compartments a core (p. 86).
        input_axons: distribution lists a core (p. 89, constraint 4).
        output_axons: core-to-core edges a core (p. 89, constraint 3).
        synapse_bits: synaptic memory a core, 16384 words of 64 bits (p. 89, constraint 2).
        threshold_tables: thresholds a core; nengo-loihi checks for 16 in one place and 8 in another: the lower.
        compartment_profiles: sets of decays and refractory period a core (nengo-loihi); not measured on a chip.
        synapse_formats: formats a core; the 4-bit number of one in the head of every list names 16 (nengo-loihi).
        compartment_bases: first compartments that an axon may name (nengo-loihi).
        maximum_delay: ticks of synaptic delay; guaranteed up to 8 with 1024 compartments, 62 with fewer (p. 92).
        bias_mantissa, bias_exponent: largest magnitude and exponent of a bias (nengo-loihi, lava-nc).
        threshold_mantissa: largest mantissa of a threshold, in steps of 64 (nengo-loihi, lava-nc).
        refractory: longest refractory period in ticks (nengo-loihi).
    """

    cores: int = 128
    compartments: int = 1024
    input_axons: int = 4096
    output_axons: int = 4096
    synapse_bits: int = 16384 * 64
    threshold_tables: int = 8
    compartment_profiles: int = 32
    synapse_formats: int = 16
    compartment_bases: int = 256
    maximum_delay: int = 62
    bias_mantissa: int = 4095
    bias_exponent: int = 7
    threshold_mantissa: int = 131071
    refractory: int = 63


LOIHI = LoihiLimits()

UNIT = 64
"""Weights and thresholds are multiples of 2^6 in units of the potential (nengo-loihi, lava-nc)."""

SYNAPTIC_SUM_BITS = 21
"""Magnitude bits of a tick's synaptic sum, which wraps (nengo-loihi Q_BITS)."""

CURRENT_BITS = 23
"""Magnitude bits of the synaptic current, which wraps (nengo-loihi U_BITS, lava-nc)."""

DECAY_UNIT = 4096
"""A decay of 4096 forgets everything in one tick (12-bit registers)."""

LARGEST_POTENTIAL = 2**23 - 1
"""Potentials saturate here on both sides (lava-nc; nengo-loihi's bounds)."""
