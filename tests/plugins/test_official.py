"""The authors' layout and ours: nothing is lost on the way there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from derainbench.methods.prenet import PRENET
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, read_weights, to_official


def identical(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Equal names, types, shapes and bits, NaN and minus zero included."""
    return first.keys() == second.keys() and all(
        a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
        for a, b in ((first[name], second[name]) for name in first)
    )


@st.composite
def layouts(draw: st.DrawFn) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """A state dict of ours, and for each of its names those of the equal parts it was merged from."""
    state, names = {}, {}
    for number in range(draw(st.integers(0, 4))):
        parts = draw(st.integers(1, 4))
        shape = [parts * draw(st.integers(1, 3)), *draw(st.lists(st.integers(1, 3), max_size=3))]
        if parts == 1 and draw(st.booleans()):
            shape = []  # a counter, such as that of batch normalisation
        size = int(torch.tensor(shape).prod())
        values = draw(st.lists(st.floats(width=32), min_size=size, max_size=size))
        state[f"ours{number}"] = torch.tensor(values, dtype=torch.float32).reshape(shape)
        names[f"ours{number}"] = tuple(f"theirs{number}.{part}" for part in range(parts))
    return state, names


@given(layouts())
def test_there_and_back(layout: tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]) -> None:
    state, names = layout
    official = to_official(state, names.__getitem__)
    assert list(official) == [part for parts in names.values() for part in parts]
    assert identical(from_official(official, state, names.__getitem__), state)


#: Files of PReNet's own repository.
PRENETS = [weights for weights in PRENET.weights if ", " in weights.source]


@pytest.mark.parametrize("weights", PRENETS, ids=lambda w: w.source.split(", ")[-1].rstrip(")"))
def test_every_published_file_of_prenet_comes_back(shared: Path, weights: object) -> None:
    """Official, ours, official: bit for bit, and nothing of the file is left out."""
    (weights,) = [w for w in PRENET.weights if w is weights]
    state = read_weights(shared / "weights" / "prenet" / weights.source.split(", ")[-1].rstrip(")"))
    names = PRENET.network(**weights.options).state_dict()
    ours = from_official(state, names, PRENET.official_names)
    assert identical(to_official(ours, PRENET.official_names), state)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("spanet@spa", "spanet/latest"),
        ("spanet@rain200l", "recderain/logs/RainLight/SPANet/latest"),
        ("rescan@rain200l", "rescan/RainLight_latest"),
        ("rescan@rain200h", "recderain/logs/RainHeavy/RESCAN/latest"),
    ],
)
def test_the_other_published_files_come_back(shared: Path, name: str, file: str) -> None:
    """Of a network that was wrapped in DataParallel, or not."""
    variant = discover().variant(name)
    state, official = read_weights(shared / "weights" / file), variant.method.official_names
    state = {name.removeprefix("module."): value for name, value in state.items()}
    assert identical(to_official(from_official(state, variant.build().state_dict(), official), official), state)


def test_parts_keep_their_order() -> None:
    state = {"a": torch.tensor([1.0]), "b": torch.tensor([2.0])}
    assert from_official(state, ["both"], lambda _: ("b", "a"))["both"].tolist() == [2, 1]


def test_kernels_are_turned_over_and_back() -> None:
    """Of the parts of a merged one each; what is no kernel stays."""
    state = {"w": torch.arange(24.0).reshape(4, 1, 2, 3), "b": torch.arange(4.0)}

    def names(name: str) -> tuple[str, ...]:
        return (f"{name}0", f"{name}1")

    def transposed(name: str) -> bool:
        return name == "w"

    official = to_official(state, names, transposed)
    assert official["w1"].tolist() == state["w"][2:].transpose(2, 3).tolist()
    assert official["b1"].tolist() == [2, 3]
    assert identical(from_official(official, state, names, transposed), state)


def test_what_is_no_layout() -> None:
    with pytest.raises(ValueError, match=r"w of shape \(3, 2\) does not divide into 2 equal parts"):
        to_official({"w": torch.zeros(3, 2)}, lambda _: ("a", "b"))
    with pytest.raises(ValueError, match=r"w of shape \(\) does not divide into 2"):
        to_official({"w": torch.zeros(())}, lambda _: ("a", "b"))
    with pytest.raises(ValueError, match="does not divide into 0"):
        to_official({"w": torch.zeros(3)}, lambda _: ())
    with pytest.raises(ValueError, match="two tensors are called 'a'"):
        to_official({"v": torch.zeros(1), "w": torch.zeros(1)}, lambda _: ("a",))
    with pytest.raises(KeyError, match="absent"):
        from_official({}, ["w"], lambda _: ("absent",))
