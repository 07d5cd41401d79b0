"""The three rain models of the NASNet paper: streak (Eq. 1), drop (Eq. 2), mist (Eq. 3).

Each is a function of a clean image, parameters and a seed (mist also of a depth map), and returns a `Rain`: the rainy
image and the layers its equation is made of. Images are display-referred (not linear light), because the benchmarks
add their rain there.
"""

from __future__ import annotations

from derainbench.rain.drop import DropParameters, drop, drop_equation
from derainbench.rain.image import MIN_SIDE, Equation, Rain
from derainbench.rain.measure import StreakStatistics, streak_statistics
from derainbench.rain.mist import MistParameters, mist, mist_equation, plane_depth
from derainbench.rain.model import Preset, RainModel
from derainbench.rain.models import PRESETS, RAIN_MODELS, preset
from derainbench.rain.streak import StreakParameters, streak, streak_equation

__all__ = [
    "MIN_SIDE",
    "PRESETS",
    "RAIN_MODELS",
    "DropParameters",
    "Equation",
    "MistParameters",
    "Preset",
    "Rain",
    "RainModel",
    "StreakParameters",
    "StreakStatistics",
    "drop",
    "drop_equation",
    "mist",
    "mist_equation",
    "plane_depth",
    "preset",
    "streak",
    "streak_equation",
    "streak_statistics",
]
