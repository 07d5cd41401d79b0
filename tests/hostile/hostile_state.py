"""What programs write, as it should not be: weights, checkpoints, run folders."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as as_safetensors
from torch import Tensor

from tests.hostile.hostile_case import Case, Prepare, run, text_file
from tests.hostile.hostile_files import unusual

State = dict[str, Any]


def _changed(change: Callable[[Tensor], object]) -> Prepare:
    """The weights with one tensor replaced."""

    def prepare(folder: Path) -> None:
        state = torch.load(folder / "weights.pth", weights_only=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of these kinds torch calls young, others old
            state["first.weight"] = change(state["first.weight"])
            torch.save(state, folder / "x.pth")

    return prepare


def _saved(content: object) -> Prepare:
    return lambda folder: torch.save(content, folder / "x.pth")


@functools.cache
def _inflating() -> bytes:
    """Three megabytes that would be three gigabytes: weights whose one part is zeros."""
    buffer, made = io.BytesIO(), io.BytesIO()
    torch.save({"first.weight": torch.zeros(8)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name in plain.namelist():
            if not name.endswith("data/0"):
                packed.writestr(name, plain.read(name))
            else:
                with packed.open(name, "w", force_zip64=True) as part:
                    for _ in range(48):
                        part.write(bytes(2**26))
    return made.getvalue()


def _inflates(folder: Path) -> None:
    (folder / "x.pth").write_bytes(_inflating())


def _overlapping(folder: Path) -> None:
    """Parts that say they are larger than the file."""
    torch.save({"first.weight": torch.zeros(4, 3, 3, 3)}, folder / "x.pth")
    with zipfile.ZipFile(folder / "x.pth", "a") as archive:
        archive.writestr("more", bytes(100))
    data = (folder / "x.pth").read_bytes()
    end = data.rindex(b"PK\x01\x02")  # the directory's entry of what was added
    (folder / "x.pth").write_bytes(data[: end + 24] + (2**32 - 2).to_bytes(4, "little") + data[end + 28 :])


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import pathlib; pathlib.Path('executed').touch()",)


def _safetensors(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def _huge(folder: Path) -> None:
    """A header for a terabyte, and a file as long that takes no disk."""
    header = json.dumps({"first.weight": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}).encode()
    with (folder / "x.safetensors").open("wb") as file:
        file.write(_safetensors(header))
        file.truncate(8 + len(header) + 2**40)


def _eight_bits(folder: Path) -> None:
    state = torch.load(folder / "weights.pth", weights_only=True)
    state["first.weight"] = torch.full((4, 3, 3, 3), float("nan")).to(torch.float8_e4m3fn)
    (folder / "x.safetensors").write_bytes(as_safetensors(state))


WEIGHTS: dict[str, Prepare] = {
    "a zip bomb": _inflates,
    "parts larger than the file": _overlapping,
    "a pickle that runs code": lambda folder: (folder / "x.pth").write_bytes(pickle.dumps(_Runs())),
    "an archive that runs code": lambda folder: torch.save({"first.weight": _Runs()}, folder / "x.pth"),
    "sparse": _changed(lambda value: value.to_sparse()),
    "compressed rows": _changed(lambda value: value.reshape(4, -1).to_sparse_csr()),
    "on no device": _changed(lambda value: value.to("meta")),
    "quantised": _changed(lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)),
    "nested": _changed(lambda value: torch.nested.nested_tensor([value[0], value[1, :1]])),
    "expanded to a terabyte": _changed(lambda value: torch.zeros(1).expand(2**20, 2**18)),
    "complex": _changed(lambda value: value.to(torch.complex64)),
    "whole numbers": _changed(lambda value: value.to(torch.int64)),
    "bool": _changed(lambda value: value > 0),
    "not finite": _changed(lambda value: value / 0),
    "not a number": _changed(lambda value: value * float("nan")),
    "another shape": _changed(lambda value: value[:2]),
    "no dimension": _changed(lambda value: value.sum()),
    "empty": _changed(lambda value: value[:0]),
    "a list": _changed(lambda value: value.tolist()),
    "a text": _changed(lambda value: "weights"),
    "nothing in it": _saved({}),
    "a tensor alone": _saved(torch.zeros(3)),
    "a list of tensors": _saved([torch.zeros(3)]),
    "two state dicts": _saved({"a": {"w": torch.zeros(1)}, "b": {"w": torch.zeros(1)}}),
    "names of escapes": _saved({"\x1b[31m": torch.zeros(1), "\x07": torch.zeros(1)}),
    "state dicts called by escapes": _saved({"\x1b[31m": {"w": torch.zeros(1)}, "\x07": {"w": torch.zeros(1)}}),
    "a name of a megabyte": _saved({"x" * 2**20: torch.zeros(1)}),
    "a hundred thousand names": _saved({f"w{i}": 0 for i in range(100_000)} | {"w": torch.zeros(1)}),
    "numbers for names": _saved({1: torch.zeros(1)}),
    "cut": lambda folder: (folder / "x.pth").write_bytes((folder / "weights.pth").read_bytes()[:-100]),
    "empty file": text_file("x.pth", b""),
    "text": text_file("x.pth", "<html>"),
    "zeros": text_file("x.pth", bytes(10_000)),
    "a zip of something else": lambda folder: zipfile.ZipFile(folder / "x.pth", "w").writestr("a", "b"),
    "an old format": lambda folder: torch.save(
        {"first.weight": torch.zeros(1)}, folder / "x.pth", _use_new_zipfile_serialization=False
    ),
    **{name: unusual("x.pth")[name] for name in ("a named pipe", "/dev/zero", "a socket", "not there", "a terabyte")},
}

SAFETENSORS: dict[str, Prepare] = {
    "empty": text_file("x.safetensors", b""),
    "text": text_file("x.safetensors", "<html></html>"),
    "a header of 2**60 bytes": text_file("x.safetensors", (2**60).to_bytes(8, "little") + b"{}"),
    "a header that is no JSON": text_file("x.safetensors", _safetensors(b"not json")),
    "a header of brackets": text_file("x.safetensors", _safetensors(b"[" * 100_000)),
    "no tensors": text_file("x.safetensors", as_safetensors({})),
    "whole numbers": text_file("x.safetensors", as_safetensors({"first.weight": torch.zeros(4, 3, 3, 3).long()})),
    "eight-bit floats": _eight_bits,
    "a tensor beyond the file": text_file(
        "x.safetensors", _safetensors(b'{"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}')
    ),
    "a shape beyond all": text_file(
        "x.safetensors",
        _safetensors(b'{"w": {"dtype": "F32", "shape": [4294967296, 4294967296, 4], "data_offsets": [0, 0]}}'),
    ),
    "a terabyte": _huge,
    **{
        name: unusual("x.safetensors")[name]
        for name in ("a named pipe", "/dev/zero", "a socket", "not there", "a link to itself")
    },
}


def _unfinished(change: Callable[[Path], object]) -> Prepare:
    """The run with its training begun and not finished, and something where its checkpoint is."""

    def prepare(folder: Path) -> None:
        cell = folder / "run/train/tinycnn/tiny/seed0"
        (cell / "done.json").unlink()
        (cell / "weights.safetensors").unlink()
        change(cell / "checkpoint.pt")

    return prepare


def _checkpoint(content: State) -> Prepare:
    """A checkpoint with the cell's own key."""

    def change(path: Path) -> None:
        key = json.loads((path.parent / "config.json").read_text())["key"]
        torch.save({"key": key, "step": 2, "trainer": {}, "random": {"cpu": torch.get_rng_state()}} | content, path)

    return _unfinished(change)


