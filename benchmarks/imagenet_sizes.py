"""Time and memory of inspecting and compiling networks of ImageNet's size, beside the bars that they must keep.

Run ``python benchmarks/imagenet_sizes.py inspect`` or ``compile``, with the names of networks and ``--size`` for other
inputs than 3 x 224 x 224. Weights are random (He's initialisation, a fixed seed), so no accuracy is measured. Each
command runs in a process of its own, whose largest memory is what the kernel counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from imagenet_networks import NETWORKS, save_network

BARS = {"inspect": (30.0, 3.0), "compile": (600.0, 10.0)}
"""Seconds and GiB that each command may take at 3 x 224 x 224 on two processors."""

COMPILED = ("resnet18", "mobilenet_v2")
"""Networks for which ``compile`` has bars."""

CALIBRATION_SAMPLES = 8


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        code: exit code.
        seconds: by the clock.
        processor_seconds: of all threads together.
        gibibytes: largest resident memory.
        printed: what was printed.
    """

    code: int
    seconds: float
    processor_seconds: float
    gibibytes: float
    printed: str


def measured(arguments: list[str]) -> Measured:
    """What ``snnc`` with these arguments takes."""
    command = [str(Path(sys.executable).with_name("snnc")), *arguments]
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        child = subprocess.Popen(command, stdout=printed)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read()
    seconds = time.perf_counter() - started
    return Measured(child.returncode, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, text)


def arguments_of(command: str, target: str, model: Path, size: int) -> list[str]:
    """The command line for a model file; calibration samples are written beside it."""
    if command == "inspect":
        return ["inspect", str(model), "--target", target, "--json"]
    samples = model.with_suffix(".npz")
    rng = np.random.default_rng(1)
    np.savez(samples, x=rng.random((CALIBRATION_SAMPLES, 3, size, size), np.float32))
    output = str(model.with_suffix(".snnc"))
    return [
        "compile",
        str(model),
        "--target",
        target,
        "--calibration",
        str(samples),
        "-o",
        output,
        "--json",
    ]


def _in_its_own_process(function: Callable[..., None], *arguments: Any) -> None:
    """Call a function whose memory must not count: a process begins with the largest memory of the one it came from."""
    process = get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{function.__name__} ended with exit code {process.exitcode}")


@click.command()
@click.argument("command", type=click.Choice(tuple(BARS)))
@click.argument("networks", nargs=-1, type=click.Choice(tuple(NETWORKS)))
@click.option("--size", default=224, show_default=True, help="Rows and columns of the input.")
@click.option("--target", default="loihi", show_default=True)
def main(command: str, networks: tuple[str, ...], size: int, target: str) -> None:
    """Run a command for each network and print what it took."""
    seconds_bar, memory_bar = BARS[command]
    print(
        f"snnc {command} --target {target} at 3 x {size} x {size}; bars {seconds_bar:g} s, {memory_bar:g} GiB"
    )
    chosen = networks or (tuple(NETWORKS) if command == "inspect" else COMPILED)
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            model = Path(folder) / f"{name}.onnx"
            _in_its_own_process(save_network, name, model, size)
            print(row(name, measured(arguments_of(command, target, model, size))), flush=True)
            for file in Path(folder).iterdir():
                file.unlink()


def row(name: str, taken: Measured) -> str:
    """One line of the table."""
    start = f"{name:18} {taken.seconds:6.1f} s {taken.processor_seconds:6.1f} s {taken.gibibytes:6.2f} GiB"
    use = json.loads(taken.printed)
    if taken.code:
        return "\n    ".join((f"{start}  {use['code']}: {use['message']}", *use.get("details", ())))
    return (
        f"{start}  {use['neurons']:>12,} neurons {use['synapses']:>15,} synapses"
        f" {use['cores']:>7,} cores {use['chips']:>5,} chips"
    )


if __name__ == "__main__":
    main()
