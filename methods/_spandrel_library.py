"""spandrel and its extra architectures, imported without torchvision where that cannot be: two of them need it.

torchvision from PyPI does not import beside a CPU build of torch. Where it does not, the modules of those two
architectures are replaced, while spandrel is imported, by ones whose architecture recognises no file and says why. No
module poses as torchvision.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from derainbench import UserError
from derainbench.errors import FOREIGN, one_line

#: The modules of spandrel that import torchvision, by which they are left out.
_NEED_TORCHVISION = {
    "spandrel.architectures.LaMa": "LaMa",
    "spandrel.architectures.RestoreFormer": "RestoreFormer",
}

_INSTALL = (
    "pip install 'derainbench[spandrel]', or beside a CPU build of torch: pip install --no-deps spandrel "
    "spandrel_extra_arches einops"
)


class Library(NamedTuple):
    """spandrel's module, all architectures that work here, the ids of the extra ones, and what is missing, as a
    clause; empty where nothing is."""

    spandrel: Any
    registry: Any
    extra: frozenset[str]
    missing: str


class _LeftOut(MetaPathFinder, Loader):
    """Gives the modules that cannot be imported: each with an architecture that is never chosen, for ``reason``."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in _NEED_TORCHVISION else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name, reason = _NEED_TORCHVISION[module.__name__], self._reason
        base: Any = importlib.import_module("spandrel.__helpers.model_descriptor").Architecture

        class LeftOut(base):  # type: ignore[misc]
            """Recognises nothing."""

            def __init__(self) -> None:
                super().__init__(id=name, detect=lambda state: False)

            def load(self, state_dict: object) -> Any:
                raise ImportError(f"{name} needs torchvision, which {reason}")

        setattr(module, f"{name}Arch", LeftOut)


def why_no_torchvision() -> str:
    """Why spandrel cannot have torchvision here, as a clause; empty where it can."""
    try:
        if find_spec("torchvision") is None:
            return "is not installed"
        importlib.import_module("torchvision.transforms.functional")
    except FOREIGN as error:  # its compiled part may be of another build of torch
        return f"does not import ({one_line(error)[:120]})"
    return ""


@lru_cache(maxsize=1)
def library() -> Library:
    """spandrel, imported once. :class:`UserError` where it is not installed or does not import, with the remedy."""
    try:
        installed = find_spec("spandrel") is not None
    except ValueError:  # somebody's sys.modules has something else under that name
        installed = False
    if not installed:
        raise UserError(f"spandrel is not installed; {_INSTALL}")
    reason = "" if "spandrel" in sys.modules else why_no_torchvision()
    finder = _LeftOut(reason)
    if reason:
        sys.meta_path.insert(0, finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's older decorators in other people's networks
            spandrel: Any = importlib.import_module("spandrel")
            extra: Any = None
            if find_spec("spandrel_extra_arches") is not None:
                extra = importlib.import_module("spandrel_extra_arches")
    except FOREIGN as error:
        raise UserError(
            f"spandrel does not import ({type(error).__name__}: {one_line(error)[:200]}); {_INSTALL}"
        ) from error
    finally:
        if reason:
            sys.meta_path.remove(finder)
    return _complete(spandrel, extra, reason)


def _complete(spandrel: Any, extra: Any, reason: str) -> Library:
    registry = spandrel.ArchRegistry()
    left_out = set(_NEED_TORCHVISION.values()) if reason else set()
    registry.add(*(each for each in spandrel.MAIN_REGISTRY if each.architecture.id not in left_out))
    missing = [f"{' and '.join(sorted(left_out))} need torchvision, which {reason}"] if reason else []
    if extra is None:
        missing.append("Restormer, MPRNet and M3SNet are in spandrel_extra_arches, which is not installed")
        return Library(spandrel, registry, frozenset(), "; ".join(missing))
    registry.add(*extra.EXTRA_REGISTRY, ignore_duplicates=True)
    ids = frozenset(each.architecture.id for each in extra.EXTRA_REGISTRY)
    return Library(spandrel, registry, ids, "; ".join(missing))
