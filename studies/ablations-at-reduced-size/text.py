"""The study in words: a template filled with what its runs measured, and nothing typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from findings import CHANGES, SETS, Finding, TestSet, findings, network, scenes_of, seeds_by_image, spread_of_seeds
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from derainbench.errors import UserError
from derainbench.plugins.registry import discover
from derainbench.results.load import load_run
from derainbench.results.merging import merged
from derainbench.results.results import Results
from derainbench.results.run_info import read_done
from derainbench.stats import OverSeeds, Paired, p_words
from derainbench.support.words import counted, listed

HERE = Path(__file__).parent
#: What makes the study's networks small.
SIZE = "blocks=2,width=16"


def write_text(run: Path, also: Sequence[Path], table: Path, out: Path) -> Path:
    """The text of a run, and of full-size ones where there are any. Returns where it was written."""
    results = load_run(run)
    found = findings(results, SIZE)
    larger = merged([load_run(folder) for folder in also]) if also else None
    environment = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True)
    environment.filters["db"] = db
    environment.globals |= {
        "counted": counted,
        "listed": listed,
        "db": db,
        "p_words": p_words,
        "seeds_words": seeds_words,
        "scenes_words": scenes_words,
    }
    environment.lstrip_blocks = True
    written = environment.get_template("text.md.j2").render(
        found=found,
        changes=CHANGES,
        sets=[tested for tested in SETS if any(each.tested == tested for each in found)],
        scenes={each.tested.title: scenes_of(found, each.tested) for each in found},
        gains=gains(results),
        spreads={tested.title: spread_of_seeds(results, SIZE, tested) for tested in SETS},
        made=made_by(results),
        table=table.read_text().partition("\n\n")[2],
        full=findings(larger, "") if larger else [],
        full_made=made_by(larger) if larger else {},
        larger=larger_by(results),
        base=network("", SIZE),
    )
    out.write_text(written)
    return out


def larger_by(results: Results) -> dict[str, str]:
    """How many times as many parameters the paper's network has, and pixels its training, to two digits."""
    method, here = discover().variant("nasnet"), results.trainings[0].recipe
    paper = method.method.recipe
    assert paper is not None
    assert paper.steps is not None
    small = next(each.parameters for each in results.methods if each.name == network("", SIZE))
    assert small is not None
    pixels = paper.steps * paper.batch * paper.patch**2 / (here["steps"] * here["batch"] * here["patch"] ** 2)
    whole = sum(parameter.numel() for parameter in method.skeleton().parameters())
    return {"parameters": f"{float(f'{whole / small:.2g}'):,.0f}", "pixels": f"{float(f'{pixels:.2g}'):,.0f}"}


def db(value: float) -> str:
    """A difference in dB."""
    return f"{value:+.2f}"


def gains(results: Results) -> dict[str, tuple[float, float]]:
    """By how many dB the study's NASNet is above the rainy input on each set, and what the input has."""
    found = {}
    for tested in SETS:
        scores = seeds_by_image(results, network("", SIZE), tested)
        rainy = seeds_by_image(results, "identity", TestSet(tested.title, "untrained", tested.dataset))
        if not scores.empty and not rainy.empty:
            before = float(rainy.mean().mean())
            found[tested.title] = (float(scores.mean().mean()) - before, before)
    return found


def made_by(results: Results) -> dict[str, Any]:
    """How a run's networks were trained: how many, by which recipe, on what, in how many hours one after the other."""
    first, *others = results.trainings
    if any(each.recipe != first.recipe for each in others):
        raise UserError(f"{results.folder}: networks were trained by several recipes; the study has one")
    cells = [each.folder for each in results.trainings] + list(results.evaluations.values())
    done = [each for folder in cells if (each := read_done(folder / "done.json")) is not None]
    return {
        "recipe": first.recipe,
        "trainings": len(results.trainings),
        "seeds": len({each.seed for each in results.trainings}),
        "parameters": {method.name: method.parameters for method in results.methods},
        "precision": results.info.precision,
        "machine": " ".join(str(done[0].made_on[word]) for word in ("name", "device") if word in done[0].made_on),
        "hours": sum(each.seconds or 0.0 for each in done) / 3600,
    }


def seeds_words(finding: Finding) -> str:
    """The interval over seeds."""
    seeds = finding.seeds
    return f"{seeds.low:+.2f} to {seeds.high:+.2f}" if isinstance(seeds, OverSeeds) else str(seeds)


def scenes_words(finding: Finding) -> str:
    """In how many images the change helps, and the adjusted p."""
    scenes = finding.scenes
    return f"{scenes.wins} of {scenes.images}, {p_words(scenes.p)}" if isinstance(scenes, Paired) else str(scenes)
