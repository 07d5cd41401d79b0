"""Which metrics there are, what each needs, and what a score by one depends on."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from derainbench.metrics.image_metric import ImageMetric, value_of
from derainbench.metrics.niqe import NIQE
from derainbench.plugins.metric_registry import MetricRegistry, all_metrics, identity, require
from derainbench.plugins.registry import discover

Refused = Callable[..., AbstractContextManager[None]]

MINE = """
from derainbench import ImageMetric
MINE = ImageMetric(name="mine", title="Mine", unit="", digits=2, measure=lambda restored, clean: 1.0,
                   implementation="me", version="1", licence="MIT")
"""


def metric(**changes: Any) -> ImageMetric:
    fields = {"name": "mine", "title": "Mine", "unit": "", "digits": 2, "measure": lambda restored, clean: 1.0}
    return ImageMetric(**{**fields, "implementation": "me", "version": "1", "licence": "MIT", **changes})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_those_that_come_along_are_whole() -> None:
    registry = all_metrics()
    for name in registry.names():
        each = registry.get(name)
        assert each.name == name
        assert registry.origin(name) == "derainbench"
        assert not each.by_protocol
        assert not each.higher_is_better
        assert f"revision {each.revision}" in identity(each)


def test_a_file_brings_one_beside_methods(file: Path) -> None:
    registry = discover([file])
    assert registry.metrics.get("mine").title == "Mine"
    assert registry.metrics.origin("mine") == f"file {file}"
    assert "prenet" in registry.names()


def test_a_file_may_build_on_one_that_comes_along(tmp_path: Path) -> None:
    path = tmp_path / "built.py"
    path.write_text(
        "from dataclasses import replace\nfrom derainbench.metrics.niqe import NIQE\nMY = replace(NIQE, name='my-niqe')"
    )
    registry = discover([path])
    assert registry.metrics.get("niqe") is NIQE
    assert registry.metrics.get("my-niqe").title == "NIQE"


def test_what_does_not_fit_is_said(file: Path, tmp_path: Path, refused: Refused) -> None:
    with refused("no metric is called 'niqee'", "did you mean 'niqe'?", "--plugin"):
        all_metrics().get("niqee")
    taken = tmp_path / "taken.py"
    taken.write_text(MINE.replace('"mine"', '"niqe"'))
    with refused("two metrics are called 'niqe'", "derainbench", str(taken)):
        discover([taken])
    with refused("two metrics are called 'mine'"):
        registry = discover([file])
        registry.metrics.add(metric(), "package other")
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1")
    with refused("no Method and no ImageMetric"):
        discover([empty])


def test_a_broken_package_breaks_its_own_metric_alone(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    registry = MetricRegistry()
    registry.add_entry(EntryPoint("torn", "no.such.module:X", "derainbench.metrics"), "package torn")
    registry.add_entry(EntryPoint("other", "derainbench.metrics.niqe:NIQE", "derainbench.metrics"), "package other")
    with refused("'torn' does not import", "package torn"):
        registry.get("torn")
    with refused("gives ImageMetric 'niqe'", "must give ImageMetric 'other'"):
        registry.get("other")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "psnr"}, "psnr"),
        ({"name": "height"}, "height"),
        ({"name": "My Metric"}, "My Metric"),
        ({"name": "x" * 41}, "at most 40"),
        ({"name": "a\nb"}, "a metric cannot be called"),
        ({"title": ""}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"licence": " "}, "licence"),
        ({"digits": 9}, "digits"),
        ({"revision": 0}, "revision"),
        ({"measure": functools.partial(max, 1)}, "with def"),
        ({"measure": None}, "with def"),
    ],
)
def test_a_record_that_no_table_can_show_is_refused(changes: dict[str, Any], word: str, refused: Refused) -> None:
    with refused(word):
        metric(**changes)


@pytest.mark.parametrize("given", [float("inf"), -np.inf, "high", None, np.zeros(2)])
def test_what_is_no_number_is_refused(given: Any, refused: Refused) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with refused("metric mine gives"):
        value_of(metric(measure=lambda restored, clean: given), image, image)


def test_numbers_of_other_types_are_taken() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    for given in (np.float32(0.5), torch.tensor(0.5), torch.tensor([[0.5]]), np.array(0.5)):
        assert value_of(metric(measure=lambda restored, clean, given=given: given), image, image) == 0.5
    assert np.isnan(value_of(metric(measure=lambda restored, clean: float("nan")), image, image))


def test_without_a_reference_only_the_image_is_given(refused: Refused) -> None:
    blind = metric(needs_reference=False, measure=lambda restored: restored.mean())
    image = np.full((4, 4, 3), 7, np.uint8)
    assert value_of(blind, image, None) == 7
    with refused("ground truth", "Mine"):
        value_of(metric(), image, None)


def test_a_score_depends_on_who_measures_and_on_the_code(file: Path, tmp_path: Path) -> None:
    before = identity(discover([file]).metrics.get("mine"))
    assert before.startswith("me, 1, revision 1, code ")
    for old, new, same in (
        ("1.0", "2.0", False),
        ('"Mine"', '"My own"', True),
        ('"1"', '"2"', False),
        ("MINE = ", "# a comment\nMINE = ", True),
    ):
        other = tmp_path / "other.py"
        other.write_text(MINE.replace(old, new))
        assert (identity(discover([other]).metrics.get("mine")) == before) == same, new
    assert identity(NIQE) != identity(dataclasses.replace(NIQE, revision=2))


def test_networks_and_packages_that_are_not_here_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path))
    with refused("LPIPS (alex) needs AlexNet", "derainbench weights add alexnet FILE"):
        require(all_metrics().get("lpips-alex"))
    with refused("pip install no-such-package"):
        require(metric(packages=("no-such-package",)))
    assert "alexnet not here" in identity(all_metrics().get("lpips-alex"))
    require(NIQE)


def test_pyiqa_is_a_bridge_and_no_dependency(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    """A stand-in with the names of pyiqa 0.1.16: its table of metrics, and what makes one."""
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with refused("pyiqa:musiq", "pip install pyiqa"):
        all_metrics().get("pyiqa:musiq")
    package, table, made = ModuleType("pyiqa"), ModuleType("pyiqa.default_model_configs"), []
    table.DEFAULT_CONFIGS = {  # type: ignore[attr-defined]
        "musiq": {"metric_mode": "NR"},
        "lpips": {"metric_mode": "FR", "lower_better": True},
        "torn": {"metric_mode": "NR"},
    }

    def create_metric(name: str, device: str) -> Callable[..., Any]:
        if name == "torn":
            raise OSError("no network")
        made.append((name, device))
        return lambda *images: SimpleNamespace(__float__=None) if not images else images[0].mean() * len(images)

    package.create_metric = create_metric  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyiqa", package)
    monkeypatch.setitem(sys.modules, "pyiqa.default_model_configs", table)
    registry = all_metrics()
    musiq, lpips = registry.get("pyiqa:musiq"), registry.get("pyiqa:lpips")
    assert (musiq.higher_is_better, musiq.needs_reference) == (True, False)
    assert (lpips.higher_is_better, lpips.needs_reference) == (False, True)
    assert made == [], "a plan downloads nothing"
    image = np.full((4, 4, 3), 51, np.uint8)
    assert value_of(musiq, image, None) == pytest.approx(0.2)
    assert value_of(lpips, image, image) == pytest.approx(0.4)
    assert made == [("musiq", "cpu"), ("lpips", "cpu")]
    assert identity(musiq).startswith("pyiqa, ")
    assert "code" not in identity(musiq)
    with refused("pyiqa", "no metric 'musik'", "musiq"):
        registry.get("pyiqa:musik")
    with refused("pyiqa does not make its metric 'torn'", "no network"):
        value_of(registry.get("pyiqa:torn"), image, None)


def test_nothing_of_them_is_imported_before_it_is_asked_for() -> None:
    heavy = ("niqe", "brisque", "lpips", "dists", "pyiqa", "pypiqe", "perceptual_metrics", "library_metrics")
    code = (
        "import sys\nfrom derainbench.plugins.registry import discover\ndiscover()\n"
        f"found = [m for m in sys.modules if m.rpartition('.')[2] in {heavy}]\nsys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
