"""A report does not write over what somebody else wrote."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from derainbench.reports.content import content
from derainbench.reports.own_files import SIGNS
from derainbench.reports.write import write_report

from derainbench.results import Results

Refused = Callable[..., AbstractContextManager[None]]

FORMATS = {name: format_ for format_, files in SIGNS.items() for name in files}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_ones_own_is_not_replaced(
    tmp_path: Path, run_with_pictures: Results, name: str, refused: Refused
) -> None:
    (tmp_path / name).write_text("@article{mine}")
    with refused(f"{tmp_path / name} was not written by derainbench", "give another --out"):
        write_report(content(run_with_pictures), tmp_path, list(SIGNS))
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is written then"
    assert (tmp_path / name).read_text() == "@article{mine}"
    others = [format_ for format_ in SIGNS if format_ != FORMATS[name]]
    write_report(content(run_with_pictures), tmp_path, others)


def test_an_earlier_report_is_replaced(tmp_path: Path, run_with_pictures: Results) -> None:
    for _ in range(2):
        write_report(content(run_with_pictures), tmp_path, list(SIGNS))
    assert {path.name for path in tmp_path.iterdir()} >= set(FORMATS)
