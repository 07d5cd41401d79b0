"""One call of ``derainbench efficiency``: what its words ask for, the setting, and the rows as they come."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from derainbench import __version__
from derainbench.efficiency.macs import TOOL
from derainbench.efficiency.measure import Conditions, measured, networks_of
from derainbench.efficiency.record import EfficiencyRecord, EfficiencyRow, Session, Setting, keep, place, read_record
from derainbench.efficiency.text import table
from derainbench.engine.device import Engine, describe_machine
from derainbench.errors import UserError
from derainbench.plugins.variant import Variant
from derainbench.support.progress import progress_bar
from derainbench.support.words import split_list, whole_number


def measure_all(
    variants: Sequence[Variant],
    size: str,
    engine: Engine,
    repeats: int | None,
    plugins: Sequence[Path],
    out: Path | None,
    as_json: bool,
) -> tuple[str, bool]:
    """Measure, keep each row as soon as it is there; what was found, as text or JSON, and whether all went well."""
    sizes, path = parse_sizes(size), None if out is None else place(out)
    if path is not None and path.exists():
        read_record(path)  # a damaged file is told now, not after the measuring
    setting = setting_of(engine)
    conditions = Conditions(str(engine.device), engine.precision, setting.threads, repeats, tuple(plugins))
    networks, rows = networks_of(variants), list[EfficiencyRow]()
    with progress_bar() as advance:
        advance("measured", 0, len(networks) * len(sizes))
        for row in measured(networks, sizes, conditions):
            rows.append(row)
            advance("measured", 1, len(networks) * len(sizes))
            if path is not None:
                keep(path, session_of(setting, rows))
    session = session_of(setting, rows)
    complete = not any(row.error for row in rows)
    if as_json:
        return json.dumps(EfficiencyRecord(sessions=(session,)).data(), indent=2), complete
    tagged = [variant.name for variant in variants if variant.tag]
    lines = [table(session)]
    lines += [f"Measured without their weights, which cost nothing: {', '.join(tagged)}."] if tagged else []
    lines += [f"kept in {path}"] if path is not None else []
    return "\n".join(lines), complete


def parse_sizes(words: str) -> list[tuple[int, int]]:
    """``256x256,512x384`` as (width, height) in pixels, each once; :class:`UserError` for anything else."""
    sizes = []
    for word in split_list(words):
        width, height = (whole_number(side, 2**16 - 1) for side in word.lower().partition("x")[::2])
        if not width or not height:
            raise UserError(
                f"--size {word!r}: give WIDTHxHEIGHT in pixels, from 1 to 65535, as in --size 256x256,512x512"
            )
        sizes.append((width, height))
    if not sizes:
        raise UserError("--size is empty; give WIDTHxHEIGHT in pixels, as in --size 256x256,512x512")
    return list(dict.fromkeys(sizes))


def setting_of(engine: Engine) -> Setting:
    """The setting of an engine on this machine."""
    machine = describe_machine(engine)
    return Setting(
        device=machine["device"],
        name=machine["name"] if engine.device.type == "cuda" else processor(),
        threads=machine["threads"],
        system=machine["system"],
        torch=torch.__version__,
        precision=engine.precision,
    )


def processor() -> str:
    """The processor's name: Python's own is often only its kind."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def session_of(setting: Setting, rows: Sequence[EfficiencyRow]) -> Session:
    """These rows as a session that ends now."""
    return Session(
        setting=setting,
        derainbench=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        macs_tool=TOOL,
        rows=tuple(rows),
    )
