"""The whole way from an ONNX file to a chip's answers, as a script to copy.

Compiles the convolutional Fashion-MNIST network for Loihi, runs test images on the simulated cores, and prints
how accurate the program is next to the network it was made from, what it takes, and what each pass preserved.

Run it with ``python examples/demo.py``; it needs snnc alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import snnc
from snnc.report.tables import curve_table, evaluation_table, pass_table, table_text, usage_table

FOLDER = Path(__file__).parent
MODEL = FOLDER / "fashion_convnet" / "fashion_convnet.onnx"
CALIBRATION = FOLDER / "data" / "fashion_calibration.npz"
TEST = FOLDER / "data" / "fashion_test.npz"
TICKS = 128
IMAGES = 500


def main() -> None:
    """Compile, evaluate, print."""
    compiled = snnc.compile(MODEL, target="loihi", calibration=CALIBRATION, ticks=TICKS)
    for diagnostic in compiled.diagnostics:
        print(diagnostic)
    test = np.load(TEST)
    evaluation = snnc.evaluate(compiled, test["x"][:IMAGES], test["y"][:IMAGES])
    tables = (
        pass_table(compiled.records),
        usage_table(compiled.usage),
        curve_table(evaluation),
        evaluation_table(evaluation),
    )
    print("\n\n".join(table_text(table) for table in tables))


if __name__ == "__main__":
    main()
