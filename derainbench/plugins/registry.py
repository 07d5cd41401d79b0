"""Which methods and metrics there are: found through entry points and plugin files, imported only when asked for."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from derainbench.errors import FOREIGN, UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.code_digest import say_beside
from derainbench.plugins.entries import Entries, reason
from derainbench.plugins.method import Method
from derainbench.plugins.metric_registry import MetricRegistry, all_metrics
from derainbench.plugins.names import GROUP, IMAGES, parse_name
from derainbench.plugins.variant import Variant, resolve
from derainbench.plugins.weights_store import own_weights

_LARGEST = 2**24  # bytes of a plugin file


class Registry(Entries[Method]):
    """Methods by name, and ``metrics``."""

    kind = Method
    word = "method"

    def __init__(self, metrics: MetricRegistry | None = None) -> None:
        super().__init__()
        self.metrics = MetricRegistry() if metrics is None else metrics

    def names(self) -> list[str]:
        """All registered names, broken plugins included, sorted."""
        return sorted(super().names())

    def working(self) -> list[str]:
        """The names whose plugin imports, and that are networks as they stand: without the option of a file."""
        return [name for name in self.names() if self._is_network(name)]

    def _is_network(self, name: str) -> bool:
        try:
            return self.get(name).opens is None
        except UserError:
            return False

    def variant(self, text: str) -> Variant:
        """What a name such as ``nasnet[attention=se]`` stands for; :class:`UserError` where it stands for nothing."""
        parsed = parse_name(text)
        method = self.get(parsed.base)
        return resolve(method, parsed, own_weights(method.name) if parsed.tag is not None else ())

    def _claim(self, name: str, origin: str) -> None:
        if name == IMAGES:
            raise UserError(f"{origin} calls a method {name!r}, which means restored images in a folder; rename it")
        super()._claim(name, origin)


def discover(plugins: Sequence[Path] = ()) -> Registry:
    """All methods and metrics of installed packages, and of the files given with ``--plugin``."""
    registry = Registry(metrics=all_metrics())
    registry.add_installed(GROUP)
    for path in plugins:
        methods, metrics = _found_in_file(path)
        for method in methods:
            if not registry.knows(method):  # the file may import a method to build on it
                registry.add(method, f"file {path}")
        for metric in metrics:
            if not registry.metrics.knows(metric):
                registry.metrics.add(metric, f"file {path}")
    return registry


class _FromSource(SourceFileLoader):
    """Runs a file as it stands: the results are kept under its text, and Python would take compiled code of an older
    text of the same length and second for it, and leave a folder beside the user's file."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


#: Folders of what plugins have imported from beside them, by the modules' names.
_BESIDE: dict[str, Path] = {}


@contextlib.contextmanager
def _beside(path: Path, plugin: ModuleType) -> Iterator[None]:
    """In the block a plugin imports what lies beside it, as a script would, and as it is now.

    :class:`UserError` where it has imported a module that another plugin has beside it under the same name: Python
    keeps one of a name, and results would depend on the other's code. Nothing is compiled into the user's folder.
    """
    folder = path.resolve().parent
    names = {each.stem for each in folder.glob("*.py")} | {each.parent.name for each in folder.glob("*/__init__.py")}
    others: dict[str, ModuleType] = {}
    mine: dict[str, ModuleType] = {}  # which somebody else may have imported, and the plugin need not
    for name in [each for each in sys.modules if each.partition(".")[0] in names]:
        if _BESIDE.get(name.partition(".")[0], folder) != folder:
            others[name] = sys.modules.pop(name)
        elif _lies_below(folder, sys.modules[name]):
            mine[name] = sys.modules.pop(name)
    searched, uncompiled = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        yield
        for name in sorted(others.keys() & sys.modules.keys()):
            raise UserError(f"it imports {name}, and so does a plugin in {_BESIDE[name.partition('.')[0]]}; rename one")
        found = {name: each for name, each in sys.modules.items() if name.partition(".")[0] in names}
        found = {name: each for name, each in found.items() if _lies_below(folder, each)}
        _BESIDE.update({name.partition(".")[0]: folder for name in found})
        for each in (plugin, *found.values()):
            say_beside(each, [*found.values()])
    finally:
        sys.path[:], sys.dont_write_bytecode = searched, uncompiled
        sys.modules.update(others)
        for name, module in mine.items():
            sys.modules.setdefault(name, module)


def _lies_below(folder: Path, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(folder)


def _found_in_file(path: Path) -> tuple[list[Method], list[ImageMetric]]:
    if not path.is_file():
        raise UserError(f"plugin {path}: no such file; give the path of a Python file")
    if path.stat().st_size > _LARGEST:
        raise UserError(f"plugin {path} has {path.stat().st_size:,} bytes, which no Python file has; check the path")
    # A name of its own for each path, so that two plugins called method.py do not replace each other.
    name = f"derainbench_plugin_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if path.suffix != ".py":
        raise UserError(f"plugin {path} is not a Python file; its name must end in .py")
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _beside(path, module):
            spec.loader.exec_module(module)
    except FOREIGN as error:  # whatever the author's file does
        raise UserError(f"plugin {path} does not import ({type(error).__name__}: {reason(error)}); mend it") from error
    methods = {id(value): value for value in vars(module).values() if isinstance(value, Method)}
    metrics = {id(value): value for value in vars(module).values() if isinstance(value, ImageMetric)}
    if not methods and not metrics:
        raise UserError(
            f"plugin {path} defines no Method and no ImageMetric; add NAME = Method(name=..., network=...) to it, or "
            "NAME = ImageMetric(name=..., measure=...)"
        )
    return list(methods.values()), list(metrics.values())
