"""Files that people write, as they should not be: cards, recipes, tables, suites, figures, plugins."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.hostile_case import Case, Prepare, run, text_file

CARD = """name = "mine"
title = "Mine"
rain_model = "streak"
kind = "synthetic"
root = "data"
[[layouts]]
name = "flat"
test = { rainy = "test/rainy/{scene}.png", clean = "test/clean/{scene}.png" }
"""

TABLE = """paper = "ours"
caption = "Ours"
columns = [{ dataset = "rain100l", title = "Rain100L" }]
[[rows]]
title = "PReNet"
measure = { method = "prenet" }
published.rain100l = { psnr = "37.48", ssim = ".979", protocol = "y", source = "ours" }
[sources.ours]
short = "Ours"
text = "Our paper."
"""

FIGURE = """number = "1"
paper = "Ours"
caption = "Ours"
[[series]]
title = "SE"
module = "derainbench.methods.nasnet:SqueezeExcitation"
arguments = { width = 64 }
vary = "reduction"
values = [1]
label = "SE, {}"
"""


def fifo(path: Path) -> None:
    """A named pipe: who opens it waits for ever."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def zeros(path: Path) -> None:
    """A link to a device that never ends."""
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    """A socket."""
    path.unlink(missing_ok=True)
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def sparse(path: Path) -> None:
    """A terabyte that takes no disk."""
    with path.open("wb") as file:
        file.truncate(2**40)


def _at(name: str, make: object) -> Prepare:
    return lambda folder: make(folder / name)  # type: ignore[operator]


def unusual(name: str) -> dict[str, Prepare]:
    """What is no file of the kind at all, whatever kind it should be."""
    dots = ".".join("a" * 100_000)
    return {
        "a named pipe": _at(name, fifo),
        "/dev/zero": _at(name, zeros),
        "a socket": _at(name, unix_socket),
        "a folder": lambda folder: (folder / name).unlink(missing_ok=True) or (folder / name).mkdir(),
        "not there": lambda folder: (folder / name).unlink(missing_ok=True),
        "a link to itself": lambda folder: (folder / name).unlink(missing_ok=True) or (folder / name).symlink_to(name),
        "a terabyte": _at(name, sparse),
        "an image": lambda folder: (folder / name).write_bytes((folder / "photo.png").read_bytes()),
        "UTF-16": text_file(name, 'a = "b"'.encode("utf-16")),
        "Latin-1": text_file(name, 'a = "caf\xe9"'.encode("latin-1")),
        "a hundred thousand dots": text_file(name, f"{dots} = 1"),
        "a table of a hundred thousand dots": text_file(name, f"[{dots}]"),
        "quoted dots": text_file(name, ".".join(['"a"'] * 50_000) + " = 1"),
        "spaced dots": text_file(name, " . ".join(["a"] * 50_000) + " = 1"),
        "a hundred thousand brackets": text_file(name, "a = " + "[" * 100_000),
        "nested tables": text_file(name, "a = " + "{a = " * 20_000),
        "900 brackets": text_file(name, "a = " + "[" * 900 + "]" * 900),
        "a number of 5,000 digits": text_file(name, f"name = {'1' * 5000}"),
        "a hexadecimal number of 50,000 digits": text_file(name, f"name = 0x{'f' * 50_000}"),
        "a key of escape sequences": text_file(name, '"\\u001b[31m" = 1'),
        "a value of escape sequences": text_file(name, 'name = "\\u001b]0;title\\u0007"'),
        "a text of a megabyte": text_file(name, f'name = "{"x" * 2**20}"'),
        "a key of a megabyte": text_file(name, f"{'x' * 2**18} = 1"),
        "a hundred thousand keys": text_file(name, "\n".join(f"k{i} = 1" for i in range(100_000))),
        "thirty thousand keys": text_file(name, "\n".join(f"k{i} = 1" for i in range(30_000))),
        "an unfinished string": text_file(name, 'name = """' + "x" * 100_000),
        "quotation marks": text_file(name, '"' * 100_000),
        "a NUL byte": text_file(name, b"a = 1\x00"),
        "control characters": text_file(name, b"\x1b[31m = 1\x07"),
        "one key twice": text_file(name, "a = 1\na = 2"),
    }


