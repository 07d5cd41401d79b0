"""``efficiency.json``: what networks cost on which machines, as validated data that is added to, never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from derainbench.errors import UserError
from derainbench.support.atomic import read_json, write_json

#: The file's name in a run folder.
FILE = "efficiency.json"
#: Goes up when a reader of the old file would read the new one wrongly.
SCHEMA = 2

_Count = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]

#: A machine that does other work: the timed thread had a processor for less of the time, or quartiles are further apart
#: in terms of the median. On two idle cores they were 0.999 and 0.02; beside a process that kept one core busy 0.65.
BUSY_SHARE, BUSY_SPREAD = 0.9, 0.3


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Seconds(_Data):
    """Of one image: the median of ``repeats`` runs and the quartiles around it.

    ``cpu_share`` is for how much of the timed runs the thread had a processor; None where nothing is known of it, as on
    a GPU and in files of schema 1.
    """

    repeats: Annotated[int, Field(ge=1)]
    median: _Seconds
    low: _Seconds
    high: _Seconds
    cpu_share: _Share | None = None

    @property
    def busy(self) -> str:
        """What shows that the machine did other work meanwhile; empty where nothing does."""
        if self.cpu_share is not None and self.cpu_share < BUSY_SHARE:
            return f"its thread had a processor for {100 * self.cpu_share:.0f} % of the time"
        if self.high - self.low > BUSY_SPREAD * self.median:
            return f"its quartiles are {100 * (self.high - self.low) / self.median:.0f} % of the median apart"
        return ""


class EfficiencyRow(_Data):
    """A network on an image of ``width`` x ``height`` pixels; with an ``error`` where it could not be measured.

    ``method`` is the canonical name without a tag: all weights of a network cost the same. ``macs`` are for that size,
    None where they cannot be counted. ``peak_bytes`` is None with a reason in ``peak_missing``; ``before_bytes`` of it
    were taken before the image was restored.
    """

    method: str
    title: str
    parameters: _Count | None
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    macs: _Count | None = None
    seconds: Seconds | None = None
    peak_bytes: _Count | None = None
    before_bytes: _Count | None = None
    peak_missing: str = ""
    error: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        """What it is the cost of."""
        return self.method, self.width, self.height

    @property
    def megapixels_per_second(self) -> float | None:
        """Throughput at the median, one image at a time."""
        return None if self.seconds is None else self.width * self.height / 1e6 / self.seconds.median


class Setting(_Data):
    """What times and memory depend on beside the network: rows of different settings are not comparable."""

    device: str
    name: str
    threads: int
    system: str
    torch: str
    precision: str


class Session(_Data):
    """What was measured in one setting; ``created`` is when its last row was."""

    setting: Setting
    derainbench: str
    created: str
    macs_tool: str
    rows: tuple[EfficiencyRow, ...]


class EfficiencyRecord(_Data):
    """The whole file."""

    version: Literal[1, 2] = Field(default=2, alias="schema")
    sessions: tuple[Session, ...] = ()

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def with_session(self, new: Session) -> EfficiencyRecord:
        """Rows of the same setting are replaced where they were measured again; other settings stay as they are."""
        sessions = {session.setting: session for session in self.sessions}
        before = sessions.get(new.setting)
        rows = {row.key: row for row in (*(before.rows if before else ()), *new.rows)}
        sessions[new.setting] = new.model_copy(update={"rows": tuple(rows.values())})
        return EfficiencyRecord(sessions=tuple(sessions.values()))

    def data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return self.model_dump(mode="json", by_alias=True)


def parse_record(data: Any, where: str) -> EfficiencyRecord:
    """The record that plain data holds, as one of :data:`SCHEMA`; :class:`UserError` naming ``where`` if it is none."""
    found = data.get("schema") if isinstance(data, Mapping) else None
    if isinstance(found, int) and found > SCHEMA:
        raise UserError(
            f"{where} was written by a later derainbench (schema {found}, here {SCHEMA}); update derainbench"
        )
    try:
        return EfficiencyRecord(sessions=EfficiencyRecord.model_validate(data).sessions)
    except ValidationError as error:
        first, *more = error.errors(include_url=False)
        place = ".".join(map(str, first["loc"])) or "the file"
        others = f" and {len(more)} more mistakes" if more else ""
        raise UserError(
            f"{where} is damaged ({place!a}: {first['msg']}{others}); delete it and measure again with derainbench "
            "efficiency"
        ) from error


def read_record(path: Path) -> EfficiencyRecord:
    """The record in a file; :class:`UserError` in one line where it is damaged."""
    return parse_record(read_json(path), str(path))


def read_efficiency(run: Path) -> EfficiencyRecord:
    """The record of a run folder; an empty one where nobody measured."""
    return _kept(run / FILE)


def keep(path: Path, session: Session) -> None:
    """Add a session to the file, atomically."""
    write_json(path, _kept(path).with_session(session).data())


def _kept(path: Path) -> EfficiencyRecord:
    """What a file has so far."""
    return read_record(path) if path.exists() else EfficiencyRecord()


def place(out: Path) -> Path:
    """The file that ``--out`` means: one in a run's folder, or the JSON file itself."""
    if out.is_dir():
        return out / FILE
    if out.suffix == ".json":
        return out
    raise UserError(f"--out {out}: no such folder; give the folder of a run, or a file that ends in .json")
