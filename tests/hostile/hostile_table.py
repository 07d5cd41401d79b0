"""All cases, and a way to print them: ``python -m tests.hostile.hostile_table [KIND...]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hostile import hostile_files, hostile_places, hostile_state, hostile_words
from tests.hostile.hostile_bench import Bench
from tests.hostile.hostile_case import Case

CASES: tuple[Case, ...] = tuple(
    case for part in (hostile_places, hostile_words, hostile_files, hostile_state) for case in part.cases()
)


def main(kinds: list[str]) -> int:
    """Try the cases of these kinds, by default all, and print a row for each; 1 where an answer is wrong."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for case in CASES:
            if kinds and not any(case.kind.startswith(kind) for kind in kinds):
                continue
            answer = bench(case)
            wrong = answer.wrong(case) or ("" if answer.seconds < 2 else "too long")
            failed += bool(wrong)
            line = answer.line(case)
            shown = line if line.isprintable() else ascii(line)
            print(
                f"{answer.seconds:5.2f} s  {case.name}  {f'WRONG ({wrong!a}) ' if wrong else ''}{shown[:200]}",
                flush=True,
            )
    print(f"{failed} not answered as they should be")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
