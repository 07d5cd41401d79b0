"""The code that a result depends on: a hash of its own source files, without what changes no result."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from types import ModuleType

#: Where a module keeps what :func:`say_beside` says.
_BESIDE = "__imported_beside__"


def say_beside(module: ModuleType, others: list[ModuleType]) -> None:
    """Let a module's code be that of ``others``, too: of a constant nobody could tell from which of them it is."""
    setattr(module, _BESIDE, others)


def code_digest(definitions: Iterable[type | Callable[..., object]]) -> str:
    """Hash of the files that define these classes or functions, and of the files beside them whose names those use.

    A shared layers file next to a method's counts, and all that a plugin's file has imported from its folder; libraries
    (torch, derainbench itself) do not: the harness has its own revision. The same code gives the same hash wherever the
    files lie.
    """
    waiting = [module for each in definitions if (module := _module_of(each)) is not None]
    seen: dict[str, Path] = {}
    while waiting:
        module = waiting.pop()
        path = _file_of(module)
        if path is None or module.__name__ in seen:
            continue
        seen[module.__name__] = path
        waiting += vars(module).get(_BESIDE, [])
        waiting += [used for used in _used_by(module) if (file := _file_of(used)) and file.parent == path.parent]
    codes = sorted(_code_of(path) for path in set(seen.values()))
    return hashlib.sha256("\0".join(codes).encode()).hexdigest()


def _module_of(definition: type | Callable[..., object]) -> ModuleType | None:
    name = getattr(definition, "__module__", None) or ""  # what a library makes at run time may have none
    library = name.partition(".")[0] in ("torch", "builtins", "typing", "lightning_fabric")
    harness = name.startswith("derainbench.") and not name.startswith("derainbench.methods.")
    return None if library or harness else sys.modules.get(name)


def _used_by(module: ModuleType) -> list[ModuleType]:
    names = {getattr(value, "__module__", None) for value in vars(module).values()}
    modules = [value for value in vars(module).values() if isinstance(value, ModuleType)]
    return modules + [sys.modules[name] for name in names if isinstance(name, str) and name in sys.modules]


def _file_of(module: ModuleType) -> Path | None:
    try:
        file = inspect.getsourcefile(module)
    except TypeError:
        return None
    return Path(file) if file else None


def _describes(statement: ast.stmt) -> bool:
    """Whether a statement of a module only makes a ``Method``."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Method"


def _leave_what_measures(statement: ast.stmt) -> None:
    """Of a statement that makes an ``ImageMetric`` only the function, which may stand there: titles measure nothing."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "ImageMetric":
        value.keywords = [keyword for keyword in value.keywords if keyword.arg == "measure"]


def _is_of_the_harness(statement: ast.stmt) -> bool:
    """Whether a statement imports from derainbench, which has its own revision."""
    return isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == "derainbench"


def _code_of(path: Path) -> str:
    """A file's code, worked out once as long as the file does not change: a run asks for it with every cell."""
    facts = path.stat()
    return _code_of_unchanged(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=256)
def _code_of_unchanged(path: Path, modified: int, size: int) -> str:
    return _code_only(path.read_text(encoding="utf-8"))


def _code_only(source: str) -> str:
    tree = ast.parse(source)
    # A title or a citation changes no result, nor does where the harness keeps a name; options and recipe are hashed on
    # their own.
    tree.body = [statement for statement in tree.body if not (_describes(statement) or _is_of_the_harness(statement))]
    for statement in tree.body:
        _leave_what_measures(statement)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