#: What each kind of file is called, and the command that reads it.
READ_BY = {
    "card": ("x.toml", run("--card", "x.toml", datasets="mine"), "card x.toml"),
    "added card": ("x.toml", ("datasets", "add", "x.toml"), "card x.toml"),
    "recipe": ("x.toml", run("--recipe", "x.toml", methods="tinycnn"), "recipe"),
    "table": ("x.toml", ("report", "run", "--table", "x.toml"), "table x.toml"),
    "table spec": ("x.toml", ("table", "run", "--spec", "x.toml"), "table spec x.toml"),
    "suite": ("x.toml", ("run", "--suite", "x.toml", "--out", "new"), "suite x.toml"),
    "figure": ("x.toml", ("efficiency", "--figure", "x.toml"), "figure x.toml"),
    "sources": ("sources.toml", ("report", "run", "--table", "own.toml"), "table"),
}

#: A folder without sources.toml is as good as any; and what is no Python file either.
NO_SOURCES = {"not there", "a folder", "a named pipe", "/dev/zero", "a socket", "a link to itself"}
NO_PLUGIN = NO_SOURCES | {"a terabyte", "an image"}

RECIPES = {
    "lr": ("0", "-1", "nan", "inf", '"x"', "[]"),
    "betas": ("[1.0, 0.9]", "[0.9, 1.0]", "[-0.1, 0.9]", "[nan, 0.9]", "[0.9]", "[0.9, 0.9, 0.9]", "[0.9, inf]", "0.9"),
    "eps": ("0", "-1e-8", "nan", "inf"),
    "weight_decay": ("-1", "nan", "inf"),
    "gamma": ("0", "-1", "nan", "inf"),
    "clip": ("0", "-1", "nan", "inf"),
    "batch": ("0", "-1", "1.5", "1_000_000_000", "99999999999999999999"),
    "patch": ("0", "-8", "1_000_000_000", '"8x"', "2.5"),
    "stride": ("0", "-1", "1_000_000_000"),
    "steps": ("0", "-5", "1.5", "1_000_000_000_000_000", "99999999999999999999"),
    "epochs": ("0", "-1"),
    "lr_min": ("-1", "nan", "1e9"),
    "warmup": ("-0.1", "1", "nan"),
    "warmup_within": ("true",),
    "periods": ("[1, 2]", "[0]"),
    "period_minima": ("[0.1]",),
    "rate_lag": ("-1", "1000000"),
    "rate_by": ('"hour"',),
    "progressive": (
        "[[1, 32]]",
        "[[1, 32, 0]]",
        "[[1, 32, 2, 3]]",
        "[1]",
        '"all"',
        "[[nan, 32, 2]]",
        "[[1, 16384, 9]]",
    ),
    "mixup": ("0", "-1", "inf"),
    "mixup_identity": ("true",),
    "ema": ("0", "1", "nan"),
    "initial": ('"nothing"', '"prenet@rain100l"', '"tinycnn@none"', "3", '"a b"'),
    "milestones": ("[0]", "[1.0]", "[nan]", "[-0.5]", "0.5", "[[0.5]]"),
    "validation": ("1", "-0.1", "nan", "1.5"),
    "validate_every": ("0", "-1", "0.5"),
    "checkpoint_every": ("0", "-1"),
    "optimiser": ('"adamz"', "1", '""'),
    "schedule": ('"step"', "[]"),
    "augment": ('["spin"]', '"hflip"', "[1]"),
    "loss": ('"l3"', '""', '"\\u001b[31m"', f'"{"l" * 300}"'),
    "base": ('"slow"', "1"),
    "methods": ("1", '["tinycnn"]', "{ tinycnn = 1 }", "{ nosuch = {} }"),
    "learning_rate": ("1",),
}

