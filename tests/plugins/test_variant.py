"""A method with its options and weights chosen: names, titles, sizes, and the hash of its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from derainbench.plugins.method import Derainer, Method, Weights
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant, resolve

Refused = Callable[..., AbstractContextManager[None]]


class Net(Derainer):
    """Convolutions in a row."""

    def __init__(
        self, stages: int = 2, gate: Literal["na", "none"] = "na", shared: bool = False, norm: str | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(stages)))

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.layers(rainy)
        return restored


def weights(tag: str, **options: Any) -> Weights:
    """Published weights that nobody published."""
    return Weights(tag, "rain100l", "nowhere", "0" * 64, "none", options)


NET = Method(
    name="net",
    title="Net",
    network=Net,
    recipe=Recipe(lr=1e-3, steps=1, batch=1, patch=8, loss="l1"),
    variants={"NetSmall": {"stages": 1}},
    weights=(weights("light"), weights("light", shared=True), weights("deep", stages=5), weights("spelt", stages=2)),
)
BARE = Method(name="bare", title="Bare", network=Net)


def variant(name: str) -> Variant:
    """A variant of NET by name."""
    return resolve(NET, parse_name(name))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "stages": st.integers(1, 4).map(str),
            "gate": st.sampled_from(["na", "none"]),
            "shared": st.sampled_from(["true", "false"]),
            "norm": st.sampled_from(["none", "batch"]),
        },
    )
)
def test_a_canonical_name_stands_for_itself(options: Mapping[str, str]) -> None:
    text = "net" + (f"[{','.join(f'{k}={v}' for k, v in reversed(list(options.items())))}]" if options else "")
    chosen = variant(text)
    assert variant(chosen.name) == chosen
    assert variant(chosen.name).name == chosen.name


def test_one_network_has_one_name() -> None:
    assert variant("net[shared=false,stages=2]").name == "net"
    assert variant("net[shared=yes,stages=3]").name == variant("net[stages=3,shared=true]").name
    assert variant("net[stages=3,shared=true]").name == "net[stages=3,shared=true]"


def test_titles() -> None:
    assert variant("net").title == "Net"
    assert variant("net[stages=1]").title == "NetSmall"
    assert variant("net[stages=3,shared=true]").title == "Net (stages=3, shared=true)"


def test_parameters_are_counted_without_building_on_a_device() -> None:
    assert variant("net").parameters() == 2 * (3 * 3 * 9 + 3)
    assert variant("net[stages=4]").parameters() == sum(
        p.numel() for p in variant("net[stages=4]").build().parameters()
    )


class Wide(Derainer):
    """As wide as asked; it cannot be looked at on the meta device."""

    def __init__(self, width: int = 1, layers: int = 0, shown: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ReLU() for _ in range(layers))
        self.conv = nn.Conv2d(width, width, 3)
        if not shown:
            self.conv.weight.detach().sum().item()

    def forward(self, rainy: Tensor) -> Tensor:
        return rainy


@pytest.mark.slow
@pytest.mark.parametrize("build", [Variant.build, Variant.skeleton, Variant.parameters])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("width=20000", ["over 2,147,483,648 parameters"]),
        ("width=4000000000", ["cannot be built"]),
        ("layers=1000000000", ["over 20,000 modules"]),
        ("layers=1000000000,shown=false", ["over 20,000 modules"]),
    ],
)
def test_a_network_beyond_all_is_not_built(
    build: Callable[[Variant], object], options: str, words: list[str], refused: Refused
) -> None:
    method = Method(name="wide", title="Wide", network=Wide)
    with refused(f"wide[{options}] cannot be built", *words, "mend the method or its options"):
        build(resolve(method, parse_name(f"wide[{options}]")))


def test_layers_without_end_are_not_built(refused: Refused) -> None:
    method = Method(name="net", title="Net", network=Net)
    with refused("over 4,000 tensors"):
        resolve(method, parse_name("net[stages=1000000000]")).skeleton()


def test_looking_at_a_network_before_it_is_built_does_not_change_it() -> None:
    made: list[Tensor] = []
    for options in ("shown=false", "shown=true"):
        variant = resolve(Method(name="wide", title="Wide", network=Wide), parse_name(f"wide[width=4,{options}]"))
        torch.manual_seed(0)
        made.append(variant.build().get_parameter("conv.weight"))
    torch.manual_seed(0)
    first = nn.Conv2d(4, 4, 3).weight
    assert all(torch.equal(weight, first) for weight in made)


def test_only_a_recipe_without_weights_trains() -> None:
    assert variant("net").trainable
    assert not variant("net@light").trainable
    assert not resolve(BARE, parse_name("bare")).trainable


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("net@light", "net@light"),
        ("net[shared=true]@light", "net[shared=true]@light"),
        ("net@deep", "net[stages=5]@deep"),
        ("net[stages=5]@deep", "net[stages=5]@deep"),
        ("net@spelt", "net@spelt"),
    ],
)
def test_a_tag_brings_the_options_of_its_weights(text: str, name: str) -> None:
    chosen = variant(text)
    assert chosen.name == name
    assert chosen.weights is not None
    assert {"stages": 2, "shared": False, **chosen.weights.options} == {"stages": 2, "shared": False, **chosen.options}


def test_weights_that_spell_out_a_default_still_belong_to_it() -> None:
    twice = Method(name="net", title="Net", network=Net, weights=(weights("t", stages=2), weights("t", stages=3)))
    assert resolve(twice, parse_name("net@t")).name == "net@t"


def test_weights_that_are_not_there(refused: Refused) -> None:
    with refused("net@heavy", "known:", "net[shared=true]@light", "net[stages=5]@deep"):
        variant("net@heavy")
    with refused("net[stages=3]@light", "net@light"):
        variant("net[stages=3]@light")
    with refused("bare@light", "has none"):
        resolve(BARE, parse_name("bare@light"))


SOURCE = """
from torch import nn
from derainbench.plugins.method import Derainer, Method

