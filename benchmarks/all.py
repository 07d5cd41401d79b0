"""Every benchmark in turn, and what they print in one file: ``python -m benchmarks.all``.

``benchmarks/RESULTS.md`` is written at the end, only if all of them succeeded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NAMES = ("inference", "training_step", "metrics", "memory", "data", "report", "startup", "busy")
HEADING = """# Benchmarks

Written by `make bench` on a machine that did nothing else. Each table was measured in one run, the two sides taking
turns; absolute times are this machine's, ratios travel better.
"""


def run(command: list[str]) -> str:
    """Run a benchmark from the repository's root, showing its output as it comes. Ends the program if it fails."""
    print(f"\n$ python {' '.join(command)}", flush=True)
    full = [sys.executable, *command]
    with subprocess.Popen(full, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=FOLDER.parent) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise SystemExit(f"{command[1]} failed (status {process.returncode}); nothing was written")
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="each with --quick: does it run at all?")
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=FOLDER / "RESULTS.md", help="the file (default: %(default)s)")
    options = parser.parse_args()
    flags = [f"--threads={options.threads}", *(["--quick"] if options.quick else [])]
    start = time.monotonic()
    sections = []
    for name in NAMES:
        command = ["-m", f"benchmarks.{name}", *flags]
        printed = run(command)
        sections.append(f"## {name}\n\n`python {' '.join(command)}`\n\n{printed.strip()}\n")
    options.output.write_text("\n".join([HEADING, *sections]), encoding="utf-8")
    print(f"\n{time.monotonic() - start:.0f} s; written to {options.output}")


if __name__ == "__main__":
    main()