CARDS = {
    "no name": ('name = "mine"', ""),
    "a long name": ('"mine"', f'"{"m" * 300}"'),
    "a name with a slash": ('"mine"', '"a/b"'),
    "a name of escapes": ('"mine"', '"\\u001b[31m"'),
    "a reserved name": ('"mine"', '"all"'),
    "a name that is taken": ('"mine"', '"rain100l"'),
    "an unknown rain model": ('"streak"', '"hail"'),
    "an unknown kind": ('"synthetic"', '"odd"'),
    "a root of escapes": ('"data"', '"\\u001b[31m"'),
    "a long root": ('"data"', f'"{"r" * 300}"'),
    "a root that is a file": ('"data"', '"photo.png"'),
    "a root that is not there": ('"data"', '"nowhere"'),
    "a root that is a link to itself": ('"data"', '"loop"'),
    "a root that is a number": ('"data"', "1"),
    "no layouts": ("[[layouts]]", "[[layout]]"),
    "a pattern without field": ("test/rainy/{scene}.png", "test/rainy/x.png"),
    "a pattern that leaves": ("test/rainy/{scene}.png", "../{scene}.png"),
    "a pattern of the root": ("test/rainy/{scene}.png", "/etc/{scene}.png"),
    "a pattern of escapes": ("test/rainy/{scene}.png", "\\u001b{scene}.png"),
    "a pattern with a star": ("test/rainy/{scene}.png", "*/{scene}.png"),
    "a field without end": ("test/rainy/{scene}.png", "test/rainy/{scene.png"),
    "a number of 5,000 digits": ("test/rainy/{scene}.png", "test/rainy/{scene:1.." + "9" * 5000 + "}.png"),
    "a pattern of 100,000 characters": ("test/rainy/{scene}.png", "test/rainy/{scene}" + "x" * 100_000),
    "a pattern of 300 characters": ("test/rainy/{scene}.png", "test/rainy/{scene}" + "x" * 300),
    "5,000 fields": ("test/rainy/{scene}.png", "test/rainy/{scene}" + "".join(f"-{{f{i}}}" for i in range(5000))),
    "texts side by side": ("test/rainy/{scene}.png", "test/rainy/{a}{b}{c}{d}{e}{f}{scene}.png"),
    "numbers side by side": ("test/rainy/{scene}.png", "test/rainy/{a:d}{b:d}{scene}.png"),
    "an unknown key": ('title = "Mine"', 'title = "Mine"\ncolour = 1'),
    "counts below none": ('title = "Mine"', 'title = "Mine"\ncounts = { test = -1 }'),
    "counts beyond all": ('title = "Mine"', 'title = "Mine"\ncounts = { test = 99999999999 }'),
    "a score that is none": (
        'title = "Mine"',
        'title = "Mine"\ninput_score = { protocol = "y", psnr = nan, ssim = 2 }',
    ),
    "an unknown protocol": ('title = "Mine"', 'title = "Mine"\ninput_score = { protocol = "z", psnr = 1, ssim = 1 }'),
    "a size that is none": ('title = "Mine"', 'title = "Mine"\ntest_sizes = { "0x0" = 1 }'),
    "scenes named twice": ('title = "Mine"', 'title = "Mine"\nsame_scene = { test = [["a", "a"]] }'),
    "a scene of 5,000 digits": ('title = "Mine"', f'title = "Mine"\nsame_scene = {{ test = [["{"1" * 5000}", "b"]] }}'),
    "a folder that leaves": ('name = "flat"', 'name = "flat"\nfolders = [".."]'),
    "layers called clean": (" }", ', layers = { clean = "x/{scene}.png" } }'),
}

#: Patterns that match, or nearly, names that a search by trial would take ages over.
PATTERNS = {
    "six texts with dashes": ("{a}-{b}-{c}-{d}-{e}-{f}x.png", "-" * 200 + ".png"),
    "eight texts with dashes": ("{a}-{b}-{c}-{d}-{e}-{f}-{g}-{h}x.png", "a-" * 100 + ".png"),
    "six texts with zeros": ("{a}0{b}0{c}0{d}0{e}0{f}x.png", "0" * 200 + ".png"),
    "texts and numbers": ("{a}-{b:d}-{c}-{d:d}-{e}-{f:d}x.png", "1-" * 100 + ".png"),
    "texts beside numbers": ("{a}{b:d}-{c}{d:d}-{e}{f:d}x.png", "1" * 100 + "-" + "1" * 100 + ".png"),
    "texts that may be missing": ("{a?}-{b?}-{c?}-{d?}-{e?}-{f?}x.png", "-" * 200 + ".png"),
    "one text used twice": ("{a}-{b}-{c}-{a}-{d}-{e}x.png", "a-" * 100 + ".png"),
    "folders": ("{a}-{b}-{c}/{d}-{e}-{f}x.png", "-" * 100 + "/" + "-" * 100 + ".png"),
}

