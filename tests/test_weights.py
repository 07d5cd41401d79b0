"""Trained weights: written, read back, converted, refused."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from derainbench.errors import UserError
from derainbench.method import Derainer, Method, Weights
from derainbench.names import parse_name
from derainbench.registry import discover
from derainbench.restore import restore
from derainbench.variant import Variant, resolve
from derainbench.weights import file_hash, load_into, published_file, read_weights, save_weights

Refused = Callable[..., AbstractContextManager[None]]


class Net(Derainer):
    """A convolution and a normalisation, whose buffers are weights too."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.tail(self.norm(self.head(rainy)))
        return restored


class Tied(Derainer):
    """Two names for one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = self.first

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.second(self.first(rainy))
        return restored


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their names to ours; a KeyError where the names are not theirs."""
    return {name: state[f"module.{name}"] for name in Net().state_dict()}


NET = Method(
    name="net",
    title="Net",
    network=Net,
    weights=(Weights("t", "rain100l", "https://rain.example", "ab" * 32, "none", {}, from_authors),),
)


def variant(name: str, method: Method = NET) -> Variant:
    """A variant by name."""
    return resolve(method, parse_name(name))


def trained(seed: int = 0, name: str = "net", method: Method = NET) -> Derainer:
    """A network with weights of its own."""
    torch.manual_seed(seed)
    network = variant(name, method).build()
    with torch.no_grad():
        for value in network.state_dict().values():
            value.copy_(torch.rand(value.shape))
    return network.eval()


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same weights."""
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth"])
def test_weights_come_back(tmp_path: Path, suffix: str) -> None:
    path, network, other = tmp_path / f"w.{suffix}", trained(0), trained(1)
    if suffix == "safetensors":
        save_weights(path, network)
    else:
        torch.save(network.state_dict(), path)
    load_into(other, variant("net"), path)
    assert same(network, other)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        save_weights(tmp_path / name, trained(seed))
    hashes = [file_hash(tmp_path / name) for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]


def test_tied_weights_are_stored_under_both_names(tmp_path: Path) -> None:
    tied = Method(name="tied", title="Tied", network=Tied)
    network, other = trained(0, "tied", tied), trained(1, "tied", tied)
    save_weights(tmp_path / "w.safetensors", network)
    load_into(other, variant("tied", tied), tmp_path / "w.safetensors")
    assert same(network, other)


def test_the_authors_layout_is_converted(tmp_path: Path) -> None:
    network, other = trained(0), trained(1)
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, tmp_path / "authors.pth")
    load_into(other, variant("net"), tmp_path / "authors.pth")
    assert same(network, other)


@pytest.mark.parametrize("name", ["Rain100L_PRN6_r.pth", "Rain100L_PReNet6_r.pth"])
def test_published_weights_are_found_by_their_hash(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, refused: Refused
) -> None:
    options = {"Rain100L_PRN6_r.pth": "recurrence=none,shared=true", "Rain100L_PReNet6_r.pth": "shared=true"}[name]
    chosen = discover().variant(f"prenet[{options}]@rain100l")
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path))
    with refused("not here", "https://github.com/csdwren/PReNet", str(tmp_path / "weights/prenet"), "sha256"):
        published_file(chosen)
    (tmp_path / "weights/prenet").mkdir(parents=True)
    (tmp_path / "weights/prenet/a-note.txt").write_text("not weights")
    shutil.copy(shared / "weights/prenet" / name, tmp_path / "weights/prenet/renamed.bin")
    found = published_file(chosen)
    assert found.name == "renamed.bin"
    torch.manual_seed(0)
    network = chosen.build().eval()
    untrained = restore(network, torch.full((1, 3, 8, 8), 0.5))
    load_into(network, chosen, found)
    restored = restore(network, torch.full((1, 3, 8, 8), 0.5))
    assert float((restored - 0.5).abs().mean()) < 0.05 < float((untrained - 0.5).abs().mean())


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("content", [b"", b"these are letters", b"PK\x03\x04 not a zip", b"\x80\x02}q\x00."])
def test_a_file_that_holds_no_weights(tmp_path: Path, suffix: str, content: bytes, refused: Refused) -> None:
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(content)
    with refused(str(path)):
        load_into(trained(), variant("net"), path)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged files are written, one after the other."""
    return tmp_path_factory.mktemp("damaged")


