"""Writes the models of this folder with ``steps`` in their names, from both exporters of PyTorch.

Run with torch 2.13, onnx 1.23 and onnxscript 0.7: ``python make_step_models.py``. Weights are random, with a fixed
seed. ``torch.heaviside`` can be exported by the newer exporter alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent


class Steps(nn.Module):
    """The ways in which step activations are written in PyTorch, side by side."""

    def __init__(self, *, heaviside: bool) -> None:
        super().__init__()
        self.heaviside = heaviside
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 3)
        self.register_buffer("levels", torch.tensor([0.1, -0.2, 0.3]).reshape(3, 1, 1))
        self.register_buffer("at_zero", torch.tensor([0.5]))

    def forward(self, x: Tensor) -> Tensor:
        """Convolutions of all of them, one after another."""
        x = self.first(x)
        found = [
            (x >= 0.25).float(),
            (x > self.levels).to(x.dtype),
            (x < 0.25).float(),
            (x <= self.levels).int().float(),
            torch.lt(torch.tensor(0.25), x).float(),
            (~(x < 0)).float(),
            (x != 0).float(),
            torch.where(x >= 0, 1.0, -1.0),
            torch.where(x >= 0, torch.ones_like(x), torch.zeros_like(x)),
            torch.zeros_like(x).masked_fill(x > 0.5, 1.0),
            torch.sign(x),
            torch.relu(torch.sign(x)),
            2.0 * (x > x.mean(dim=1, keepdim=True)),
        ]
        if self.heaviside:
            found += [torch.heaviside(x, self.at_zero), torch.heaviside(x, torch.ones(1))]
        return torch.cat([self.second(part) for part in found], 1)


def main() -> None:
    """Write both models."""
    x = torch.rand(2, 1, 6, 6)
    for name in ("torch_steps", "torch_dynamo_steps"):
        torch.manual_seed(0)
        dynamo = "dynamo" in name
        model = Steps(heaviside=dynamo).eval()
        if dynamo:
            shapes = ({0: torch.export.Dim("batch")},)
            program = torch.onnx.export(
                model, (x,), dynamo=True, input_names=["x"], dynamic_shapes=shapes, verbose=False
            )
            proto = program.model_proto
            for part in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.value_info):
                part.ClearField("metadata_props")
            (FOLDER / f"{name}.onnx").write_bytes(proto.SerializeToString())
        else:
            torch.onnx.export(
                model,
                (x,),
                FOLDER / f"{name}.onnx",
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                dynamic_axes={"x": {0: "batch"}},
            )


if __name__ == "__main__":
    main()
