"""What ``--executor slurm=...`` asks of Slurm, as submitit takes it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from derainbench.errors import UserError
from derainbench.support.words import whole_number

#: Jobs in the queue at a time, unless somebody says otherwise.
SLOTS = 1000

#: Seconds before the end of its time at which a job is told, so that it can save its state.
NOTICE = 90

#: What derainbench decides: where jobs write, what they are called, how they are told of their end.
_DECIDED = frozenset(
    [
        "array",
        "chdir",
        "error",
        "input",
        "job_name",
        "nodes",
        "ntasks",
        "ntasks_per_node",
        "open_mode",
        "output",
        "parsable",
        "signal",
        "test_only",
        "wait",
        "wrap",
    ]
)

_UNITS = {"d": 1440, "h": 60, "m": 1}


@dataclass(frozen=True)
class Asked:
    """``parameters`` are submitit's names, ``more`` go to sbatch as they are; ``slots`` jobs at a time."""

    slots: int = SLOTS
    parameters: Mapping[str, object] = field(default_factory=dict)
    more: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, object]:
        """Everything, as an executor of submitit takes it."""
        return {**self.parameters, "additional_parameters": dict(self.more)}


def asked_of_slurm(settings: Mapping[str, str], device: str) -> Asked:
    """What the settings mean for cells on a ``device``; ``cuda`` asks for one GPU unless they name some.

    :class:`UserError` for a setting that is derainbench's to choose, and for a time or number that is none. What Slurm
    says of the others it says itself.
    """
    words = {name.replace("-", "_").lower(): value for name, value in settings.items()}
    for name in sorted(_DECIDED & {*words}):
        raise UserError(f"--executor slurm: {name.replace('_', '-')} is for derainbench to choose; leave it out")
    slots = _number("slots", words.pop("slots", str(SLOTS)))
    minutes = minutes_of(words.pop("time")) if "time" in words else None
    notice = NOTICE if minutes is None else min(NOTICE, 15 * minutes)
    notice = _number("signal_delay_s", words.pop("signal_delay_s", str(notice)))
    cores = _number("cpus-per-task", words.pop("cpus_per_task")) if "cpus_per_task" in words else None
    if device == "cuda" and not any(name.startswith(("gres", "gpus")) for name in words):
        words["gres"] = "gpu:1"
    if not any(name in words for name in ("requeue", "no_requeue")):
        words["requeue"] = "true"
    parameters: dict[str, object] = {"time": minutes, "signal_delay_s": notice, "wckey": words.pop("wckey", None)}
    if cores is not None:
        # A step does not inherit it from its job, since Slurm 22.05.
        parameters |= {"cpus_per_task": cores, "srun_args": [f"--cpus-per-task={cores}"]}
    return Asked(slots, parameters, {name: True if value == "true" else value for name, value in words.items()})


def minutes_of(words: str) -> int:
    """Minutes, rounded up: ``24h``, ``90m``, ``2d``, ``1h30m``, and as Slurm writes them (``90``, ``1-12:00:00``)."""
    with_units = re.fullmatch(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?:in)?)?", words.lower())
    if words and with_units:
        minutes = sum(int(count or 0) * unit for count, unit in zip(with_units.groups(), _UNITS.values(), strict=True))
    elif (
        as_slurm := re.fullmatch(r"(?:([0-9]{1,6})-)?([0-9]{1,6})(?::([0-9]{1,6}))?(?::([0-9]{1,6}))?", words)
    ) is not None:
        days, *parts = as_slurm.groups()
        first, second, third = (int(part or 0) for part in parts)
        if days is not None or parts[2] is not None:  # hours, minutes and seconds
            minutes = int(days or 0) * 1440 + first * 60 + second + math.ceil(third / 60)
        else:  # minutes and seconds
            minutes = first + math.ceil(second / 60)
    else:
        minutes = 0
    if minutes < 1:
        raise UserError(f"--executor slurm: time={words} is no time; write 90m, 24h, 2d or 1-12:00:00")
    return minutes


def _number(name: str, words: str) -> int:
    number = whole_number(words, 1_000_000)
    if not number:
        raise UserError(f"--executor slurm: {name}={words} is no number from 1 on")
    return number