@settings(max_examples=60)
@given(
    form=st.sampled_from(["zip.pth", "old.pth", "w.safetensors"]),
    length=st.floats(0.05, 1),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
)
def test_a_damaged_file_gives_tensors_or_one_line(
    damaged: Path, form: str, length: float, place: float, byte: int
) -> None:
    path = damaged / form
    if form == "w.safetensors":
        save_weights(path, nn.Conv2d(1, 1, 1))
    else:
        torch.save(nn.Conv2d(1, 1, 1).state_dict(), path, _use_new_zipfile_serialization=form == "zip.pth")
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = byte
    path.write_bytes(content[: int(length * len(content))])
    said, state = str(path), {}
    try:
        state = read_weights(path)
    except UserError as error:
        said = str(error)
    assert str(path) in said
    assert "\n" not in said
    assert all(isinstance(value, Tensor) for value in state.values())


def test_a_truncated_file_says_how_to_mend_it(tmp_path: Path, refused: Refused) -> None:
    for path in (tmp_path / "w.safetensors", tmp_path / "w.pth"):
        save_weights(path, trained())
        if path.suffix == ".pth":
            torch.save(trained().state_dict(), path)
        path.write_bytes(path.read_bytes()[:-40])
        with refused(f"{path} cannot be read as weights", "fetch it again"):
            read_weights(path)


class Trap:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (Path.touch, (Path("trap-was-sprung"),))  # type: ignore[return-value]


def test_no_code_of_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"head.weight": Trap()}, tmp_path / "zip.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap(), protocol=2))
    for name in ("zip.pth", "bare.pth"):
        with refused(name, "cannot be read as weights"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "trap-was-sprung").exists()
    pickle.loads((tmp_path / "bare.pth").read_bytes())
    assert (tmp_path / "trap-was-sprung").exists(), "the trap works where it is not guarded against"


@pytest.mark.parametrize("content", [{"epoch": 3, "state_dict": {"w": torch.zeros(1)}}, [torch.zeros(1)], 3])
def test_a_torch_file_that_is_no_state_dict(tmp_path: Path, content: object, refused: Refused) -> None:
    torch.save(content, tmp_path / "w.pth")
    with refused(str(tmp_path / "w.pth"), "not a state dict", "state_dict()"):
        read_weights(tmp_path / "w.pth")


def test_a_file_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    for name in ("w.pth", "w.safetensors"):
        with refused(str(tmp_path / name), "no such weights file", "check the path"):
            read_weights(tmp_path / name)
    with refused(str(tmp_path), "cannot be read as weights"):
        read_weights(tmp_path)


def test_weights_of_another_network(tmp_path: Path, refused: Refused) -> None:
    network, path = trained(), tmp_path / "w.safetensors"
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_weights(path, trained(1, "net[width=6]"))
    with refused(str(path), "does not fit net:", "head.weight has shape (6, 3, 3, 3), not (4, 3, 3, 3)", "NAME[option"):
        load_into(network, variant("net"), path)
    save_weights(path, nn.Sequential(nn.Conv2d(3, 3, 1)))
    with refused(str(path), "head.weight is missing (and ", "more)"):
        load_into(network, variant("net"), path)
    save_weights(path, nn.ModuleDict({**dict(network.named_children()), "extra": nn.Linear(1, 1, bias=False)}))
    with refused(str(path), "extra.weight is not part of the network;"):
        load_into(network, variant("net"), path)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items()), "nothing was loaded"