TABLES = {
    "no paper": ('paper = "ours"\n', ""),
    "an unknown source": ('source = "ours"', 'source = "theirs"'),
    "an unknown dataset": ('"rain100l"', '"nowhere"'),
    "an unknown protocol": ('"y"', '"z"'),
    "a number without quotes": ('"37.48"', "37.48"),
    "a score of letters": ('"37.48"', '"high"'),
    "a score of 300 digits": ('"37.48"', f'"{"3" * 300}"'),
    "a method that is no name": ('"prenet"', '"pre net["'),
    "a method of 300 characters": ('"prenet"', f'"{"p" * 300}"'),
    "a recipe without such a field": ('"prenet" }', '"prenet", recipe = { speed = 1 } }'),
    "a recipe with a bad value": ('"prenet" }', '"prenet", recipe = { lr = -1 } }'),
    "a recipe with infinite eps": ('"prenet" }', '"prenet", recipe = { eps = inf } }'),
    "a title of escapes": ('title = "PReNet"', 'title = "\\u001b[31m"\ncolour = 1'),
    "a title of 5,000 characters": ('title = "PReNet"', f'title = "{"t" * 5000}"\ncolour = 1'),
    "BibTeX that does not end": ('text = "Our paper."', 'text = "Our paper."\nbibtex = "@article{a, title = {"'),
    "rows that are none": ("[[rows]]", "[rows]"),
    "sources that are none": ("[sources.ours]\nshort", "[sources]\nours = 1\nshort"),
}

SUITES = {
    "no tables": "tables = []",
    "tables that are none": "tables = 1",
    "a table that is not there": 'tables = ["nowhere.toml"]',
    "an unknown table": 'tables = ["nasnet/99"]',
    "itself": 'tables = ["s.toml"]',
    "a table of 300 characters": f'tables = ["{"t" * 300}"]',
    "a table file of 300 characters": f'tables = ["{"t" * 300}.toml"]',
    "a table of escapes": 'tables = ["\\u001b[31m"]',
    "a long name": f'name = "{"n" * 300}"\ntables = ["nasnet/1"]',
    "a name that leaves": 'name = "../x"\ntables = ["nasnet/1"]',
    "an unknown key": 'tables = ["nasnet/1"]\ncolour = 1',
    "a table": TABLE,
}

_LAYERS = ':NASNet"\nvary = "stages"\nvalues = [999999999]'

FIGURES = {
    "no series": (FIGURE[FIGURE.index("[[series]]") :], ""),
    "a module that is not there": ("derainbench.methods.nasnet", "derainbench.methods.nowhere"),
    "a class that is not there": (":SqueezeExcitation", ":Nothing"),
    "no module": ("derainbench.methods.nasnet:SqueezeExcitation", "os:getcwd"),
    "a value of nothing": ("[1]", "[0]"),
    "an argument that does not exist": ("width = 64", "depth = 64"),
    "a width beyond all": ("width = 64", "width = 999999999999"),
    "as many layers": (FIGURE[FIGURE.index(":Squeeze") : FIGURE.index("\nlabel")], _LAYERS),
    "a label without value": ("SE, {}", "SE"),
}

_RECIPE = 'from derainbench.plugins.recipe import Recipe\nRecipe({}, steps=1, batch=1, patch=1, loss="l1")'

PLUGINS: dict[str, str | bytes] = {
    "a mistake in it": "def (",
    "no method": "x = 1",
    "sys.exit": "import sys\nsys.exit(0)",
    "os escapes": 'raise RuntimeError("\\x1b[31m\\x07red")',
    "an error of a megabyte": 'raise RuntimeError("x" * 2**20)',
    "an error of many lines": 'raise RuntimeError("one\\ntwo\\n" * 1000)',
    "an error with a surrogate": 'raise RuntimeError("\\udce9")',
    "NUL bytes": b"x = 1\x00",
    "Latin-1": b"# caf\xe9\nx = '\xe9'",
    "brackets": "x = " + "(" * 10_000,
    "a bad recipe": _RECIPE.format('lr=float("nan")'),
    "bad betas": _RECIPE.format("lr=1, betas=(2, 2)"),
    "a module that is not there": "import nowhere_at_all",
    "nothing": "",
}


def cases() -> Iterator[Case]:
    """Every kind of file in every bad state, then what each kind can have wrong by itself."""
    yield from _unusual()
    yield from _with_a_mark()
    yield from _recipes()
    yield from _cards()
    yield from _papers()
    yield from _plugins()


