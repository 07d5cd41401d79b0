"""Where the cases are tried: a folder with small images, a run and weights; each case in a process of its own."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.helpers.imported import import_everything
from tests.helpers.tiny_card import CARD
from tests.hostile.hostile_case import Case

#: A case that takes as long is ended: it hangs. Not what is measured, which is the time of the processor.
HANGS = 60.0

#: Of an error, with a name and a number of the cell before it.
LONGEST_LINE = 2200

#: So that an input that inflates ends its own process and not the machine.
MEMORY = 12 * 2**30

RECIPE = """
base = "quick"
steps = 4
batch = 1
patch = 8
checkpoint_every = 2
validate_every = 4
"""

PLUGIN = '''
from torch import nn

from derainbench import Derainer, Method, Recipe

RECIPE = Recipe(lr=1e-3, steps=4, batch=1, patch=8, loss="l1")


class Tiny(Derainer):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, rainy):
        return rainy - self.last(self.first(rainy))


class Deep(Derainer):
    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(layers)))

    def forward(self, rainy):
        return self.layers(rainy)


class Endless(Derainer):
    """Its layers hold nothing that is trained."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ReLU() for _ in range(layers))

    def forward(self, rainy):
        return rainy


TINY = Method(name="tinycnn", title="Tiny CNN", network=Tiny, recipe=RECIPE)
DEEP = Method(name="deep", title="Deep", network=Deep, recipe=RECIPE)
ENDLESS = Method(name="endless", title="Endless", network=Endless)
'''


@dataclass(frozen=True)
class Answer:
    """What a case got: the exit status, what was printed, seconds of processor time, and the files it changed."""

    status: int
    out: str
    err: str
    seconds: float
    changed: tuple[str, ...]

    def line(self, case: Case) -> str:
        """The line that the input got."""
        lines = [*self.err.splitlines(), *self.out.splitlines()]
        errors = [line for line in lines if line.startswith("error:")]
        return next((line for line in errors or lines if case.said in line), "")

    def wrong(self, case: Case) -> str:
        """What is wrong with the answer; empty where nothing is. Its time is not looked at."""
        line, told = self.line(case), (self.err or self.out)[-300:]
        alone = case.status != 2 or case.makes or len(self.err.splitlines()) == 1
        faults = {
            "a traceback": "Traceback" in self.out + self.err,
            f"exit status {self.status}, not {case.status}: {told}": self.status != case.status,
            f"not one line: {told}": not alone,
            f"no line with {case.said!r}: {told}": not line,
            f"a line of {len(line):,} characters": len(line) > LONGEST_LINE,
            f"control characters: {line!a}": not line.isprintable(),
            f"files changed: {', '.join(self.changed[:5])}": self.changed,
        }
        return next((fault for fault, found in faults.items() if found), "")


class Bench:
    """A folder with all that a case may need, copied for each; ``folder`` is where all of it lies."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.model = folder, folder / "model"
        torch.set_num_threads(1)  # threads do not survive a fork, and who waits for them waits for ever
        import_everything()
        _make(self.model)
        for arguments in (
            ("run", "--methods", "tinycnn", "--datasets", "tiny", "--card", "card.toml", "--plugin", "plugin.py",
             "--device", "cpu", "--recipe", "tiny.toml", "--out", "run"),
            ("weights", "export", "run/train/tinycnn/tiny/seed0/weights.safetensors", "--method", "tinycnn",
             "--plugin", "plugin.py", "--out", "weights.pth"),
        ):  # fmt: skip
            status, out, err, _ = self._process(arguments, self.model, {})
            assert status == 0, out + err

    def __call__(self, case: Case) -> Answer:
        """Try a case."""
        place = self.folder / "work"
        for old in (place, self.folder / "cache/weights", self.folder / "cache/cards"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(self.model, place, symlinks=True)
        with warnings.catch_warnings(action="ignore"):  # of the formats that hostile tensors are in
            case.prepare(place)
        before = snapshot(place) | snapshot(self.folder / "cache/weights") | snapshot(self.folder / "cache/cards")
        status, out, err, seconds = self._process(case.arguments, place, case.environment)
        after = snapshot(place) | snapshot(self.folder / "cache/weights") | snapshot(self.folder / "cache/cards")
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        allowed = {name for name in changed if case.makes and Path(name).is_relative_to(case.makes)}
        return Answer(status, out, err, seconds, tuple(sorted(changed - allowed)))

    def _process(
        self, arguments: Sequence[str], place: Path, environment: Mapping[str, str]
    ) -> tuple[int, str, str, float]:
        """A command in a fork of this process, which has torch already: exit status, output, seconds of processor."""
        out, err = self.folder / "stdout", self.folder / "stderr"
        child = os.fork()
        if not child:
            _in_child(arguments, place, environment, self.folder, out, err)
        began, waited, status = time.monotonic(), 0, 0
        while not waited:
            waited, status, usage = os.wait4(child, os.WNOHANG)
            if not waited and time.monotonic() - began > HANGS:
                os.kill(child, signal.SIGKILL)
                _, status, usage = os.wait4(child, 0)
                break
            time.sleep(0.002)
        seconds = usage.ru_utime + usage.ru_stime
        printed, told = (path.read_text(encoding="utf-8", errors="backslashreplace") for path in (out, err))
        return os.waitstatus_to_exitcode(status), printed, told, seconds


def snapshot(folder: Path) -> dict[str, str]:
    """What lies in a folder: a hash of each file, where each link leads, and folders."""
    found = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(above, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = f"link to {path.readlink()}"
            elif path.is_file():
                found[str(path.relative_to(folder))] = (
                    hashlib.sha256(path.read_bytes()).hexdigest() if path.stat().st_size < 2**28 else "large"
                )
            else:
                found[str(path.relative_to(folder))] = "folder" if path.is_dir() else "no file"
    return found


def _in_child(
    arguments: Sequence[str], place: Path, environment: Mapping[str, str], home: Path, out: Path, err: Path
) -> None:
    """Never returns."""
    gc.freeze()  # to look for garbage among what the parent has made would copy all of it
    status = 70
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.chdir(place)
        for name in [name for name in os.environ if name.startswith("DERAINBENCH_")]:
            del os.environ[name]
        os.environ |= {"DERAINBENCH_CACHE": str(home / "cache"), "HOME": str(home), "XDG_CACHE_HOME": str(home)}
        os.environ |= environment
        sys.argv = ["derainbench", *arguments]
        with _written(out, "strict") as stdout, _written(err, "backslashreplace") as stderr:
            warnings.resetwarnings()
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning
            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                status = _status()
    finally:
        os._exit(status)


def _status() -> int:
    from derainbench.cli.main import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
        return 1


@contextlib.contextmanager
def _written(path: Path, errors: str) -> Iterator[io.TextIOWrapper]:
    with path.open("w", encoding="utf-8", errors=errors) as stream:
        yield stream


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    print(f"{category.__name__}: {message}", file=sys.stderr)


def _make(folder: Path) -> None:
    random = np.random.default_rng(0)
    for split, scenes, rains in (("train", "abc", ("-1", "-2")), ("test", "xy", ("",))):
        for scene in scenes:
            clean = random.integers(0, 200, (24, 28, 3), dtype=np.uint8)
            _save(folder / "data" / split / "clean" / f"{scene}.png", clean)
            for rain in rains:
                rainy = clean + random.integers(0, 55, (24, 28, 1), dtype=np.uint8)
                _save(folder / "data" / split / "rainy" / f"{scene}{rain}.png", rainy)
    _save(folder / "photo.png", random.integers(0, 255, (16, 20, 3), dtype=np.uint8))
    for name in "ab":
        _save(folder / "pictures" / f"{name}.png", random.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    (folder / "card.toml").write_text(CARD)
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "plugin.py").write_text(PLUGIN)


def _save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
