"""``efficiency.json``: added to, read back, refused where damaged; and what the terminal shows of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from derainbench.efficiency.record import (
    FILE,
    EfficiencyRecord,
    EfficiencyRow,
    Seconds,
    Session,
    Setting,
    keep,
    parse_record,
    place,
    read_efficiency,
)
from derainbench.efficiency.text import HEADERS, cells, notes, table

Refused = Callable[..., AbstractContextManager[None]]
CPU = Setting(device="cpu", name="A processor", threads=2, system="Linux", torch="2.13.0", precision="fp32")


def row(method: str = "prenet", width: int = 256, height: int = 128, **changes: Any) -> EfficiencyRow:
    seconds = Seconds(repeats=5, median=0.5, low=0.48, high=0.625)
    fields = {"parameters": 168_963, "macs": 31_473_008_640, "seconds": seconds, "peak_bytes": 600 * 2**20}
    return EfficiencyRow(
        **{"method": method, "title": method.title(), "width": width, "height": height, **fields, **changes}
    )


def session(*rows: EfficiencyRow, setting: Setting = CPU) -> Session:
    return Session(setting=setting, derainbench="0.1.0", created="2026-01-02", macs_tool="a tool", rows=rows)


def test_a_row_in_numbers() -> None:
    texts = dict(zip(HEADERS[1:], cells(row()), strict=True))
    assert texts == {
        "Parameters": "168,963",
        "Size": "256×128",
        "MACs (G)": "31.47",
        "Median (ms)": "500",
        "Quartiles (ms)": "480 – 625",
        "MP/s": "0.0655",  # 32,768 pixels in half a second
        "Peak (MiB)": "600",
    }


def test_what_failed_and_what_is_not_known() -> None:
    failed = row(macs=None, seconds=None, peak_bytes=None, error="out of memory")
    mps = row(peak_bytes=None, peak_missing="torch keeps no peak of mps memory")
    text = table(session(failed, mps))
    assert cells(failed)[2:] == ("–", "failed", "–", "–", "–")
    assert "prenet at 256×128 failed: out of memory" in text
    assert "MACs are not counted where" in text
    assert "Peak memory is not measured: torch keeps no peak of mps memory." in text
    assert "cpu (A processor, 2 threads), fp32, torch 2.13.0" in text


def test_a_busy_machine_is_named() -> None:
    """By the share of the time that the thread had a processor, or by times that come apart; idle ones are not."""
    idle = row(seconds=Seconds(repeats=5, median=0.5, low=0.48, high=0.625, cpu_share=0.97))
    shared = row("rescan", seconds=Seconds(repeats=5, median=0.5, low=0.48, high=0.5, cpu_share=0.55))
    uneven = row("nasnet", seconds=Seconds(repeats=5, median=0.5, low=0.4, high=0.6))
    busy = [note for note in notes(session(idle, shared, uneven, row())) if "busy" in note]
    assert [note.partition(")")[0] for note in busy] == [
        "The machine was busy when rescan at 256×128 was timed (its thread had a processor for 55 % of the time",
        "The machine was busy when nasnet at 256×128 was timed (its quartiles are 40 % of the median apart",
    ]


def test_a_record_of_schema_1_is_read_and_becomes_one_of_today(tmp_path: Path) -> None:
    old = json.loads(json.dumps(EfficiencyRecord(sessions=(session(row()),)).data()))
    old["schema"] = 1
    del old["sessions"][0]["rows"][0]["seconds"]["cpu_share"]
    (tmp_path / FILE).write_text(json.dumps(old))
    found = read_efficiency(tmp_path)
    assert found.data()["schema"] == 2
    assert found.sessions[0].rows[0].seconds is not None
    assert found.sessions[0].rows[0].seconds.cpu_share is None


def test_sessions_are_added(tmp_path: Path) -> None:
    """The same network and size in the same setting is replaced; another setting stands beside it."""
    path = tmp_path / FILE
    other = CPU.model_copy(update={"threads": 1})
    slower = row(seconds=Seconds(repeats=3, median=9.0, low=9.0, high=9.0))
    for added in (session(row(), row("nasnet")), session(row(), setting=other), session(slower, row(width=64))):
        keep(path, added)
    found = read_efficiency(tmp_path)
    first, second = found.sessions
    assert [each.key for each in first.rows] == [("prenet", 256, 128), ("nasnet", 256, 128), ("prenet", 64, 128)]
    assert first.rows[0] == slower
    assert second == session(row(), setting=other)


def test_nobody_measured(tmp_path: Path) -> None:
    assert read_efficiency(tmp_path).sessions == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", ["the file"]),
        ("{", ["not readable as JSON"]),
        ('{"schema": 3, "sessions": []}', ["later derainbench", "schema 3"]),
        ('{"sessions": [{"rows": 3}]}', ["damaged", "sessions.0", "more mistakes"]),
        ('{"schema": 1, "surprise": 1}', ["damaged", "surprise"]),
    ],
)
def test_damaged(tmp_path: Path, refused: Refused, text: str, words: list[str]) -> None:
    (tmp_path / FILE).write_text(text)
    with refused(FILE, *words):
        read_efficiency(tmp_path)


def test_negative_times_are_damage(refused: Refused) -> None:
    data = EfficiencyRecord(sessions=(session(row()),)).data()
    data["sessions"][0]["rows"][0]["seconds"]["median"] = -1
    with refused("here", "sessions.0.rows.0.seconds.median"):
        parse_record(json.loads(json.dumps(data)), "here")


def test_where_it_is_kept(tmp_path: Path, refused: Refused) -> None:
    assert place(tmp_path) == tmp_path / FILE
    assert place(tmp_path / "mine.json") == tmp_path / "mine.json"
    with refused("no such folder"):
        place(tmp_path / "runs")
