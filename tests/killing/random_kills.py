"""Kills at random moments of runs on one device, two, and a Ray cluster: ``python -m tests.killing.random_kills``.

A run of two trainings, or of one of each of the methods given, is begun again and again, and each time a process of it,
the one that drives it or another, gets SIGKILL at a random moment, until so many kills were made; runs that end are
looked at and begun anew. In the end every file that was learnt or measured must be that of a run which nobody
disturbed, and nothing else may be there.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.run.conftest import Workshop, results, workshop_in

WAYS = {
    "inline": {"device": "cpu"},
    "processes": {"device": "", "devices": "cpu:2"},
    "ray": {"device": "cpu", "executor": "ray"},
}
#: Seconds after its start from which on a process may be killed, before anything was done.
FIRST = 0.1
#: What trainings of the harness's methods are cut down to; the discriminator is trained, too.
FEW = """base = "{base}"
steps = {steps}
batch = 1
patch = 32
checkpoint_every = 5
[methods.deraindrop]
adversarial = true
"""
#: What a run may leave in its folder, beside what is in none of these.
DEBRIS = (".cells", ".driver.json", ".stop", ".slurm")
#: Seconds that a run may take: of several methods, on a machine that does other work, too.
WAIT = 3600.0


class Order(NamedTuple):
    """What is run, and the last second after its start at which a process of it may be killed."""

    options: dict[str, str]
    last: float


def command(workshop: Workshop, order: Order, out: str, way: str) -> list[str]:
    return workshop.arguments(out=out, threads="1", **order.options, **WAYS[way])


def family(process: int) -> list[int]:
    """The process and those that it started, and they."""
    found = [process]
    for each in found:
        try:
            found += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
        except OSError:
            continue
    return found


def ended_whole(workshop: Workshop, order: Order, out: str, way: str, expected: dict[str, bytes]) -> None:
    """The command once more, undisturbed."""
    done = workshop.process(command(workshop, order, out, way), WAIT)
    run = workshop.folder / out
    if done.returncode or results(run) != expected:
        raise SystemExit(f"{way}: {out} is not what it should be\n{done.stderr}")
    left = [name for name in DEBRIS if (run / name).exists()] + [path.name for path in run.rglob("*.part")]
    left += [path.name for path in run.rglob("checkpoint.pt")]
    if left:
        raise SystemExit(f"{way}: {out} has debris: {', '.join(left)}")


def kill_at_random(
    workshop: Workshop, order: Order, way: str, kills: int, seed: int, expected: dict[str, bytes]
) -> str:
    """How many kills met the driver and how many others, over how many runs."""
    chance, met, runs, finished = random.Random(seed), {"driver": 0, "other": 0}, 0, 0
    while sum(met.values()) < kills:
        out = f"{way}-{runs}"
        process = workshop.popen(command(workshop, order, out, way))
        time.sleep(chance.uniform(FIRST, order.last))
        if process.poll() is None:
            victim = process.pid if chance.random() < 0.5 else chance.choice(family(process.pid))
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
            met["driver" if victim == process.pid else "other"] += 1
        else:
            finished += 1
        process.communicate(timeout=WAIT)
        if chance.random() < 0.2 or sum(met.values()) >= kills:
            ended_whole(workshop, order, out, way, expected)
            runs += 1
    return (
        f"{way}: {met['driver']} kills of the driver, {met['other']} of others, {runs} runs, all identical, no debris"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="(default: all)")
    parser.add_argument("--kills", type=int, default=34, help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", help="of the harness (default: two seeds of a small one that is made up)")
    parser.add_argument("--base", choices=("quick", "paper"), default="quick", help="of their recipe (default: quick)")
    parser.add_argument("--steps", type=int, default=24, help="that their trainings have (default: %(default)s)")
    parser.add_argument("--last", type=float, default=9.0, help="second at which is killed (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        workshop = workshop_in(Path(home))
        workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 800"))
        (workshop.folder / "few.toml").write_text(FEW.format(base=options.base, steps=options.steps))
        asked = {"seeds": "0,1"} if options.methods is None else {"methods": options.methods, "recipe": "few.toml"}
        order = Order(asked, options.last)
        whole = workshop.process(command(workshop, order, "whole", "inline"), WAIT)
        if whole.returncode:
            raise SystemExit(whole.stderr)
        expected = results(workshop.folder / "whole")
        for way in options.ways:
            print(kill_at_random(workshop, order, way, options.kills, options.seed, expected), flush=True)


if __name__ == "__main__":
    main()
