"""The hash of a method's code: it follows what a result depends on, and nothing else."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from derainbench.plugins.registry import discover

METHOD = """
from torch import Tensor
from derainbench.plugins.method import Derainer, Method
{imports}

class Net(Derainer):
    '''A network.'''
    def forward(self, rainy: Tensor) -> Tensor:
        return {body}

NET = Method(name="net", title="Net", network=Net)
"""


def digest(path: Path, imports: str = "", body: str = "rainy * 2") -> str:
    path.write_text(METHOD.format(imports=imports, body=body))
    return discover([path]).variant("net").source_digest()


def test_code_counts_and_comments_do_not(tmp_path: Path) -> None:
    original = digest(tmp_path / "net.py")
    path = tmp_path / "commented.py"
    path.write_text((tmp_path / "net.py").read_text().replace("'''A network.'''", "'''Another word.'''  # and more"))
    assert discover([path]).variant("net").source_digest() == original
    assert digest(tmp_path / "other.py", body="rainy * 3") != original


def test_a_file_beside_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper function imported from a shared file is part of the method."""
    monkeypatch.syspath_prepend(str(tmp_path))
    helper = tmp_path / "shared_layers_of_test.py"
    digests = []
    for code in ("x * 2", "x * 3", "x * 2  # a comment"):
        helper.write_text(f"def scale(x):\n    return {code}\n")
        sys.modules.pop(helper.stem, None)
        importlib.invalidate_caches()
        digests.append(digest(tmp_path / "net.py", f"from {helper.stem} import scale", "scale(rainy)"))
    assert digests[0] != digests[1]
    assert digests[0] == digests[2]


def test_every_shipped_method_has_its_own() -> None:
    registry = discover()
    assert len({registry.variant(name).source_digest() for name in registry.working()}) == len(registry.working())


def test_a_file_is_parsed_once_for_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from derainbench.plugins import code_digest as source

    parsed: list[str] = []
    code_only = source._code_only

    def watched(text: str) -> str:
        parsed.append(text)
        return code_only(text)

    monkeypatch.setattr(source, "_code_only", watched)
    path = tmp_path / "net.py"
    first = digest(path)
    registry = discover([path])
    assert {registry.variant("net").source_digest() for _ in range(20)} == {first}
    assert len(parsed) == 1
    assert digest(path, body="rainy * 5 + 1") != first, "as long as it does not change"
