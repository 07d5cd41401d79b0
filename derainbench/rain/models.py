"""The rain models that there are, and their presets by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator

from derainbench.errors import UserError, did_you_mean
from derainbench.rain.drop import DROP
from derainbench.rain.mist import MIST
from derainbench.rain.model import Preset, RainModel
from derainbench.rain.streak import STREAK

#: The rain models by name, those of the NASNet paper: Eqs. 1 to 3.
RAIN_MODELS: dict[str, RainModel] = {model.name: model for model in (STREAK, DROP, MIST)}

#: All presets by name.
PRESETS: dict[str, Preset] = {
    each.name: replace(each, model=model.name) for model in RAIN_MODELS.values() for each in model.presets
}


def _known(name: str) -> str:
    if name not in RAIN_MODELS:
        raise ValueError(f"there is no such rain model; {did_you_mean(name, [*RAIN_MODELS])}")
    return name


#: A rain model's name, in data that is validated.
RainModelName = Annotated[str, AfterValidator(_known)]


def preset(name: str) -> Preset:
    """The preset called `name`. Raises UserError on an unknown name, listing all."""
    if name not in PRESETS:
        hint = did_you_mean(name, list(PRESETS))
        raise UserError(f"rain preset {name!r} does not exist; {hint} (there are {', '.join(sorted(PRESETS))})")
    return PRESETS[name]
