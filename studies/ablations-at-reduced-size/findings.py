"""What the study's scores support: each change of the network, against the spread over seeds and that over scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from derainbench.errors import UserError
from derainbench.plugins.registry import discover
from derainbench.reports.published.shipped import paper_tables
from derainbench.results.results import Results
from derainbench.stats import ALPHA, OverSeeds, Paired, Refusal, adjusted_family, over_seeds, paired_test

PROTOCOL = "y"


@dataclass(frozen=True)
class Change:
    """Something of NASNet that its paper ablates: the options of the two networks, and their rows in its table."""

    title: str
    options: tuple[str, str]
    table: str
    rows: tuple[str, str]

    def printed(self) -> float:
        """By how many dB the paper has the second above the first."""
        (table,) = paper_tables([self.table])
        (column,) = table.columns
        psnr = {row.title: row.published[column.dataset].psnr for row in table.rows}
        first, second = (float(psnr[row] or "nan") for row in self.rows)
        return second - first


CHANGES = (
    Change("neuron attention instead of none", ("attention=none", ""), "nasnet/7", ("PlainNet", "NASNet")),
    Change("neuron attention instead of SE", ("attention=se", ""), "nasnet/7", ("SENet", "NASNet")),
    Change("two stages instead of one", ("stages=1", "stages=2"), "nasnet/8", ("Stage=1", "Stage=2")),
    Change("three stages instead of two", ("stages=2", ""), "nasnet/8", ("Stage=2", "Stage=3")),
    Change("four stages instead of three", ("", "stages=4"), "nasnet/8", ("Stage=3", "Stage=4")),
    Change("fusion of the stages", ("fusion=none", ""), "nasnet/9", ("DirectNet", "NASNet")),
)


@dataclass(frozen=True)
class TestSet:
    """Where networks were tested, and on what they were trained."""

    __test__ = False  # not a pytest class

    title: str
    trained_on: str
    dataset: str


SETS = (
    TestSet("Streaks", "synth-streak", "synth-streak"),
    TestSet("Drops", "synth-drop", "synth-drop"),
    TestSet("Mist", "synth-mist", "synth-mist"),
    TestSet("Rain100L", "synth-streak", "rain100l"),
)


@dataclass(frozen=True)
class Finding:
    """A change on a test set: the mean difference in PSNR (dB), that of each seed, and the test over scenes.

    ``scenes`` has its p adjusted by Holm's method for all that the study tests.
    """

    change: Change
    tested: TestSet
    difference: float
    by_seed: tuple[float, ...]
    seeds: OverSeeds | Refusal
    scenes: Paired | Refusal

    @property
    def beyond_seeds(self) -> bool:
        """Whether the 95 % t-interval of the difference over seeds leaves zero out."""
        return isinstance(self.seeds, OverSeeds) and not self.seeds.low <= 0 <= self.seeds.high

    @property
    def beyond_scenes(self) -> bool:
        """Whether the test over scenes tells the networks, as means of their seeds, apart."""
        return isinstance(self.scenes, Paired) and self.scenes.p < ALPHA

    @property
    def size(self) -> float:
        """How large it is, whichever way it goes."""
        return abs(self.difference)

    @property
    def holds(self) -> bool:
        """Whether both say so."""
        return self.beyond_seeds and self.beyond_scenes

    @property
    def as_printed(self) -> bool:
        """Whether the difference goes the way that the paper's goes."""
        return (self.difference > 0) == (self.change.printed() > 0)


def network(options: str, size: str) -> str:
    """NASNet's canonical name with these options and those of its size."""
    words = ",".join(filter(None, (options, size)))
    return discover().variant(f"nasnet[{words}]" if words else "nasnet").name


def seeds_by_image(results: Results, method: str, tested: TestSet) -> pd.DataFrame:
    """PSNR, a row an image and a column a seed, indexed by image and scene; empty where nobody measured it."""
    scores = results.scores
    chosen = scores[
        (scores["method"] == method)
        & (scores["trained_on"] == tested.trained_on)
        & (scores["dataset"] == tested.dataset)
        & (scores["protocol"] == PROTOCOL)
        & (scores["metric"] == "psnr")
    ]
    return chosen.pivot(index=["image", "scene"], columns="seed", values="value")


def findings(results: Results, size: str) -> list[Finding]:
    """Every change on every set on which both of its networks were tested, over the seeds that both have."""
    found = list(_untested(results, size))
    adjusted = adjusted_family({number: each.scenes for number, each in enumerate(found)})
    return [
        Finding(each.change, each.tested, each.difference, each.by_seed, each.seeds, adjusted[number])
        for number, each in enumerate(found)
    ]


def _untested(results: Results, size: str) -> Iterator[Finding]:
    for change in CHANGES:
        for tested in SETS:
            first, second = (seeds_by_image(results, network(each, size), tested) for each in change.options)
            if first.empty or second.empty:
                continue
            if not first.index.equals(second.index) or list(first.columns) != list(second.columns):
                raise UserError(f"{change.title} on {tested.title}: other images or seeds; finish the run first")
            difference = second - first
            by_seed = tuple(float(value) for value in difference.mean())
            a, b = (frame.mean(axis=1).to_numpy(np.float64) for frame in (second, first))
            scenes = difference.index.get_level_values("scene").to_numpy()
            mean = float(np.mean(by_seed))
            yield Finding(change, tested, mean, by_seed, over_seeds(by_seed), paired_test(a, b, scenes))


def spread_of_seeds(results: Results, size: str, tested: TestSet) -> list[float]:
    """The sample deviation over seeds of each network's mean PSNR on a set."""
    names = dict.fromkeys(network(each, size) for change in CHANGES for each in change.options)
    frames = [frame for name in names if not (frame := seeds_by_image(results, name, tested)).empty]
    return [float(frame.mean().std(ddof=1)) for frame in frames]


def scenes_of(found: Sequence[Finding], tested: TestSet) -> int:
    """How many scenes a set's tests are over."""
    return max(each.scenes.units for each in found if each.tested == tested and isinstance(each.scenes, Paired))
