"""Passes of other packages in a target's own pipeline, as text, in Python and installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_models import small_model

import snnc
from snnc.compiler import planned_passes
from snnc.errors import UsageError
from snnc.insertion import Insertion, parse_insertions, with_insertions
from snnc.pass_text import parse_passes, pipeline_text
from snnc.passes import EncodeInput, FoldBatchNorm, NormaliseClip, Simplify

PACKAGE = '''
from dataclasses import dataclass, replace
from typing import ClassVar

import snnc
from snnc.graph import Conv, Linear
from snnc.graph.operators import Level
from snnc.pipeline import Guarantee


@dataclass(frozen=True)
class Prune(snnc.Pass):
    """Set weights below a share of their layer's largest to zero."""

    share: float = 0.01

    name: ClassVar[str] = "prune"
    guarantee: ClassVar[Guarantee] = Guarantee.NOTHING
    requires = (Level.ANN,)

    def __call__(self, graph, context):
        edit = graph.edit()
        for node in graph.of_type(Conv, Linear):
            weight = node.operator.weight
            kept = abs(weight) >= self.share * abs(weight).max()
            edit.set(node.name, operator=replace(node.operator, weight=weight * kept))
        return edit.done()
'''


def order(text: str, pipeline: str = "fold-batch-norm,normalise-clip") -> str:
    return pipeline_text(with_insertions(parse_passes(pipeline), parse_insertions(text)))


def test_a_pass_stands_beside_the_one_that_is_named() -> None:
    assert order("simplify{after=fold-batch-norm}") == "fold-batch-norm,simplify,normalise-clip"
    assert order("simplify{before=fold-batch-norm}") == "simplify,fold-batch-norm,normalise-clip"
    assert order("simplify{after=normalise-clip}") == "fold-batch-norm,normalise-clip,simplify"


def test_its_options_stay_its_own() -> None:
    text = "scale-input{percentile=90,after=fold-batch-norm,method=percentile}"
    expected = "fold-batch-norm,scale-input{method=percentile,percentile=90.0},normalise-clip"
    assert order(text) == expected


def test_of_one_pass_that_runs_twice_the_outer_counts() -> None:
    twice = "simplify,fold-batch-norm,simplify"
    assert order("normalise-clip{after=simplify}", twice).endswith("simplify,normalise-clip")
    assert order("normalise-clip{before=simplify}", twice).startswith("normalise-clip,simplify")


def test_insertions_may_stand_beside_each_other() -> None:
    text = "simplify{after=fold-batch-norm},scale-input{after=simplify}"
    assert order(text) == "fold-batch-norm,simplify,scale-input,normalise-clip"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("simplify", "U106.*it is not said beside which pass simplify is to run"),
        ("simplify{before=normalise-clip,after=fold-batch-norm}", "U106.*not said"),
        ("simplify{after=scale-input}", "U106.*beside scale-input, which does not run"),
        ("simplfy{after=scale-input}", "U102"),
        ("simplify{behind=normalise-clip}", "U103"),
    ],
)
def test_a_place_that_is_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        order(text)


def test_an_order_that_cannot_work_is_refused_before_it_runs() -> None:
    with pytest.raises(UsageError, match=r"U105.*encode-input needs a graph of level snn"):
        snnc.compile(small_model(), insert=[Insertion(EncodeInput("rate"), before="fold-batch-norm")])


def test_compile_runs_it_and_records_it() -> None:
    insert = [Insertion(Simplify(), after="normalise-clip")]
    compiled = snnc.compile(small_model(), ticks=4, insert=insert)
    names = [record.name for record in compiled.records]
    assert names[names.index("normalise-clip") + 1] == "simplify"
    own = planned_passes(small_model(), ticks=4)
    assert own[:2] == (FoldBatchNorm(), NormaliseClip())
    assert planned_passes(small_model(), ticks=4, insert=insert) == (*own[:2], Simplify(), *own[2:])


def test_a_pass_of_an_installed_package(tmp_path: Path) -> None:
    """What lies beside the package is what an installation of it writes: its entry points."""
    (tmp_path / "pruning.py").write_text(PACKAGE)
    installed = tmp_path / "pruning-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: pruning\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[snnc.passes]\nprune = pruning:Prune\n")
    model = Path(__file__).parent.parent / "examples" / "fashion_mlp" / "fashion_mlp.onnx"
    insert = "prune{share=0.05,after=fold-batch-norm}"
    command = f"from snnc.cli.main import run; run(['compile', {str(model)!r}, '--pass', {insert!r}, '--print-passes'])"
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {command}"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout.startswith("fold-batch-norm,prune{share=0.05},normalise-clip,"), run.stderr
