"""How values in [0, 1] become whole grey levels."""

from __future__ import annotations

from typing import Literal

#: ``truncate`` is what ``uint8(255 * x)`` does, a common slip in code that writes results: half a level darker on
#: average, 0.17 dB at 37.5 dB.
Quantisation = Literal["round", "truncate"]