def _unusual() -> Iterator[Case]:
    for number, (kind, (name, arguments, said)) in enumerate(READ_BY.items()):
        # each state in every third kind, in a card all of them
        for what, prepare in list(unusual(name).items())[number % 3 :: 3 if number else 1]:
            if kind != "sources":
                yield Case(f"{kind} file", what, arguments, said, prepare)
            elif what not in NO_SOURCES:
                yield Case(f"{kind} file", what, arguments, said, _both(text_file("own.toml", TABLE), prepare))


def _with_a_mark() -> Iterator[Case]:
    """Notepad begins its files with one."""
    of_table = ("report", "run", "--table", "x.toml", "--format", "csv", "--out", "new")
    for kind, text, arguments, said, makes in (
        ("card", CARD, ("datasets", "show", "mine", "--card", "x.toml"), "Mine", ""),
        ("recipe", "steps = 1", run("--recipe", "x.toml", "--dry-run", methods="tinycnn"), "x.toml", ""),
        ("table", TABLE, of_table, "scores.csv", "new"),
        ("figure", FIGURE, ("efficiency", "--figure", "x.toml"), "SE, 1", ""),
    ):
        prepare = text_file("x.toml", b"\xef\xbb\xbf" + text.encode())
        yield Case(f"{kind} file", "a byte order mark", arguments, said, prepare, status=0, makes=makes)


def _recipes() -> Iterator[Case]:
    arguments = run("--recipe", "x.toml", methods="tinycnn")
    for name, values in RECIPES.items():
        for value in values:
            text = f"{name} = {value}"
            what, said = text if len(text) < 60 else f"{text[:50]}...", "recipe" if name == "methods" else name
            yield Case("recipe", what, arguments, said, text_file("x.toml", text))
    for what, text in {"batch": "batch = 4096\npatch = 4096", "epochs": "steps = 1\nepochs = 1\nstride = 1"}.items():
        yield Case("recipe", text.replace("\n", ", "), arguments, what, text_file("x.toml", text))


def _cards() -> Iterator[Case]:
    arguments, said = ("datasets", "add", "x.toml"), "card x.toml"
    for what, (old, new) in CARDS.items():
        assert old in CARD
        card = text_file("x.toml", CARD.replace(old, new, 1))
        seen = "loop" if new == '"loop"' else said
        yield Case("card", what, arguments, seen, _both(card, lambda folder: (folder / "loop").symlink_to("loop")))
    for what, (pattern, file) in PATTERNS.items():
        text = CARD.replace("test/rainy/{scene}.png", f"hard/{pattern}")
        card = text_file("x.toml", text.replace("test/clean/{scene}.png", f"soft/{pattern}"))
        yield Case("pattern", what, arguments, said, _both(card, _hard(file)))


def _papers() -> Iterator[Case]:
    """Tables, suites and figures."""
    suite = ("run", "--suite", "s.toml", "--out", "new")
    for number, (what, (old, new)) in enumerate(TABLES.items()):
        assert old in TABLE
        table = text_file("x.toml", TABLE.replace(old, new, 1))
        yield Case("table", what, ("report", "run", "--table", "x.toml"), "table x.toml", table)
        if number % 3 == 0:
            both = _both(table, text_file("s.toml", 'tables = ["x.toml"]'))
            yield Case("suite", f"with a table with {what}", suite, "table x.toml", both)
    for what, text in SUITES.items():
        yield Case("suite", what, suite, "", text_file("s.toml", text))
    for what, (old, new) in FIGURES.items():
        assert old in FIGURE
        figure = text_file("x.toml", FIGURE.replace(old, new, 1))
        yield Case("figure", what, ("efficiency", "--figure", "x.toml"), "figure x.toml", figure)


def _plugins() -> Iterator[Case]:
    listed, checked = ("methods", "--plugin", "x.py"), ("check", "x.py")
    for what, source in PLUGINS.items():
        yield Case("plugin", what, listed, "plugin x.py", text_file("x.py", source))
    for what, prepare in unusual("x.py").items():
        if what in NO_PLUGIN:
            yield Case("plugin", what, listed, "plugin x.py", prepare)
            yield Case("plugin", f"{what}, checked", checked, "plugin x.py", prepare)


def _both(one: Prepare, other: Prepare) -> Prepare:
    return lambda folder: (one(folder), other(folder))


def _hard(name: str) -> Prepare:
    def prepare(folder: Path) -> None:
        path = folder / "data" / "hard" / name
        path.parent.mkdir(parents=True)
        path.touch()

    return prepare
