from __future__ import annotations

from pathlib import Path

import numpy as np

from snnc.formats.trace_file import write_trace
from snnc.simulate import Trace


def test_everything_recorded_is_written(tmp_path: Path) -> None:
    spikes = np.array([[[True, False]]])
    trace = Trace(
        outputs={"out": np.array([[0.5]])},
        outputs_by_tick={"out": np.array([[[0.5]]])},
        recordings={
            "spikes": {"/a/file": spikes},
            "voltage": {"/a/file": spikes.astype(np.int64)},
        },
        spike_counts={"/a/file": np.array([1])},
    )
    names = write_trace(tmp_path / "t.npz", trace)
    first = (tmp_path / "t.npz").read_bytes()
    with np.load(tmp_path / "t.npz") as arrays:
        assert set(arrays.files) == set(names)
        assert (arrays["spikes:/a/file"] == spikes).all()
        assert arrays["voltage:/a/file"].dtype == np.int64
        assert arrays["output"] == 0.5 and arrays["output_by_tick"].shape == (1, 1, 1)
    write_trace(tmp_path / "t.npz", trace)
    assert (tmp_path / "t.npz").read_bytes() == first