def _zip_bomb(path: Path) -> None:
    _inflates(path.parent)
    (path.parent / "x.pth").rename(path)


CHECKPOINTS: dict[str, Prepare] = {
    "text": _unfinished(lambda path: path.write_text("<html>")),
    "zeros": _unfinished(lambda path: path.write_bytes(bytes(10_000))),
    "empty": _unfinished(lambda path: path.touch()),
    "runs code": _unfinished(lambda path: path.write_bytes(pickle.dumps(_Runs()))),
    "a list": _unfinished(lambda path: torch.save([1], path)),
    "no state": _checkpoint({}),
    "a state of something else": _checkpoint({"trainer": {"network": {"w": torch.zeros(1)}}}),
    "a random state that is none": _checkpoint({"random": {"cpu": torch.zeros(3)}}),
    "a folder": _unfinished(lambda path: path.mkdir()),
    "a named pipe": _unfinished(os.mkfifo),
    "/dev/zero": _unfinished(lambda path: path.symlink_to("/dev/zero")),
    "a zip bomb": _unfinished(_zip_bomb),
}


def _odd_seed(folder: Path) -> None:
    trained = folder / "run/train/tinycnn/tiny"
    shutil.copytree(trained / "seed0", trained / "seedling")


def _json(path: str, change: Callable[[Any], Any]) -> Prepare:
    def prepare(folder: Path) -> None:
        content = json.loads((folder / path).read_text())
        changed = change(content)
        (folder / path).write_text(json.dumps(content if changed is None else changed))

    return prepare


