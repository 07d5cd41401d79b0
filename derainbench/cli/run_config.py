"""A whole run as one TOML file: what ``derainbench run --config`` reads and ``--print-config`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from derainbench.errors import UserError, did_you_mean

#: Options of the command that a file has no say in: least of all that something be fetched unasked.
_NOT_OF_A_FILE = frozenset({"config", "print_config", "dry_run", "help", "yes"})

#: Options that are given once for each of several files; lists are words with commas between in all others.
_REPEATED = frozenset({"plugin", "card"})


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Have the options that the file gives be the defaults of the command's; for Typer, as an eager callback.

    A key is an option without its dashes at the front, a value what would follow it. Lists stand for words with commas
    between, ``true`` for an option that takes no word, and a table ``[recipe]`` for a recipe file of that content.
    Paths are meant from the folder at hand, as on the command line. :class:`UserError` for anything else.
    """
    if path is None or context.resilient_parsing:
        return path
    from derainbench.support.toml import read_toml

    known = _names(context)
    given = {key.replace("-", "_"): (key, value) for key, value in read_toml(path, "run config").items()}
    for name, (key, _) in given.items():
        if name not in known:
            said = [each.replace("_", "-") for each in known]
            raise UserError(f"run config {path}: no option {key!r}; {did_you_mean(key, said)}")
    values = {name: _word(path, name, value) for name, (_, value) in given.items()}
    context.default_map = {**(context.default_map or {}), **values}
    return path


def _names(context: typer.Context) -> list[str]:
    """The options that a file may give."""
    return [name for each in context.command.params if (name := each.name) and name not in _NOT_OF_A_FILE]


def _word(path: Path, name: str, value: object) -> object:
    """What the command line would have in place of a value."""
    if name == "recipe" and isinstance(value, dict):
        return str(path)  # a recipe file, then, whose recipe is its table
    several = value if isinstance(value, list) else [value]
    if any(not isinstance(each, str | int) or isinstance(each, bool) != isinstance(value, bool) for each in several):
        raise UserError(
            f"run config {path}: {name.replace('_', '-')} is {value!r}; give text, a number, or a list of them"
        )
    if isinstance(value, bool):
        return value
    words = [str(each) for each in several]
    return words if name in _REPEATED else ",".join(words)


def config_text(context: typer.Context) -> str:
    """The options that the command line and its file gave, as TOML text of the same run.

    What the environment gives is of the machine, and stays out. A recipe file's content becomes the table ``[recipe]``,
    so that nothing else is needed.
    """
    import tomli_w

    from derainbench.support.toml import read_toml

    shown: dict[str, Any] = {}
    for name in _names(context):
        source = context.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "DEFAULT_MAP"):
            shown[name.replace("_", "-")] = _plain(context.params[name])
    if str(shown.get("recipe", "")).endswith(".toml"):
        content = read_toml(Path(shown.pop("recipe")), "recipe")
        inner = content.get("recipe")
        shown["recipe"] = inner if isinstance(inner, dict) else content
    return tomli_w.dumps(shown)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int) else str(value)
