"""A method with its options and weights chosen: what a name such as ``nasnet[attention=se]`` stands for."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from derainbench.errors import UserError
from derainbench.method import Derainer, Method, Weights
from derainbench.names import ParsedName
from derainbench.options import check_options, spell


@dataclass(frozen=True)
class Variant:
    """``options`` holds only what differs from the defaults, so that one network has one name."""

    method: Method
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights | None = None

    @property
    def name(self) -> str:
        """The canonical name: options in the signature's order, defaults left out."""
        options = ",".join(f"{name}={spell(value)}" for name, value in self.options.items())
        return self.method.name + (f"[{options}]" if options else "") + (f"@{self.weights.tag}" if self.weights else "")

    @property
    def title(self) -> str:
        """What the paper calls it, with the options that the paper's name does not cover."""
        named = [
            (title, chosen) for title, chosen in self.method.variants.items() if chosen.items() <= self.options.items()
        ]
        title, covered = max(named, key=lambda item: len(item[1]), default=(self.method.title, {}))
        details = [f"{name}={spell(value)}" for name, value in self.options.items() if name not in covered]
        details += [f"published weights {self.weights.tag}"] if self.weights else []
        return title + (f" ({', '.join(details)})" if details else "")

    @property
    def trainable(self) -> bool:
        """Whether a training cell is made for it."""
        return self.method.recipe is not None and self.weights is None

    def build(self) -> Derainer:
        """The network, freshly initialised from the current random state."""
        return self.method.network(**self.options)

    def parameters(self) -> int:
        """The number of parameters, counted on the meta device."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in self.build().parameters())

    def source_digest(self) -> str:
        """Hash of the code that defines the network: its files without comments, docstrings and layout.

        A result depends on this code, but not on how it is commented; the harness itself is versioned.
        """
        with torch.device("meta"):
            network = self.build()
        classes = {cls for module in network.modules() for cls in type(module).__mro__}
        files = {_source_file(cls) for cls in classes if _is_own(cls)}
        digest = hashlib.sha256()
        for file in sorted(filter(None, files)):
            digest.update(_code_only(Path(file).read_text(encoding="utf-8")).encode())
        return digest.hexdigest()


def choose(method: Method, options: Mapping[str, Any], weights: Weights | None = None) -> Variant:
    """A variant under its canonical name, whatever order the options are given in and whichever are defaults."""
    return Variant(method, check_options(method.name, method.network, options), weights)


def resolve(method: Method, parsed: ParsedName) -> Variant:
    """Choose options and weights by a parsed name. Raises :class:`UserError` for what the method does not have."""
    asked = choose(method, parsed.options)
    if parsed.tag is None:
        return asked
    tagged = [choose(method, w.options, w) for w in method.weights if w.tag == parsed.tag]
    exact = [variant for variant in tagged if variant.options == asked.options]
    if not exact and not asked.options and len(tagged) == 1:
        exact = tagged  # the tag alone says which options the weights were trained with
    if not exact:
        known = [variant.name for variant in tagged or (choose(method, w.options, w) for w in method.weights)]
        raise UserError(
            f"no published weights {asked.name}@{parsed.tag}; "
            + ("known: " + ", ".join(known) if known else f"method {method.name!r} has none")
        )
    return exact[0]


def _is_own(cls: type) -> bool:
    """Whether a class is part of a method, not of torch or of the harness's interface."""
    return cls not in (Derainer, nn.Module, object) and not cls.__module__.startswith(("torch.", "builtins"))


def _source_file(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except TypeError:
        return None


def _code_only(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
