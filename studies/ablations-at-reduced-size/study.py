"""NASNet's ablations at a size that a laptop trains, from photographs to the text: ``python study.py --help``.

Every step goes on where an interruption left it: the same command again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from text import SIZE, write_text

HERE = Path(__file__).parent
#: The set's name, which is its folder's too, the preset of its rain, and how many rains a photograph gets.
SETS = {"streak": "rain100l", "drop": "drops", "mist": "mist"}
RAINS = {"train": 2, "test": 1}
#: Of the photographs in the order of their names, each so-manieth is for testing.
EVERY = 4
TABLES = ("attention", "stages", "fusion", "real")
#: What the figure shows.
SHOWN = [f"nasnet[{words}]" for words in (f"{SIZE},attention=none", f"stages=1,{SIZE}", SIZE, f"stages=4,{SIZE}")]
ENDINGS = (".png", ".jpg", ".jpeg")


def derainbench(*arguments: object) -> str:
    """Run derainbench to its end and say what it printed; this program ends where it fails."""
    command = [sys.executable, "-m", "derainbench", *map(str, arguments)]
    print("derainbench", *arguments, file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def divide(photographs: Path, out: Path) -> dict[str, Path]:
    """Links to the photographs of each split, in folders of their own."""
    names = sorted(path.name for path in photographs.iterdir() if path.suffix.lower() in ENDINGS)
    if len(names) < 2 * EVERY:
        raise SystemExit(f"{photographs} has {len(names)} photographs (png, jpg); give a folder of {2 * EVERY} or more")
    folders = {split: out / split for split in RAINS}
    for number, name in enumerate(names, 1):
        link = folders["train" if number % EVERY else "test"] / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to((photographs / name).resolve())
    return folders


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True, help="a folder of clean photographs, 120 here")
    parser.add_argument("--data-root", type=Path, required=True, help="the folder that has Rain100L")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"), help="(default: %(default)s)")
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="runs of full-size networks, for the text")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folders = divide(options.photographs, options.out / "photographs")
    cards = []
    for name, preset in SETS.items():
        where = options.out / "data" / name
        for split, folder in folders.items():
            made = ("--preset", preset, "--clean", folder, "--out", where, "--name", f"synth-{name}")
            derainbench("datasets", "synth", *made, "--split", split, "--per-image", RAINS[split])
        cards += ["--card", where / "card.toml"]
    run = options.out / "run"
    real = ("--data-root", options.data_root)
    derainbench("run", "--config", HERE / "run.toml", "--suite", HERE / "suite.toml", *cards, *real, "--out", run)
    derainbench("report", run, *(part for table in TABLES for part in ("--table", HERE / f"{table}.toml")))
    for ending in ("md", "tex"):
        spec = ("--spec", HERE / "table.toml", "--columns", 2)
        derainbench("table", run, *spec, "--out", options.out / f"table.{ending}")
    shown = ("--methods", ",".join(SHOWN), "--datasets", ",".join(f"synth-{name}" for name in SETS))
    derainbench("figure", run, *shown, "--out", options.out)
    print(write_text(run, options.also, options.out / "table.md", options.out / "text.md"))


if __name__ == "__main__":
    main()
