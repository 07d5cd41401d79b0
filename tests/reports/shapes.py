"""Runs of any shape: many methods and datasets with papers, several seeds, and scores that tests can tell apart."""

from __future__ import annotations

import dataclasses

import numpy as np

from derainbench.results.results import MethodInRun, Results, TestPair
from derainbench.results.run_info import PaperInfo

from .conftest import Score, dataset, method, results


def entry(key: str, title: str) -> str:
    """A BibTeX entry."""
    return f"@article{{{key}, title = {{{title}}}, author = {{Doe, Jane}}, journal = {{A Journal}}, year = 2020}}"


def with_paper(name: str, title: str, parameters: int = 0) -> MethodInRun:
    """A method that has a paper, whose key is its name."""
    return dataclasses.replace(method(name, title, parameters), paper=PaperInfo(bibtex=entry(name, f"On {name}")))


def many(methods: int = 9, datasets: int = 7, images: int = 12, seeds: int = 3) -> Results:
    """Methods and datasets of long names under two protocols; each image is a scene.

    Of any two methods 2n and 2n + 1 none is better; 2n + 2 is better than both.
    """
    random = np.random.default_rng(0)
    known = [with_paper(f"m{n}", f"A method of a rather long name, number {n}", 1000 * 7**n) for n in range(methods)]
    tested = [
        dataclasses.replace(
            dataset(f"d{n}", *map(str, range(images)), title=f"A dataset whose title is rather long, number {n}"),
            bibtex=entry(f"d{n}", f"The set {n}"),
        )
        for n in range(datasets)
    ]
    scores: list[Score] = []
    for protocol, shift in (("y", 2.0), ("rgb", 0.0)):
        for each in tested:
            level = random.normal(30 + shift, 2, images)
            for number, candidate in enumerate(known):
                for seed in range(seeds):
                    psnr = level + (number // 2) * 0.4 + random.normal(0, 0.3, images)
                    scores += [
                        (candidate.name, each.name, seed, each.name, str(n), protocol, float(value), 0.8 + value / 500)
                        for n, value in enumerate(psnr)
                    ]
    run = results(scores, known, tested, seeds=list(range(seeds)), protocols=["y", "rgb"])
    run.scores["scene"] = run.scores["image"]
    return dataclasses.replace(run, datasets=tuple(dataclasses.replace(d, test=_scenes(d.test)) for d in tested))


def _scenes(pairs: tuple[TestPair, ...]) -> tuple[TestPair, ...]:
    return tuple(dataclasses.replace(pair, scene=pair.image) for pair in pairs)
