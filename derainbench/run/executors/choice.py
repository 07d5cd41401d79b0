"""What ``--executor``, ``--device`` and ``--devices`` ask for together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from derainbench.errors import UserError
from derainbench.run.devices import parse_devices
from derainbench.support.words import split_list

#: ``inline``: this process; ``processes``: one on each device of this machine; the others find machines by themselves.
Kind = Literal["inline", "processes", "ray", "slurm"]


@dataclass(frozen=True)
class Choice:
    """What carries out cells, on which devices (one, as each cell is to see it, where machines are found elsewhere),
    and what is to be told to it: Ray's ``address``, or options of Slurm's by their names."""

    kind: Kind
    devices: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def elsewhere(self) -> bool:
        """Whether cells are done on machines of which this one may know nothing."""
        return self.kind in ("ray", "slurm")


def choose_executor(executor: str, device: str, devices: str, devices_per_cell: int = 1) -> Choice:
    """The choice that a user's words mean, each empty (``device``: ``auto``) where it was left out.

    ``ray`` and ``ray=ADDRESS``, ``slurm`` and ``slurm=partition=gpu,time=24h``. :class:`UserError` for other words, and
    for those that contradict each other.
    """
    kind, _, words = executor.partition("=")
    kinds: dict[str, Kind] = {name: name for name in get_args(Kind)}
    if kind and kind not in kinds:
        raise UserError(f"no executor is called {kind!r}; known: {', '.join(kinds)}")
    if devices and device != "auto":
        raise UserError("--device and --devices: give one of them")
    if kind in ("ray", "slurm"):
        if devices:
            raise UserError(f"--devices is for this machine; {kind} finds devices by itself (--device cpu: processors)")
        if device not in ("auto", "cpu", "cuda"):
            raise UserError(f"--device {device!r}: a cell that {kind} places may ask for cuda or cpu")
        if devices_per_cell > 1:
            raise UserError(f"--devices-per-cell is for --devices of one machine, not for --executor {kind}")
        settings = _settings(words) if kind == "slurm" else {"address": words} if words else {}
        return Choice(kinds[kind], ("cpu" if device == "cpu" else "cuda",), settings)
    if words:
        raise UserError(f"--executor {executor!r}: {kind} takes no settings")
    names = _grouped(parse_devices(devices) if devices else [device], devices_per_cell)
    if kind == "inline" and (len(names) > 1 or devices_per_cell > 1):
        raise UserError("--executor inline uses one device; leave it out, or give fewer --devices")
    alone = len(names) == 1 and devices_per_cell == 1
    return Choice(kinds[kind] if kind else "inline" if alone else "processes", names)


def _grouped(devices: Sequence[str], size: int) -> tuple[str, ...]:
    """So many devices at a time, each group as one name: ``cuda:0+cuda:1``."""
    if len(devices) % size:
        raise UserError(
            f"--devices-per-cell {size}: {len(devices)} devices cannot be shared out so; give a multiple to --devices"
        )
    return tuple("+".join(devices[start : start + size]) for start in range(0, len(devices), size))


def _settings(words: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in split_list(words):
        name, is_there, value = part.partition("=")
        if not is_there or not name or not value:
            raise UserError(f"--executor slurm={words}: {part!r} is no setting; write slurm=partition=gpu,time=24h")
        found[name.strip()] = value.strip()
    return found