def _file(path: str, text: str | bytes) -> Prepare:
    return text_file(path, text)


RUN = "run/run.json"


def _record_is_a_folder(folder: Path) -> None:
    (folder / RUN).unlink()
    (folder / RUN).mkdir()


def _run_is_a_file(folder: Path) -> None:
    shutil.rmtree(folder / "run")
    (folder / "run").touch()


RUNS: dict[str, Prepare] = {
    "no run.json": lambda folder: (folder / RUN).unlink(),
    "run.json is text": _file(RUN, "<html>"),
    "run.json is empty": _file(RUN, ""),
    "run.json is a list": _file(RUN, "[]"),
    "run.json is a number": _file(RUN, "1" * 5000),
    "run.json is brackets": _file(RUN, "[" * 100_000),
    "run.json is UTF-16": _file(RUN, "{}".encode("utf-16")),
    "run.json is Latin-1": _file(RUN, b'{"a": "\xe9"}'),
    "no methods": _json(RUN, lambda info: info.pop("methods") and None),
    "no cells": _json(RUN, lambda info: info.pop("cells") and None),
    "schema 99": _json(RUN, lambda info: info | {"schema": 99}),
    "schema of escapes": _json(RUN, lambda info: info | {"schema": "\x1b[31m", "derainbench": "\x1b[32m"}),
    "run.json is a folder": _record_is_a_folder,
    **{f"run.json is {name}": unusual(RUN)[name] for name in ("a named pipe", "a link to itself")},
    "the folder is a file": _run_is_a_file,
}

EFFICIENCY: dict[str, Prepare] = {
    "text": _file("run/efficiency.json", "<html>"),
    "a list": _file("run/efficiency.json", "[]"),
    "brackets": _file("run/efficiency.json", "[" * 100_000),
    "a later one": _file("run/efficiency.json", '{"schema": 99}'),
    "escapes": _file("run/efficiency.json", '{"\\u001b[31m": 1}'),
    "a named pipe": unusual("run/efficiency.json")["a named pipe"],
}


def cases() -> Iterator[Case]:
    """Weights in every command that reads them, then what lies in a run folder."""
    for name, table in (("x.pth", WEIGHTS), ("x.safetensors", SAFETENSORS)):
        for what, prepare in table.items():
            kind, plugin = f"weights {name[2:]}", ("--plugin", "plugin.py")
            derain = ("derain", "photo.png", "--method", "tinycnn", "--weights", name, *plugin)
            add = ("weights", "add", "tinycnn@mine", name, "--trust-unknown", *plugin)
            export = ("weights", "export", name, "--method", "tinycnn", "--out", "new.pth", *plugin)
            yield Case(kind, f"{what}, derain", derain, name, prepare)
            yield Case(kind, f"{what}, add", add, name, prepare)
            if what.startswith(("a ", "expanded", "zeros")):
                yield Case(kind, f"{what}, export", export, name, prepare)
    again = run(methods="tinycnn", out="run")
    for what, prepare in CHECKPOINTS.items():
        yield Case("checkpoint", what, again, "checkpoint.pt", prepare, makes="run")
    for what, prepare in RUNS.items():
        yield Case("run folder", f"{what}, report", ("report", "run"), "run", prepare)
        yield Case("run folder", f"{what}, compare", ("compare", "run", "run"), "run", prepare)
    for what in (
        "run.json is text",
        "run.json is a list",
        "run.json is brackets",
        "run.json is a named pipe",
        "run.json is a folder",
        "schema 99",
        "the folder is a file",
    ):
        yield Case("run folder", f"{what}, run", again, "run", RUNS[what])
    odd = ("derain", "photo.png", "--method", "tinycnn", "--plugin", "plugin.py", "--weights", "run", "--out", "new")
    yield Case("run folder", "a seed that is none, derain", odd, "new/photo", _odd_seed, status=0, makes="new")
    failed = text_file("run/train/tinycnn/tiny/seed0/failed.json", '{"error": "\\u001b[31m\\u0007red"}')
    listed = ("report", "run", "--format", "csv", "--out", "new")
    yield Case("run folder", "an error of escapes, report", listed, "\\x1b[31m\\x07red", failed, status=0, makes="new")
    for what, prepare in EFFICIENCY.items():
        yield Case("run folder", f"efficiency.json is {what}", ("report", "run"), "efficiency.json", prepare)
