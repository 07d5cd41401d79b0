"""Things that packages bring by entry points and files at once, by names that are theirs alone: imported when asked
for."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, Generic, Protocol, TypeVar

from pydantic import ValidationError

from derainbench.errors import FOREIGN, UserError, did_you_mean, one_line


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


class Entries(Generic[T]):
    """Things of one ``kind`` by name, of which messages speak as ``word``. An entry point is imported when it is first
    asked for."""

    kind: ClassVar[type]
    word: ClassVar[str]

    def __init__(self) -> None:
        self._entries: dict[str, EntryPoint] = {}
        self._loaded: dict[str, T] = {}
        self._origins: dict[str, str] = {}

    def names(self) -> list[str]:
        """All registered names, broken ones included, in the order in which they came."""
        return list(self._origins)

    def origin(self, name: str) -> str:
        """Where a name comes from: an installed package or a file."""
        return self._origins[name]

    def get(self, name: str) -> T:
        """What has that name; :class:`UserError` if there is none, or if it does not import."""
        if name not in self._origins:
            hint = did_you_mean(name, self.names())
            raise UserError(f"no {self.word} is called {name!r}; {hint} (one in a file of yours: give --plugin FILE)")
        if name not in self._loaded:
            self._loaded[name] = self._imported(name)
        return self._loaded[name]

    def _imported(self, name: str) -> T:
        try:
            thing: T = self._entries[name].load()
        except FOREIGN as error:  # whatever a third party's module does
            raise UserError(
                f"{self.word} {name!r} does not import ({type(error).__name__}: {reason(error)}); "
                f"it comes from {self.origin(name)}: mend or uninstall it"
            ) from error
        kind = self.kind.__name__
        if not isinstance(thing, self.kind) or thing.name != name:
            found = f"{kind} {thing.name!r}" if isinstance(thing, self.kind) else f"a {type(thing).__name__}"
            raise UserError(f"entry point {name!r} of {self.origin(name)} gives {found}; it must give {kind} {name!r}")
        return thing

    def knows(self, thing: T) -> bool:
        """Whether this very thing is registered, by its entry point or otherwise."""
        entry = self._entries.get(thing.name)
        module = sys.modules.get(entry.module) if entry is not None else None
        return self._loaded.get(thing.name, getattr(module, entry.attr, None) if entry else None) is thing

    def add(self, thing: T, origin: str) -> None:
        """Register a thing. A name that is taken raises, naming both places."""
        self._claim(thing.name, origin)
        self._loaded[thing.name] = thing

    def add_entry(self, entry: EntryPoint, origin: str = "") -> None:
        """Register an entry point without importing it; by default it is its package's."""
        self._claim(entry.name, origin or f"package {entry.dist.name if entry.dist else '?'} ({entry.value})")
        self._entries[entry.name] = entry

    def add_installed(self, group: str) -> None:
        """Register what installed packages have under this group of entry points."""
        for entry in entry_points(group=group):
            self.add_entry(entry)

    def _claim(self, name: str, origin: str) -> None:
        if name in self._origins:
            raise UserError(f"two {self.word}s are called {name!r}: {self._origins[name]} and {origin}; rename one")
        self._origins[name] = origin


def reason(error: BaseException) -> str:
    """Why something did not import, in a line."""
    if isinstance(error, ValidationError):  # a recipe: pydantic's own text has many lines and a link
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return one_line(error)
