"""Each hostile input gets one line at once: exit status 2, no traceback, no file changed. See docs/hostile-input.md.

``python -m tests.hostile.hostile_table [KIND...]`` prints the table with each input's line and time.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.hostile.hostile_bench import Bench
from tests.hostile.hostile_case import Case
from tests.hostile.hostile_table import CASES

#: Seconds of processor time. The table shows them all below 2; on a machine that others use they are longer.
AT_ONCE = 10.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that know torch already")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The folder with images, a run and weights."""
    return Bench(tmp_path_factory.mktemp("hostile"))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_line_at_once(bench: Bench, case: Case) -> None:
    answer = bench(case)
    assert not answer.wrong(case)
    assert answer.seconds < AT_ONCE


def test_the_table_is_long_and_names_each_case_once(project: Path) -> None:
    assert len(CASES) >= 600
    for page in ("docs/hostile-input.md", "CHANGELOG.md"):
        assert f" {len(CASES)} hostile inputs" in (project / page).read_text()
    assert [name for name, times in Counter(case.name for case in CASES).items() if times > 1] == []
