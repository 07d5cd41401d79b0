"""The learning rate of a step: a function of the step alone, so that nothing of it needs restoring."""

from __future__ import annotations

import math
from itertools import accumulate

from derainbench.plugins.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of step 0 to ``steps - 1``.

    Warm-up by ``warmup`` of n units: lr (i + 1) / n at the unit i. With ``warmup_within`` BasicSR's loop, which counts
    from 1 and stops a unit earlier: lr (i + 1) / n where i + 1 < n.
    """
    count, place = steps, step - recipe.rate_lag
    if recipe.rate_by == "epoch" and recipe.epochs is not None:
        count, place = recipe.epochs, step * recipe.epochs // steps - recipe.rate_lag
    if place < 0:
        return 0.0
    warm = round(recipe.warmup * count)
    if place < warm - recipe.warmup_within:
        return recipe.lr * (place + 1) / warm
    if not recipe.warmup_within:
        return _scheduled(recipe, place - warm, max(1, count - warm))
    if recipe.schedule == "cosine" and not recipe.periods and warm > 1:
        # Torch's is recursive, and goes on from what the warm-up left: the same curve through another point.
        left, low = recipe.lr * (warm - 1) / warm, recipe.lr_min
        return low + (left - low) * _cosine(place / count) / _cosine((warm - 2) / count)
    return _scheduled(recipe, place, count)


def _cosine(done: float) -> float:
    """From 2 down to 0."""
    return 1 + math.cos(math.pi * done)


def _scheduled(recipe: Recipe, place: int, count: int) -> float:
    """The schedule after so many of ``count`` units."""
    done, low, span = place / count, recipe.lr_min, recipe.lr - recipe.lr_min
    if recipe.schedule == "cosine":
        return _restarted(recipe, place, count) if recipe.periods else low + span * _cosine(done) / 2
    if recipe.schedule == "multistep":
        return max(low, recipe.lr * recipe.gamma ** sum(done >= milestone for milestone in recipe.milestones))
    if recipe.schedule == "poly":
        return low + span * math.pow(1 - done, 0.9)
    if recipe.schedule == "linear":
        return low + span * (1 - done)
    return recipe.lr


def _restarted(recipe: Recipe, place: int, count: int) -> float:
    """A cosine in each of the periods; a boundary is the end of the earlier one."""
    at = place * sum(recipe.periods) / count
    ends = list(accumulate(recipe.periods))
    index = next((index for index, end in enumerate(ends) if at <= end), len(ends) - 1)
    done = (at - (ends[index] - recipe.periods[index])) / recipe.periods[index]
    low = recipe.period_minima[index] if recipe.period_minima else recipe.lr_min
    weight = recipe.period_weights[index] if recipe.period_weights else 1.0
    return low + weight * (recipe.lr - low) * _cosine(done) / 2