class Layer(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 3, 1)

class Net(Derainer):
    def __init__(self, kernel: int = 3):
        super().__init__()
        self.conv = nn.Sequential(Layer(), nn.Conv2d(3, 3, kernel, padding=1))

    def forward(self, rainy):
        return self.conv(rainy)

NET = Method(name="net", title="Net", network=Net)
"""


def digest_of(path: Path, source: str, text: str = "net") -> str:
    """The source digest of the method in a file with this content."""
    path.write_text(source)
    return discover([path]).variant(text).source_digest()


def test_comments_docstrings_and_layout_are_not_part_of_the_source(tmp_path: Path) -> None:
    commented = SOURCE.replace("(Derainer):", '(Derainer):\n    """A net."""  # fine\n\n')
    commented = commented.replace("        return", '        """Goes forward."""\n        return')
    commented = commented.replace("class Net", "# Here.\nclass Net").replace("(3, 3, 1)", "(3,  3, 1)")
    before = digest_of(tmp_path / "plugin.py", SOURCE)
    assert digest_of(tmp_path / "plugin.py", '"""A module."""\n' + commented) == before
    assert digest_of(tmp_path / "elsewhere.py", SOURCE) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [("kernel, padding=1", "kernel, padding=1, bias=False"), ("(3, 3, 1)", "(3, 3, 1, bias=False)")],
)
def test_code_is_part_of_the_source(tmp_path: Path, before: str, after: str) -> None:
    assert SOURCE.count(before) == 1
    changed = digest_of(tmp_path / "b.py", SOURCE.replace(before, after))
    assert digest_of(tmp_path / "a.py", SOURCE) != changed


def test_a_layer_from_another_file_is_part_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    layers = tmp_path / "layers_of_test_variant.py"
    layers.write_text("from torch import nn\nclass Layer(nn.Conv2d):\n    pass\n")
    source = "from layers_of_test_variant import Layer\n" + SOURCE.replace("Layer()", "Layer(3, 3, 1)")
    source = source.replace("class Layer(nn.Conv2d):", "class Unused:")
    before = digest_of(tmp_path / "plugin.py", source)
    layers.write_text("from torch import nn\nclass Layer(nn.Conv2d):\n    extra = 1\n")
    assert digest_of(tmp_path / "plugin.py", source) != before
