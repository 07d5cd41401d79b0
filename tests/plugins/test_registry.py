"""Finding methods: entry points, plugin files, and what is wrong with either."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from derainbench.plugins.method import Derainer, Method
from derainbench.plugins.names import GROUP
from derainbench.plugins.registry import Registry, discover

Refused = Callable[..., AbstractContextManager[None]]

PLUGIN = """
from derainbench.plugins.method import Derainer, Method

class Net(Derainer):
    def __init__(self, stages: int = 1):
        super().__init__()

{names} = Method(name="{name}", title="A net", network=Net)
"""


def plugin(path: Path, name: str = "mine", names: str = "NET") -> Path:
    """A plugin file that defines a method."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PLUGIN.format(name=name, names=names))
    return path


def entry(name: str, value: str) -> EntryPoint:
    """An entry point as an installed package would declare it."""
    return EntryPoint(name, value, GROUP)


def test_the_methods_that_come_along_are_found_through_entry_points() -> None:
    registry = discover()
    assert {"identity", "nasnet", "prenet"} <= set(registry.working()) <= set(registry.names())
    assert registry.get("prenet").name == "prenet"
    assert "derainbench.methods.prenet:PRENET" in registry.origin("prenet")
    assert registry.variant("nasnet[stages=2]").options == {"stages": 2}


def test_an_unknown_name_suggests_a_near_one(refused: Refused) -> None:
    with refused("'pernet'", "did you mean 'prenet'?"):
        discover().get("pernet")
    with refused("'xyz'", "known: ", "identity", "in a file of yours: give --plugin FILE"):
        discover().get("xyz")


def test_a_plugin_file(tmp_path: Path) -> None:
    path = plugin(tmp_path / "method.py", names="NET = ALSO_NET")
    registry = discover([path])
    assert registry.variant("mine[stages=2]").name == "mine[stages=2]"
    assert registry.origin("mine") == f"file {path}"


def test_a_plugin_file_is_run_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as Python compiled another text of the same length a moment ago; and nothing is left beside the file."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "method.py"
    for title in ("A net", "B net"):
        path.write_text(PLUGIN.format(name="mine", names="NET").replace("A net", title))
        os.utime(path, (1_600_000_000, 1_600_000_000))
        assert discover([path]).get("mine").title == title
    assert [each.name for each in tmp_path.iterdir()] == ["method.py"]


def beside(folder: Path, name: str, width: int) -> Path:
    """A plugin whose network takes its width from a file and a package beside it."""
    path = plugin(folder / f"{name}.py", name)
    path.write_text("from own_layers import WIDTH\nfrom own_package.deep import DEPTH\n" + path.read_text())
    (folder / "own_layers.py").write_text(f"WIDTH = {width}\n")
    (folder / "own_package").mkdir(exist_ok=True)
    (folder / "own_package/__init__.py").write_text("")
    (folder / "own_package/deep.py").write_text("DEPTH = 3\n")
    return path


def test_a_plugin_imports_what_lies_beside_it(tmp_path: Path, refused: Refused) -> None:
    path, searched = beside(tmp_path / "a", "first", 8), list(sys.path)
    first = discover([path]).variant("first")
    module = sys.modules[first.method.network.__module__]
    assert (module.WIDTH, module.DEPTH) == (8, 3)
    assert sys.path == searched, "only while it is loaded"
    assert not list((tmp_path / "a").rglob("__pycache__"))
    before = first.source_digest()
    beside(tmp_path / "a", "first", 10)
    again = discover([path]).variant("first")
    assert sys.modules[again.method.network.__module__].WIDTH == 10, "as it is now"
    assert again.source_digest() != before, "what lies beside it counts as its code"
    (tmp_path / "a/own_package/deep.py").write_text("DEPTH = 4\n")
    assert again.source_digest() != discover([path]).variant("first").source_digest()
    other = beside(tmp_path / "b", "second", 16)
    with refused("second.py", "it imports own_layers, and so does a plugin in", "rename one"):
        discover([path, other])
    assert sys.modules["own_layers"].WIDTH == 10


def test_two_plugin_files_of_one_name(tmp_path: Path) -> None:
    registry = discover([plugin(tmp_path / "a/method.py", "first"), plugin(tmp_path / "b/method.py", "second")])
    networks = {registry.get(name).network for name in ("first", "second")}
    assert len({network.__module__ for network in networks}) == 2


def test_a_name_that_is_taken_names_both_places(tmp_path: Path, refused: Refused) -> None:
    path = plugin(tmp_path / "p.py", "prenet")
    with refused("two methods are called 'prenet'", "derainbench.methods.prenet", str(path), "rename"):
        discover([path])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1", ["defines no Method", "add NAME = Method("]),
        ("def broken(:", ["does not import", "SyntaxError", "mend it"]),
        ("raise RuntimeError('two\\nlines')", ["does not import", "RuntimeError: two lines"]),
        ("import no_such_module_here", ["does not import", "no_such_module_here"]),
    ],
)
def test_a_plugin_file_that_does_not_work(tmp_path: Path, content: str, words: list[str], refused: Refused) -> None:
    path = tmp_path / "p.py"
    path.write_text(content)
    with refused(str(path), *words):
        discover([path])


def test_what_is_no_plugin_file(tmp_path: Path, refused: Refused) -> None:
    with refused(str(tmp_path / "no.py"), "no such file"):
        discover([tmp_path / "no.py"])
    with refused(str(tmp_path), "no such file"):
        discover([tmp_path])
    (tmp_path / "p.txt").write_text("x = 1")
    with refused("p.txt", "must end in .py"):
        discover([tmp_path / "p.txt"])


def test_a_broken_package_breaks_its_own_method_only(refused: Refused) -> None:
    registry = Registry()
    registry.add_entry(entry("broken", "no_such_module_here:NET"))
    registry.add_entry(entry("identity", "derainbench.methods.identity:IDENTITY"))
    assert registry.names() == ["broken", "identity"]
    assert registry.working() == ["identity"]
    with refused("'broken'", "ModuleNotFoundError", "no_such_module_here", "mend or uninstall"):
        registry.get("broken")


@pytest.mark.parametrize(
    ("value", "found"),
    [("derainbench.methods.identity:IDENTITY", "'identity'"), ("derainbench.methods.identity:Identity", "a type")],
)
def test_an_entry_point_that_gives_something_else(value: str, found: str, refused: Refused) -> None:
    registry = Registry()
    registry.add_entry(entry("net", value))
    with refused("entry point 'net'", value, found, "must give Method 'net'"):
        registry.get("net")


def test_a_method_can_be_added_once(refused: Refused) -> None:
    registry, method = Registry(), Method(name="net", title="Net", network=Derainer)
    registry.add(method, "here")
    assert registry.get("net") is method
    with refused("'net'", "here", "there"):
        registry.add(method, "there")


def test_a_title_that_would_move_the_cursor_is_refused(refused: Refused) -> None:
    with refused("mine: the title", "holds a control character"):
        Method(name="mine", title="A \x1b[31mnet", network=Derainer)
