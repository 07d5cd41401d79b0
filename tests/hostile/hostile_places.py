"""Images that are none, folders and files where no command should write, and an environment that misleads."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from tests.hostile.hostile_case import NO_TEXT, Case, Prepare, nothing, run, shown, some
from tests.hostile.hostile_files import fifo, sparse, unix_socket, zeros


def _png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG with a header of its own and whatever pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.png")


def _to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def _terabyte(path: Path) -> None:
    path.unlink()
    sparse(path)


IMAGES: dict[str, Callable[[Path], object]] = {
    "empty": _bytes(b""),
    "text": _bytes(b"<html>"),
    "a Git LFS pointer": _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "zeros": _bytes(bytes(5000)),
    "PostScript": _bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "SVG": _bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "PDF": _bytes(b"%PDF-1.4\n"),
    "a signature alone": _bytes(b"\x89PNG\r\n\x1a\n"),
    "a bomb of 60,000 x 60,000": _bytes(_png(60_000, 60_000, bytes(100))),
    "no pixels": _bytes(_png(9, 9)),
    "no width": _bytes(_png(0, 9)),
    "2**31 wide": _bytes(_png(2**31 - 1, 1)),
    "cut": _cut,
    "a flipped byte": _flipped,
    "a JPEG's start": _bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    "a TIFF's start": _bytes(b"II*\x00\x08\x00\x00\x00"),
    "a GIF's start": _bytes(b"GIF89a\xff\xff\xff\xff"),
    "a BMP beyond all": _bytes(b"BM" + struct.pack("<IIIIiiHHI", 99, 0, 54, 40, 2**30, 2**30, 1, 24, 0) + bytes(60)),
    "a PPM of letters": _bytes(b"P6 a b 255\n"),
    "a PPM of 5,000 digits": _bytes(b"P6 " + b"1" * 5000 + b" 1 255\n"),
    "a named pipe": fifo,
    "/dev/zero": zeros,
    "a socket": unix_socket,
    "a link to nowhere": _to_nowhere,
    "a link to itself": _to_itself,
    "a terabyte": _terabyte,
}

#: The commands that read many images: which of them is broken, the exit status, and what is made all the same.
READS: dict[str, tuple[tuple[str, ...], str, int, str]] = {
    "overlap": (("datasets", "overlap", "pictures"), "pictures/a.png", 0, ""),
    "synth": (
        (
            "datasets",
            "synth",
            "--clean",
            "pictures",
            "--preset",
            "rain100l",
            "--name",
            "mine",
            "--out",
            "new",
            "--workers",
            "1",
        ),
        "pictures/a.png",
        2,
        "new",
    ),
    "verify": (("datasets", "verify", "tiny", "--card", "card.toml", "--workers", "1"), "data/test/rainy/x.png", 1, ""),
    "run": (run(), "data/test/rainy/x.png", 2, "new"),
    "run, trained on": (run(methods="tinycnn"), "data/train/rainy/b-1.png", 2, "new"),
}

#: Names that a photograph may have, and that no terminal should print.
FILE_NAMES = ["red\x1b[31m.png", "two\nlines.png", "bell\x07.png", "\u202egnp.exe.png", "long" * 60 + ".png"]

NAMED_FILES: dict[str, tuple[str, ...]] = {
    "derain": ("derain", "{}", "--method", "identity"),
    "card": ("datasets", "add", "{}"),
    "plugin": ("methods", "--plugin", "{}"),
    "weights": ("derain", "photo.png", "--method", "prenet", "--weights", "{}"),
}


def _image(place: str, make: Callable[[Path], object]) -> Prepare:
    return lambda folder: make(folder / place)


def _named(name: str) -> Prepare:
    """A file of that name that is no image."""
    return lambda folder: (folder / name).write_text("<html>")


def _link(place: str, to: str = "outside") -> Prepare:
    """A folder of the run exchanged for a link that leads out of it."""

    def prepare(folder: Path) -> None:
        (folder / to).mkdir(exist_ok=True)
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.rename(folder / to / "moved")
        path.symlink_to(folder / to)

    return prepare


def _own(name: str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / "paper").mkdir()
        (folder / "paper" / name).write_text("mine")

    return prepare


#: What --out is, what the line names, and what it stands on.
OUT: dict[str, tuple[str, Prepare]] = {
    "nothing": ("", nothing),
    "a file": ("photo.png", nothing),
    "below a file": ("photo.png/new", nothing),
    "a device": ("/dev/null", nothing),
    "below a device": ("/dev/null/new", nothing),
    "in /proc": ("/proc/new", nothing),
    "300 characters": ("o" * 300, nothing),
    "5,000 characters": ("o" * 5000, nothing),
    "5,000 characters of folders": ("o/" * 2500, nothing),
    "no UTF-8": (NO_TEXT, nothing),
    "a link to itself": ("loop", _image("loop", lambda path: path.symlink_to("loop"))),
    "a named pipe": ("pipe", _image("pipe", fifo)),
    "a socket": ("socket", _image("socket", unix_socket)),
    "a file of escapes": ("\x1b[31m", _image("\x1b[31m", lambda path: path.touch())),
}

WRITES: dict[str, tuple[str, ...]] = {
    "run": run(out="{}"),
    "run --dry-run": run("--dry-run", out="{}"),
    "report": ("report", "run", "--out", "{}"),
    "derain": ("derain", "photo.png", "--method", "identity", "--out", "{}"),
    "derain a folder": ("derain", "pictures", "--methods", "identity", "--out", "{}"),
    "synth": ("datasets", "synth", "--clean", "pictures", "--preset", "rain100l", "--name", "mine", "--out", "{}"),
    "weights export": (
        "weights",
        "export",
        "weights.pth",
        "--method",
        "tinycnn",
        "--plugin",
        "plugin.py",
        "--out",
        "{}",
    ),
    "efficiency": ("efficiency", "--methods", "identity", "--size", "8x8", "--repeats", "1", "--out", "{}"),
}

#: A dry run writes nothing, so that it need not refuse a folder which a run would.
DRY = {
    "a device",
    "below a device",
    "in /proc",
    "a file",
    "below a file",
    "a named pipe",
    "a socket",
    "a file of escapes",
    "a link to itself",
}

LINKS = {
    "train": "run/train",
    "the method's": "run/train/tinycnn",
    "the dataset's": "run/train/tinycnn/tiny",
    "the cell's": "run/train/tinycnn/tiny/seed0",
    "eval": "run/eval",
    "the evaluation's": "run/eval/tinycnn/tiny/seed0/tiny",
    "images": "run/eval/tinycnn/tiny/seed0/tiny/images",
    "manifests": "run/manifests",
}

#: Files of a report that somebody may have written in a folder of his own.
OWN = ("references.bib", "report.tex", "tables.tex", "report.md", "scores.csv", "results.json", "index.html")

#: Where no cache can be.
CACHES = {
    "a file": "photo.png",
    "below a file": "photo.png/cache",
    "a device": "/dev/null",
    "in /proc": "/proc/cache",
    "a link to itself": "loop",
}

#: Commands that read the cache, which they can do without, and what they print.
NEED_NO_CACHE: dict[str, tuple[tuple[str, ...], str]] = {
    "datasets": (("datasets",), "rain100l"),
    "methods": (("methods",), "nasnet"),
    "weights list": (("weights", "list"), "prenet"),
    "datasets show": (("datasets", "show", "rain100l"), "Rain100L"),
    "run --dry-run": (run("--dry-run"), "1 cells"),
    "verify": (("datasets", "verify", "tiny", "--card", "card.toml", "--workers", "1"), "usable"),
    "overlap": (("datasets", "overlap", "pictures"), "scene"),
    "derain": (("derain", "photo.png", "--method", "identity", "--out", "new"), "new"),
}

NEED_CACHE: dict[str, tuple[str, ...]] = {
    "weights add": ("weights", "add", "tinycnn@mine", "weights.pth", "--trust-unknown", "--plugin", "plugin.py"),
    "datasets add": ("datasets", "add", "card.toml"),
    "run demo": run(datasets="demo"),
}

DECODED = ("many", "-1", "nan", "1e400", "1" * 5000, "\x1b[31m", "0x10", "1 GiB", NO_TEXT)
DATA = ("photo.png", "nowhere", "d" * 300, "\x1b[31m", "/dev/null", NO_TEXT)


def cases() -> Iterator[Case]:
    """Every image in every command that reads one; every place in every command that writes; the environment."""
    yield from _images()
    yield from _paths()
    yield from _caches()
    for word in DECODED:
        environment, name = {"DERAINBENCH_DECODED_GIB": word}, f"DERAINBENCH_DECODED_GIB {shown(word)}"
        yield Case("environment", name, run(methods="tinycnn"), name[:23], environment=environment, makes="new")
    for word in DATA:
        said = "DERAINBENCH_DATA" if len(word) > 255 or word == NO_TEXT else "data root"
        for arguments in (("datasets",), run(datasets="rain100l")):
            what = f"DERAINBENCH_DATA {shown(word)}, {arguments[0]}"
            yield Case("environment", what, arguments, said, environment={"DERAINBENCH_DATA": word})
    for name in ("LANG", "LC_ALL"):
        what, show = f"{name} that does not exist", ("datasets", "show", "rain100l")
        yield Case("environment", what, show, "Rain100L", status=0, environment={name: "xx_YY"})


def _images() -> Iterator[Case]:
    for what, make in IMAGES.items():
        derain = ("derain", "photo.png", "--method", "identity")
        yield Case("image", f"{what}, derain", derain, "photo.png", _image("photo.png", make))
    for (command, (arguments, place, status, makes)), (what, make) in some(READS.items(), IMAGES.items(), 3):
        if (command, what) != ("overlap", "a link to itself"):  # which is the folder's mistake there, and ends it
            yield Case("image", f"{what}, {command}", arguments, place[-12:], _image(place, make), status, makes=makes)
    for name in FILE_NAMES:
        seen = max(re.split("[^ -~]", name), key=len)[:20]
        for command, arguments in NAMED_FILES.items():
            filled = tuple(name if each == "{}" else each for each in arguments)
            yield Case("image", f"called {shown(name)}, {command}", filled, seen, _named(name))


def _paths() -> Iterator[Case]:
    for (command, arguments), (what, (out, prepare)) in some(WRITES.items(), OUT.items(), 2):
        if command != "run --dry-run" or what not in DRY:
            filled = tuple(each.replace("{}", out) for each in arguments)
            yield Case("path", f"{command} --out {what}", filled, "", prepare)
    again = run(methods="tinycnn", out="run")
    for what, place in LINKS.items():
        yield Case("path", f"{what} folder of a run is a link", again, place, _link(place))
    report = ("report", "run", "--format", "csv")
    yield Case("path", "the report of a run is a link", report, "run/report", _link("run/report"))
    for name in OWN:
        report = ("report", "run", "--out", "paper")
        yield Case("path", f"report over one's own {name}", report, f"paper/{name}", _own(name))


def _caches() -> Iterator[Case]:
    loop = _image("loop", lambda path: path.symlink_to("loop"))
    for (what, cache), (command, (arguments, said)) in some(CACHES.items(), NEED_NO_CACHE.items(), 2):
        name, environment = f"DERAINBENCH_CACHE {what}, {command}", {"DERAINBENCH_CACHE": cache}
        yield Case("environment", name, arguments, said, loop, 0, environment, makes="new")
    wrong = {"300 characters": "c" * 300, "no UTF-8": NO_TEXT}
    for (what, cache), (command, arguments) in product({**CACHES, **wrong}.items(), NEED_CACHE.items()):
        name, environment = f"DERAINBENCH_CACHE {what}, {command}", {"DERAINBENCH_CACHE": cache}
        said = "DERAINBENCH_CACHE" if what in wrong else cache
        yield Case("environment", name, arguments, said, loop, environment=environment)
