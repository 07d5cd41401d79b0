"""What may be concluded from scores: intervals, paired tests, ranks, and the plain words for them.

Scores are better when higher. The independent unit is the scene: images that show one scene are not independent, so
every test and interval here takes the scene of each image.
"""

from __future__ import annotations

from derainbench.stats.family import adjusted_family
from derainbench.stats.holm import holm
from derainbench.stats.intervals import LEAST_SCENES, Interval, mean_interval, mean_intervals
from derainbench.stats.paired import LEAST_UNITS, Paired, least_p, paired_test
from derainbench.stats.ranks import ALPHA, LEAST_METHODS, Ranks, critical_difference, friedman
from derainbench.stats.refusal import Refusal
from derainbench.stats.scenes import Clusters, scene_means
from derainbench.stats.seeds import OverSeeds, over_seeds
from derainbench.stats.words import comparison_words, p_words, rank_words

__all__ = [
    "ALPHA",
    "LEAST_METHODS",
    "LEAST_SCENES",
    "LEAST_UNITS",
    "Clusters",
    "Interval",
    "OverSeeds",
    "Paired",
    "Ranks",
    "Refusal",
    "adjusted_family",
    "comparison_words",
    "critical_difference",
    "friedman",
    "holm",
    "least_p",
    "mean_interval",
    "mean_intervals",
    "over_seeds",
    "p_words",
    "paired_test",
    "rank_words",
    "scene_means",
]
