"""A method with its options and weights chosen: what a name such as ``nasnet[attention=se]`` stands for."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.nn.parameter import is_lazy

from derainbench.errors import FOREIGN, UserError, one_line
from derainbench.images.quantisation import Quantisation
from derainbench.plugins.code_digest import code_digest
from derainbench.plugins.method import Derainer, Method, Weights
from derainbench.plugins.names import ParsedName
from derainbench.plugins.options import check_options, spell

#: The most parameters of a network, and the most tensors and modules that they are in: many times as many as any
#: network of this field has, and so few that they are made in a second.
MOST_PARAMETERS, MOST_TENSORS, MOST_MODULES = 2**31, 4_000, 20_000


class TooLargeError(Exception):
    """A network that is being built has more parts or parameters than :func:`bounded` allows."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Networks that are built in the block are stopped where they grow beyond all: :class:`TooLargeError`.

    The options of somebody's network are numbers of any size, and 10**9 layers take days and all memory.
    """
    tensors, modules, parameters = 0, 0, 0

    def count_tensor(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter) -> None:
        nonlocal tensors, parameters
        tensors += 1
        parameters += 0 if is_lazy(parameter) else parameter.numel()
        if parameters > MOST_PARAMETERS:
            raise TooLargeError(f"it has over {MOST_PARAMETERS:,} parameters")
        if tensors > MOST_TENSORS:
            raise TooLargeError(f"its parameters are in over {MOST_TENSORS:,} tensors")

    def count_module(module: torch.nn.Module, name: str, inner: torch.nn.Module) -> None:
        nonlocal modules
        modules += 1
        if modules > MOST_MODULES:
            raise TooLargeError(f"it has over {MOST_MODULES:,} modules")

    hooks = (
        register_module_parameter_registration_hook(count_tensor),
        register_module_module_registration_hook(count_module),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
        return self.method.name + (f"[{options}]" if options else "") + (f"@{self.tag}" if self.tag else "")

    @property
    def tag(self) -> str:
        """That of the weights that are loaded into the network; empty without any, or where it reads them itself."""
        return self.weights.tag if self.weights is not None else ""

    @property
    def title(self) -> str:
        """What the paper calls it, with the options that the paper's name does not cover."""
        named = [
            (title, chosen) for title, chosen in self.method.variants.items() if chosen.items() <= self.options.items()
        ]
        title, covered = max(named, key=lambda item: len(item[1]), default=(self.method.title, {}))
        if self.weights is not None and self.weights.network:
            title = self.weights.network
        details = [
            f"{name}={spell(value)}"
            for name, value in self.options.items()
            # What weights were trained on is told of every row.
            if name not in covered and not (name == "trained_on" and self.weights is not None)
        ]
        if self.weights is not None and self.tag:
            details.append(f"{'published' if self.weights.verified else 'unverified'} weights {self.weights.tag}")
        return title + (f" ({', '.join(details)})" if details else "")

    @property
    def trainable(self) -> bool:
        """Whether a training cell is made for it."""
        return self.method.recipe is not None and self.weights is None

    @property
    def quantisation(self) -> Quantisation:
        """How its outputs become 8-bit images: as the authors of its published weights did, otherwise rounded."""
        return self.weights.quantisation if self.weights is not None else "round"

    def build(self) -> Derainer:
        """The network, freshly initialised from the current random state, or as its file has it.

        Errors as in :meth:`skeleton`, and where that file is another one by now.
        """
        opens = self.method.opens
        if opens is not None and self.weights is not None and opens(self.options).sha256 != self.weights.sha256:
            raise UserError(f"the file of {self.name} changed since it was looked at; give the command again")
        if self.options:  # a number in them may ask for more memory than there is
            with torch.random.fork_rng(devices=()):
                self.skeleton()
        return self.method.network(**self.options)

    def parameters(self) -> int:
        """The number of parameters."""
        return sum(parameter.numel() for parameter in self.skeleton().parameters())

    def source_digest(self) -> str:
        """Hash of the code that defines the network, its trainer and its losses, without comments and docstrings."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        classes = {cls for module in self.skeleton().modules() for cls in type(module).__mro__}
        losses = self.method.network.own_losses.values()
        return code_digest([*classes, *((self.method.trainer or object).__mro__), *losses])

    def skeleton(self) -> Derainer:
        """The network for looking at: on the meta device, where it costs nothing, or where it must be on the CPU.

        :class:`UserError` where it cannot be built, or is larger than :func:`bounded` lets it be.
        """
        try:
            try:
                with torch.device("meta"), bounded():
                    return self.method.network(**self.options)
            except TooLargeError:
                raise
            except FOREIGN:  # a constructor that reads a tensor's value
                with bounded():
                    return self.method.network(**self.options)
        except FOREIGN as error:  # whatever the author's constructor raises
            reason = str(error) if isinstance(error, TooLargeError) else f"{type(error).__name__}: {one_line(error)}"
            raise UserError(f"{self.name} cannot be built ({reason}); mend the method or its options") from error


def choose(method: Method, options: Mapping[str, Any], weights: Weights | None = None) -> Variant:
    """A variant under its canonical name, whatever order the options are given in and whichever are defaults."""
    chosen = check_options(method.name, method.network, options)
    return Variant(method, chosen, method.opens(chosen) if method.opens is not None else weights)


def tagged(method: Method, own: Sequence[Weights] = (), tag: str | None = None) -> list[Variant]:
    """Every variant with weights, or those under one tag: the published ones, and the user's own instead of a
    published one of the same name that is another file. Own weights for options that are gone are left out."""
    known: dict[str, Variant] = {}
    for weights in (*method.weights, *own):
        if tag is None or weights.tag == tag:
            try:
                variant = choose(method, weights.options, weights)
            except UserError:
                if weights.verified:
                    raise
                continue
            before = known.setdefault(variant.name, variant)
            if before.weights is not None and before.weights.sha256 != weights.sha256:
                known[variant.name] = variant
    return list(known.values())


def find_tagged(method: Method, parsed: ParsedName, own: Sequence[Weights] = ()) -> Variant | None:
    """The variant whose weights a name with a tag means, or None. The tag alone will do where one variant has it."""
    asked = choose(method, parsed.options)
    if method.opens is not None:
        raise UserError(f"the weights of {asked.name} are those of its file; leave @{parsed.tag} out")
    candidates = tagged(method, own, parsed.tag)
    exact = [variant for variant in candidates if variant.options == asked.options]
    if exact or asked.options:
        return exact[0] if exact else None
    # The tag says which options the weights were trained with; a published one is meant before the user's own.
    published = [variant for variant in candidates if variant.weights and variant.weights.verified]
    alone = published or candidates
    return alone[0] if len(alone) == 1 else None


def resolve(method: Method, parsed: ParsedName, own: Sequence[Weights] = ()) -> Variant:
    """Choose options and weights by a parsed name; ``own`` are the user's weights beside the method's published ones.

    Raises :class:`UserError` for what the method does not have.
    """
    asked = choose(method, parsed.options)
    if parsed.tag is None:
        return asked
    found = find_tagged(method, parsed, own)
    if found is None:
        name = f"{asked.name}@{parsed.tag}"
        known = [variant.name for variant in tagged(method, own, parsed.tag) or tagged(method, own)]
        raise UserError(
            f"no weights {name} are known; "
            + ("known: " + ", ".join(known) if known else f"method {method.name!r} has none")
            + f"; a file of your own: derainbench weights add {shlex.quote(name)} FILE --trust-unknown"
        )
    return found
