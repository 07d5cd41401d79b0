"""Trained weights: written, read back, converted, refused."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from derainbench.errors import UserError
from derainbench.plugins.method import Derainer, Method
from derainbench.plugins.names import parse_name
from derainbench.plugins.variant import Variant, resolve
from derainbench.plugins.weights import load_into, read_weights, save_weights, to_official, write_state
from derainbench.support.atomic import file_hash

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


def official_names(name: str) -> tuple[str, ...]:
    """Their head is two convolutions side by side, and their tail has another name."""
    if name.startswith("head"):
        return tuple(name.replace("head", half) for half in ("left", "right"))
    return (name.replace("tail", "out"),)


NET = Method(name="net", title="Net", network=Net, official_names=official_names)


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


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt"])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("theirs", [False, True])
def test_either_layout_is_read_from_one_device_or_many(
    tmp_path: Path, suffix: str, wrapped: bool, theirs: bool
) -> None:
    """Ours or the authors' names, and DataParallel's ``module.`` before them."""
    network, other = trained(0), trained(1)
    state = to_official(network.state_dict(), official_names) if theirs else network.state_dict()
    assert ("left.weight" in state) == theirs
    path = tmp_path / f"file.{suffix}"
    write_state(path, {f"module.{name}" if wrapped else name: value for name, value in state.items()})
    load_into(other, variant("net"), path)
    assert same(network, other)


def test_a_written_part_of_a_tensor_does_not_carry_the_whole(tmp_path: Path) -> None:
    write_state(tmp_path / "w.pth", {"part": torch.zeros(1000, 1000)[0]})
    assert (tmp_path / "w.pth").stat().st_size < 10_000


def test_the_state_dict_of_a_training_file_is_found(tmp_path: Path, refused: Refused) -> None:
    """Authors save their trainer: the network's state under one key, beside a counter and an optimiser."""
    network, other = trained(0), trained(1)
    optimiser = torch.optim.Adam(network.parameters()).state_dict()
    path = tmp_path / "latest"
    torch.save({"net": network.state_dict(), "clock": 40_000, "opt": optimiser}, path)
    load_into(other, variant("net"), path)
    assert same(network, other)
    torch.save({"net": network.state_dict(), "average": network.state_dict(), "clock": 1}, path)
    with refused(str(path), "several state dicts", "'net', 'average'"):
        read_weights(path)


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


@pytest.mark.parametrize("content", [{"epoch": 3, "net": {}}, {"net": {"w": 1}}, [torch.zeros(1)], 3, {}])
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


def bomb(path: Path, size: int) -> None:
    """A torch file of some kilobytes that holds ``size`` bytes."""
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(8)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name in plain.namelist():
            with packed.open(name, "w", force_zip64=True) as part:
                part.write(plain.read(name))
                for _ in range(size >> 20 if name.endswith("data/0") else 0):
                    part.write(bytes(2**20))


def test_a_file_that_inflates_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    bomb(tmp_path / "w.pth", 2**27)
    monkeypatch.setattr(torch, "load", None)
    with refused(str(tmp_path / "w.pth"), "holds 134,2", "give the file of its weights"):
        load_into(trained(), variant("net"), tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_of_many_times_the_network_is_not_read(tmp_path: Path, suffix: str, refused: Refused) -> None:
    with (tmp_path / f"w.{suffix}").open("wb") as file:
        file.truncate(2**40)
    with refused("holds 1,099,511,627,776 bytes", "net has weights of"):
        load_into(trained(), variant("net"), tmp_path / f"w.{suffix}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, suffix: str, refused: Refused) -> None:
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    (tmp_path / f"zero.{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with refused(f"{name}.{suffix} is no regular file"):
            load_into(trained(), variant("net"), tmp_path / f"{name}.{suffix}")


@pytest.mark.filterwarnings("ignore")  # of formats that torch calls new
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value.to_sparse(), "is no plain tensor"),
        (lambda value: value.reshape(4, -1).to_sparse_csr(), "is no plain tensor"),
        (lambda value: torch.nested.nested_tensor([value[0], value[1, :1]]), "is no plain tensor"),
        (lambda value: value.to("meta"), "is on the meta device"),
        (lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8), "is quantised"),
        (lambda value: torch.zeros(1).expand(2**20, 2**20), "has shape (1048576, 1048576), not (4, 3, 3, 3)"),
        (lambda value: value.to(torch.complex64), "not finite real numbers"),
        (lambda value: value.double() * 1e300, "not finite real numbers"),
        (lambda value: (value / 0).to(torch.float8_e5m2), "not finite real numbers"),
        (lambda value: value.long(), "holds torch.int64, not torch.float32"),
    ],
)
def test_a_tensor_of_another_kind(
    tmp_path: Path, change: Callable[[Tensor], Tensor], said: str, refused: Refused
) -> None:
    state = trained().state_dict()
    torch.save({**state, "head.weight": change(state["head.weight"])}, tmp_path / "w.pth")
    with refused(str(tmp_path / "w.pth"), "does not fit net: head.weight", said):
        load_into(trained(), variant("net"), tmp_path / "w.pth")


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
    write_state(path, to_official(trained(1, "net[width=6]").state_dict(), official_names))
    with refused(str(path), "left.weight has shape (3, 3, 3, 3), not (2, 3, 3, 3)"):
        load_into(network, variant("net"), path)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items()), "nothing was loaded"
