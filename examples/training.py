"""Training, evaluation and export that the example networks share, whatever their images.

Model selection may look at a validation split of the training images only: the test images are
used once, after training, by :func:`run`.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

VALIDATION_IMAGES = 5000
EVALUATION_BATCH = 500

Log = Callable[[str], None]
Shape = tuple[int, ...]
Export = Callable[[nn.Module, Path, Shape], None]
Load = Callable[[str], tuple[Tensor, Tensor]]
"""Images and labels of a split by its name."""


@dataclass(frozen=True)
class Recipe:
    """The choices that decide a training run, apart from the network itself."""

    seed: int
    epochs: int
    batch_size: int
    peak_rate: float
    weight_decay: float
    max_shift: int
    bfloat16: bool = False
    threads: int = 2


def augment(images: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    """Mirror half of the images left to right and move each one by up to ``max_shift`` pixels."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (max_shift,) * 4)
    limit = 2 * max_shift + 1
    rows = torch.randint(limit, (count, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(limit, (count, 1), generator=generator) + torch.arange(width)
    mirror = torch.rand(count, 1, generator=generator) < 0.5
    columns = torch.where(mirror, columns.flip(1), columns)
    picked = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def train(model: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, log: Log) -> None:
    """Train ``model`` in place; the last ``VALIDATION_IMAGES`` of a seeded shuffle are held out."""
    generator = torch.Generator().manual_seed(recipe.seed)
    order = torch.randperm(len(images), generator=generator)
    held_out, kept = order[-VALIDATION_IMAGES:], order[:-VALIDATION_IMAGES]
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    plain = [weight for weight in model.parameters() if weight.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.peak_rate,
        weight_decay=recipe.weight_decay,
    )
    steps = len(kept) // recipe.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=recipe.epochs * steps, pct_start=0.2
    )
    for epoch in range(1, recipe.epochs + 1):
        begin, total = time.perf_counter(), 0.0
        model.train()
        shuffled = kept[torch.randperm(len(kept), generator=generator)]
        for batch in shuffled[: steps * recipe.batch_size].split(recipe.batch_size):
            shown = augment(images[batch].float(), recipe.max_shift, generator)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                logits = model(shown)
            loss = functional.cross_entropy(logits.float(), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        score = accuracy(torch_logits(model, images[held_out]), labels[held_out])
        log(
            f"epoch {epoch:2d}/{recipe.epochs}  training loss {total / steps:.4f}  "
            f"validation accuracy {100 * score:.2f} %  {time.perf_counter() - begin:.1f} s"
        )


def torch_logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return the logits of ``model`` in evaluation mode."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(part.float()) for part in images.split(EVALUATION_BATCH)])


def onnx_logits(path: Path, images: Tensor) -> Tensor:
    """Return the logits that onnxruntime computes from an ONNX file."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: part.float().numpy()})[0] for part in images.split(EVALUATION_BATCH)]
    return torch.from_numpy(np.concatenate(parts))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of the rows of ``logits`` whose largest entry is at the label."""
    return (logits.argmax(1) == labels).double().mean().item()


def count_relu_neurons(model: nn.Module, shape: Shape) -> int:
    """Return how many ReLU units the network has for one image of that shape."""
    counts: list[int] = []
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output: counts.append(output.numel()))
        for module in model.modules()
        if isinstance(module, nn.ReLU | nn.ReLU6)
    ]
    torch_logits(model, torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return sum(counts)


def export_torchscript(model: nn.Module, path: Path, shape: Shape) -> None:
    """Write ``model`` with the TorchScript exporter, which keeps BatchNormalization nodes."""
    model.eval()
    torch.onnx.export(
        model,
        (torch.zeros(1, *shape),),
        path,
        dynamo=False,
        opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
    )


def export_dynamo(model: nn.Module, path: Path, shape: Shape) -> None:
    """Write ``model`` with the torch.export based exporter, which folds batch normalisation.

    The exporter's notes on each node (stack traces with paths of the machine) are left out.
    """
    model.eval()
    program = torch.onnx.export(
        model,
        (torch.zeros(2, *shape),),
        dynamo=True,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    proto = program.model_proto
    graph = proto.graph
    for part in (
        proto,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        part.ClearField("metadata_props")
    onnx.save(proto, path)


def report_onnx(path: Path, expected: Tensor, images: Tensor, labels: Tensor, log: Log) -> None:
    """Log what is in an ONNX file, how far it is from PyTorch and its accuracy."""
    onnx.checker.check_model(path, full_check=True)
    nodes = " ".join(node.op_type for node in onnx.load(path).graph.node)
    logits = onnx_logits(path, images)
    log(f"{path.name}: {path.stat().st_size} bytes, nodes: {nodes}")
    log(
        f"{path.name}: onnxruntime test accuracy {100 * accuracy(logits, labels):.2f} %, largest "
        f"difference of a logit to PyTorch {(logits - expected).abs().max().item():.1e}"
    )


def begin(recipe: Recipe, threads: int) -> tuple[list[str], Log]:
    """Make a training run reproducible; returns the lines that are logged and what logs one, versions first."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(recipe.seed)
    lines: list[str] = []

    def log(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    log(
        f"python {platform.python_version()}, torch {torch.__version__}, onnx {onnx.__version__}, "
        f"onnxruntime {onnxruntime.__version__}, {threads} {'thread' if threads == 1 else 'threads'}"
    )
    log(str(recipe))
    return lines, log


def run(
    build: Callable[[], nn.Module],
    recipe: Recipe,
    load: Load,
    splits: tuple[str, str],
    files: dict[Path, Export],
    log_path: Path,
) -> None:
    """Train a network on the first split, evaluate it once on the second, write and check its ONNX files."""
    lines, log = begin(recipe, recipe.threads)
    model = build()
    log(str(model))
    images, labels = load(splits[0])
    shape = tuple(images.shape[1:])
    parameters = sum(weight.numel() for weight in model.parameters())
    log(f"{parameters} parameters, {count_relu_neurons(model, shape)} ReLU neurons")
    train(model, images, labels, recipe, log)

    images, labels = load(splits[1])
    expected = torch_logits(model, images)
    log(f"test accuracy on {len(images)} images: {100 * accuracy(expected, labels):.2f} %")
    for path, export in files.items():
        export(model, path, shape)
        report_onnx(path, expected, images, labels, log)
    log_path.write_text("\n".join(lines) + "\n")
