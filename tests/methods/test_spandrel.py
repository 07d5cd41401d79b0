"""Networks that spandrel recognises from their files: its own answers, and files that are none of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from derainbench.engine.conformance import check_variant
from derainbench.engine.restore import restore, restore_tiled
from derainbench.errors import UserError
from derainbench.methods import _spandrel_library
from derainbench.methods._spandrel_library import library
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant
from derainbench.run.trained_weights import load_method
from derainbench.support.atomic import file_hash
from tests.helpers.spandrel_files import NEEDS_SPANDREL, NETWORKS, TITLES, made, saved

pytestmark = NEEDS_SPANDREL

#: Single pixels, below and off every multiple, and wider than Uformer's square of 128.
SIZES = ((1, 1), (5, 33), (40, 56), (97, 131))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and a cache of its own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "work"


def variant(name: str) -> Variant:
    """What the name stands for."""
    return discover().variant(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_answers_are_spandrels_own(name: str, here: Path) -> None:
    file = saved(here, name)
    network = load_method(f"spandrel[file={name}.pth]")
    theirs = library().spandrel.ModelLoader(registry=library().registry).load_from_file(file)
    for height, width in SIZES:
        rainy = torch.rand(1, 3, height, width)
        assert torch.equal(restore(network, rainy, network.size_multiple), theirs(rainy))
    assert restore(network, rainy).std() > 0.01
    found = variant(f"spandrel[file={name}.pth,trained_on=rain13k]")
    assert found.title == f"{TITLES[name]} (file={name}.pth)"
    assert found.parameters() == sum(parameter.numel() for parameter in theirs.model.parameters())
    assert found.weights is not None
    assert (found.weights.sha256, found.weights.trained_on, found.trainable) == (file_hash(file), "rain13k", False)
    restricted = "Academic Public License" in found.weights.licence
    assert restricted == NETWORKS[name][0].startswith("spandrel_extra_arches")


def test_a_file_that_changed_since_is_not_run(here: Path) -> None:
    saved(here, "nafnet")
    planned = variant("spandrel[file=nafnet.pth]")
    saved(here, "nafnet", seed=1)
    with pytest.raises(UserError, match="changed since it was looked at"):
        planned.build()


def test_a_tile_is_answered_as_an_image_of_its_own(here: Path) -> None:
    """Uformer's tiles are no squares, nor of a multiple of 128: spandrel pads each."""
    saved(here, "uformer")
    network = load_method("spandrel[file=uformer.pth]")
    rainy = torch.rand(1, 3, 200, 260)
    tiled = restore_tiled(network, rainy, 64, network.reach, network.size_multiple)
    seen = 164, 172  # with a margin of 64: two rows of tiles, three columns
    first = restore(network, rainy[..., : seen[0], : seen[1]])
    assert torch.equal(tiled[..., :100, :108], first[..., :100, :108])


def test_the_conformance_kit_passes(here: Path) -> None:
    saved(here, "nafnet")
    outcomes = dict(check_variant(variant("spandrel[file=nafnet.pth]")))
    assert {outcome.problem for outcome in outcomes.values()} == {""}


def test_a_file_may_lie_in_the_cache(here: Path) -> None:
    folder = here.parent / "cache" / "weights" / "spandrel"
    folder.mkdir(parents=True)
    first = variant_of(saved(folder, "nafnet"))
    saved(here, "nafnet", seed=1)
    assert variant_of(Path("nafnet.pth")) != first  # the working folder's is meant before the cache's


def variant_of(path: Path) -> str:
    """The hash of the weights that a file's name stands for."""
    weights = variant(f"spandrel[file={path.name}]").weights
    assert weights is not None
    return weights.sha256


def refused(name: str) -> str:
    """The line with which a name is refused."""
    with pytest.raises(UserError) as caught:
        variant(name)
    return str(caught.value)


def test_all_methods_are_those_that_need_no_file() -> None:
    registry = discover()
    assert "spandrel" in registry.names()
    assert "spandrel" not in registry.working()


def test_names_that_stand_for_no_file(here: Path) -> None:
    saved(here, "nafnet")
    assert refused("spandrel") == "spandrel is no network without a file; write spandrel[file=NAME.pth]"
    assert "no such file here" in refused("spandrel[file=nafnet2.pth]")
    assert "those of its file; leave @mine out" in refused("spandrel[file=nafnet.pth]@mine")
    assert "give the name of the training set's card" in refused("spandrel[file=nafnet.pth,trained_on=untrained]")


class _Code:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def _other(path: Path) -> None:
    torch.save({"layer.weight": torch.rand(2, 2)}, path)


def _list(path: Path) -> None:
    torch.save([1, 2], path)


def _junk(path: Path) -> None:
    path.write_bytes(b"<html>Not found</html>")


def _code(path: Path) -> None:
    path.write_bytes(pickle.dumps({"params": _Code()}))


def _twice_as_large(path: Path) -> None:
    options = {"num_feat": 8, "num_conv": 2, "upscale": 2}
    torch.save(made("spandrel.architectures.Compact", "Compact", options).state_dict(), path)


def _grey(path: Path) -> None:
    module, options = NETWORKS["nafnet"]
    torch.save(made(module, "NAFNet", {**options, "img_channel": 1}).state_dict(), path)


def _misfit(path: Path) -> None:
    state = torch.load(saved(path.parent, "nafnet"))["params"]
    torch.save({**state, "ending.weight": torch.rand(3, 7, 3, 3)}, path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_other, "is of no network that spandrel "),
        (_list, "is not a state dict"),
        (_junk, "cannot be read as weights"),
        (_code, "cannot be read as weights"),
        (_twice_as_large, "is of RealESRGAN Compact, which makes images 2 times as large"),
        (_grey, "is of NAFNet, from 1 to 1 channels; give one from RGB to RGB"),
        (_misfit, "cannot be opened by spandrel (RuntimeError: "),
    ],
)
def test_files_that_are_refused(write: Callable[[Path], None], said: str, here: Path) -> None:
    write(here / "file.pth")
    line = refused("spandrel[file=file.pth]")
    assert said in line
    assert "\n" not in line
    assert not (here / "ran").exists()


def test_without_the_extra_one_line_says_so(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(here, "nafnet", seed=2)
    library.cache_clear()
    monkeypatch.setattr(_spandrel_library, "find_spec", lambda name: None)
    assert "pip install 'derainbench[spandrel]'" in refused("spandrel[file=nafnet.pth]")
    library.cache_clear()


_BESIDE_A_BROKEN_ONE = """
import sys
from derainbench.methods._spandrel_library import library
found = library()
print(found.missing)
print(sorted(n for n in sys.modules if n.startswith("torchvision")), len(found.spandrel.MAIN_REGISTRY))
print("LaMa" in found.registry, "NAFNet" in found.registry, "Restormer" in found.registry)
print([type(each).__name__ for each in sys.meta_path if type(each).__module__.startswith("derainbench")])
try:
    found.spandrel.MAIN_REGISTRY["LaMa"].architecture.load({})
except ImportError as error:
    print(error)
"""


def test_a_torchvision_that_does_not_import_costs_two_networks(tmp_path: Path) -> None:
    broken = tmp_path / "torchvision"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", _BESIDE_A_BROKEN_ONE],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    why = "does not import (operator torchvision::nms does not exist)"
    assert answer.stdout.splitlines() == [
        f"LaMa and RestoreFormer need torchvision, which {why}",
        "[] 42",
        "False True True",
        "[]",
        f"LaMa needs torchvision, which {why}",
    ]
