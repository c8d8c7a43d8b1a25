"""CalibrateOnSpikes: nearer to the ANN than before, on spikes that are those of the functional simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.choices import Reset
from snnc.graph import Add, AvgPool, Conv, Flatten, Graph, Input, Linear, Output, Relu, evaluate
from snnc.graph.neurons import IF
from snnc.graph.operators import Clip, Scale
from snnc.passes import BalanceThresholds, CalibrateOnSpikes, ConvertToSpiking, EncodeInput
from snnc.passes._layerwise import SpikeTrains
from snnc.passes._least_squares import corrected, sampled_inputs
from snnc.passes._rate_fit import decoded_rates, fit_rates
from snnc.passes.encode_input import Coding
from snnc.pipeline import Context, Pass, Pipeline
from snnc.simulate import simulate

EXAMPLES = Path(__file__).parents[2] / "examples"
TICKS = 8


def residual_network(seed: int = 3) -> Graph:
    random = np.random.default_rng(seed)

    def convolution(channels_in: int, channels_out: int) -> Conv:
        weight = random.normal(0, np.sqrt(2 / (9 * channels_in)), (channels_out, channels_in, 3, 3))
        bias = random.normal(0, 0.1, channels_out)
        return Conv(weight.astype(np.float32), bias.astype(np.float32), pads=((1, 1), (1, 1)))

    return (
        Graph("residual")
        .add("x", Input((2, 6, 6)))
        .add("conv1", convolution(2, 4), "x")
        .add("relu1", Relu(), "conv1")
        .add("conv2", convolution(4, 4), "relu1")
        .add("relu2", Clip(0.0, 6.0), "conv2")
        .add("conv3", convolution(4, 4), "relu2")
        .add("sum", Add(), "conv3", "relu1")
        .add("relu3", Relu(), "sum")
        .add("pool", AvgPool((2, 2), (2, 2)), "relu3")
        .add("flat", Flatten(), "pool")
        .add("hidden", Linear(random.normal(0, 0.2, (12, 36)).astype(np.float32)), "flat")
        .add("relu4", Relu(), "hidden")
        .add("last", Linear(random.normal(0, 0.3, (5, 12)).astype(np.float32)), "relu4")
        .add("out", Output(), "last")
    )


def samples(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 2, 6, 6), np.float32)


def converted(graph: Graph, calibration: np.ndarray | None, *steps: Pass, **choices: object) -> Graph:
    passes = (
        BalanceThresholds(per_channel=True, ticks=TICKS),
        ConvertToSpiking(**choices),  # type: ignore[arg-type]
        EncodeInput(Coding.RATE),
        *steps,
    )
    return Pipeline(passes, None).run(graph, Context(calibration))[0]


@pytest.mark.parametrize("weights", [False, True])
def test_unseen_samples_are_decoded_nearer_to_the_ann(weights: bool) -> None:
    graph, unseen = residual_network(), samples(200, 2)
    wanted = evaluate(graph, unseen)
    errors = []
    for steps in ((), (CalibrateOnSpikes(TICKS, weights),)):
        spiking = converted(graph, samples(256, 1), *steps)
        errors.append(float(np.sqrt(np.square(simulate(spiking, unseen, TICKS).output - wanted).mean())))
    assert errors[1] < 0.85 * errors[0]


def test_it_runs_populations_as_the_functional_simulator_does() -> None:
    spiking, x = converted(residual_network(), samples(64, 1)), samples(7, 4)
    trains = SpikeTrains(snnc.graph.samples.Samples.of(spiking, x), TICKS)
    expected = simulate(spiking, x, TICKS, record=("spikes", "current"))
    for node in spiking.populations:
        current = trains.currents(spiking, node.name, slice(0, 7))
        np.testing.assert_allclose(
            np.broadcast_to(current, expected.current[node.name].shape),
            expected.current[node.name],
            atol=1e-5,
        )
        trains.fire(spiking, node.name)
        assert (trains._spikes(node.name, slice(2, 5)) == expected.spikes[node.name][2:5]).mean() > 0.999


def test_what_spikes_stand_for_moves_with_the_threshold() -> None:
    spiking = converted(residual_network(), samples(128, 1), CalibrateOnSpikes(TICKS))
    assert any("calibrated" in node.name for node in spiking)
    for name in ("relu1", "relu2", "relu3", "relu4"):
        neuron = spiking[name].operator
        assert isinstance(neuron, IF)
        for reader in spiking.consumers[name]:
            scale = spiking[reader].operator
            assert isinstance(scale, Scale)
            np.testing.assert_allclose(scale.factor, neuron.threshold, rtol=1e-6)


def test_nothing_is_calibrated_where_there_is_nothing_to_go_by() -> None:
    step, graph, x = CalibrateOnSpikes(TICKS), residual_network(), samples(16, 1)
    spiking = converted(graph, x)
    assert step(spiking, Context(x)) is spiking  # no ANN that it came from
    assert step(spiking, Context(None, ann=graph)) is spiking
    to_zero = converted(graph, x, reset=Reset.ZERO)
    calibrated = CalibrateOnSpikes(TICKS, weights=False)(to_zero, Context(x, ann=graph))
    assert all(
        getattr(node.operator, "threshold", None) is getattr(to_zero[node.name].operator, "threshold", None)
        for node in calibrated.populations
    )


def test_a_fit_is_the_best_of_what_the_simulator_says_of_its_neighbours() -> None:
    random = np.random.default_rng(5)
    currents = random.normal(0.3, 0.4, (TICKS, 3, 200)).astype(np.float32)
    wanted = np.maximum(currents.mean(axis=0), 0)
    threshold = np.array([0.8, 1.0, 1.2], np.float32)
    fit = fit_rates(currents, wanted, threshold, alike=False)

    def error(factor: np.ndarray, start: np.ndarray, bias: np.ndarray) -> np.ndarray:
        level = (threshold * factor)[:, None]
        graph = (
            Graph("neurons")
            .add("x", Input((3,)))
            .add("if", IF(level[:, 0], Reset.SUBTRACT, level[:, 0] * start), "x")
            .add("out", Output(), "if")
        )
        moving = currents.transpose(2, 0, 1) + bias
        rates = simulate(graph, moving, TICKS, record=("spikes",)).spikes["if"].mean(axis=1)
        return np.asarray(np.square(rates.T * level - wanted).mean(axis=1))

    chosen = error(fit.factor, fit.start, fit.bias)
    for factor in (0.7, 1.0, 1.15):
        for start in (0.1, 0.5, 0.7):
            assert (chosen <= error(np.full(3, factor), np.full(3, start), np.zeros(3)) + 1e-6).all()
    assert len(set(fit_rates(currents, wanted, threshold, alike=True).factor)) == 1


def test_a_constant_current_is_decoded_by_the_rounding_of_bu_2022() -> None:
    current = np.linspace(-0.5, 1.5, 81, dtype=np.float32)[None]
    decoded = decoded_rates(np.repeat(current[None], TICKS, axis=0), np.ones(1, np.float32), 0.5)
    exact = np.clip(np.floor(current.astype(np.float64) * TICKS + 0.5), 0, TICKS) / TICKS
    away_from_a_step = np.abs((current * TICKS + 0.5) % 1 - 0.5) < 0.45
    np.testing.assert_allclose(decoded[away_from_a_step], exact[away_from_a_step], atol=1e-6)


@pytest.mark.parametrize(
    "operator",
    [
        Conv(np.random.default_rng(1).normal(size=(6, 2, 3, 2)), None, (2, 1), ((1, 1), (0, 2)), (1, 2), 2),
        Conv(np.random.default_rng(2).normal(size=(3, 4, 3)), None, (2,), ((1, 0),)),
        Conv(np.random.default_rng(3).normal(size=(4, 1, 3, 3)), np.ones(4), groups=4),
    ],
)
def test_sampled_inputs_give_the_sums_of_the_convolution(operator: Conv) -> None:
    space = (7, 8)[: operator.weight.ndim - 2]
    values = np.random.default_rng(4).normal(size=(3, 4, *space))
    sums = operator.evaluate(values)
    positions = np.array([0, 1, sums[0, 0].size - 1])
    inputs = sampled_inputs(operator, values, positions)
    split = operator.weight.reshape(operator.groups, -1, inputs.shape[-1])
    seen = np.einsum("spgf,gwf->spgw", inputs, split).reshape(3, len(positions), -1)
    if operator.bias is not None:
        seen = seen + operator.bias
    np.testing.assert_allclose(seen.transpose(0, 2, 1), sums.reshape(3, len(sums[0]), -1)[:, :, positions])


@pytest.mark.parametrize("count", [400, 30])
def test_a_correction_finds_weights_that_others_confirm_and_leaves_noise(count: int) -> None:
    random = np.random.default_rng(6)
    inputs = random.random((count, 2, 1, 10)).astype(np.float32)
    weight = random.normal(size=(2, 10)).astype(np.float32)
    true = inputs[:, :, 0] @ weight[0] + 0.5
    noise = random.normal(size=true.shape)
    map_, added = corrected(Linear(np.zeros((2, 10))), inputs, np.stack([true, 0 * noise], axis=-1))
    assert isinstance(map_, Linear)
    assert np.square(added[:, :, 0] - true).mean() < 0.05 * np.var(true)
    assert not map_.weight[1].any()


def test_few_samples_of_many_inputs_are_regressed_by_their_dual() -> None:
    random = np.random.default_rng(7)
    inputs = random.random((12, 1, 1, 50)).astype(np.float32)
    direction = random.normal(size=50).astype(np.float32)
    map_, _ = corrected(Linear(np.zeros((1, 50))), inputs, (inputs[:, :, 0] @ direction)[..., None])
    assert isinstance(map_, Linear)
    x = inputs.reshape(12, 50).astype(np.float64)
    penalty = 0.01 * np.square(x).mean(axis=0).mean() * 12
    centred = x - x.mean(axis=0)
    y = x @ direction - (x @ direction).mean()
    primal = np.linalg.solve(centred.T @ centred + penalty * np.eye(50), centred.T @ y)
    if map_.weight.any():
        np.testing.assert_allclose(map_.weight[0], primal, atol=1e-5)


def test_the_option_puts_it_behind_the_input_coding() -> None:
    from snnc.compiler import planned_passes

    def names(**choices: object) -> list[str]:
        return [step.name for step in planned_passes(residual_network(), **choices)]  # type: ignore[arg-type]

    chosen = names(calibrate="spikes")
    assert (
        chosen.index("encode-input") < chosen.index("calibrate-on-spikes") < chosen.index("merge-linear-maps")
    )
    assert "calibrate-on-spikes" not in names()


def test_its_record_holds_the_outputs_against_the_ann() -> None:
    graph, x = residual_network(), samples(64, 1)
    compiled = snnc.compile(graph, calibration=x, ticks=32, calibrate="spikes")
    error = {record.name: record.error for record in compiled.records}["calibrate-on-spikes"]
    assert error is not None and 0 < error < 0.25
