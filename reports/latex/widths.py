"""How wide text is in LaTeX, in points, by Computer Modern: the widest of the fonts that papers are set in.

Times, the font of CVPR and IEEE, is narrower throughout, so what fits by these numbers fits there.
"""

from __future__ import annotations

import unicodedata

#: Points in a unit of TeX's.
POINTS = {"pt": 1.0, "in": 72.27, "cm": 72.27 / 2.54, "mm": 72.27 / 25.4}

# cmr8.tfm (TeX Live), in ems, rounded up to hundredths
_OF_8_PT = {
    "!',.:;[]`|il": 0.30, "fj": 0.33, "- ": 0.36, "I": 0.39, "()rt": 0.42, "s": 0.43, "cez": 0.48, "?": 0.51,
    '"$*/0123456789\\^ago{}~–': 0.54, "J": 0.55, "_kqvxy": 0.57, "Sbdhnpu": 0.60, "Z": 0.65, "L": 0.67, "F": 0.70,
    "EP": 0.73, "B": 0.76, "CTw": 0.77, "R": 0.79, "AHNUVXY": 0.80, "D": 0.82, "&+<=>@GKOQ×✓": 0.84, "#%m": 0.90,
    "±": 0.95, "M": 0.98, "W": 1.10,
}  # fmt: skip
_EMS = {character: width for characters, width in _OF_8_PT.items() for character in characters}
#: Small sizes are drawn wider: cmr7 by so much than cmr8, cmr9 less.
_OPTICAL = ((7.5, 1.073), (8.5, 1.0), (12.0, 0.97))
#: cmbx8 against cmr8; and Courier, which stands beside Times and is wider than cmtt8.
_BOLD, _TYPEWRITER = 1.16, 0.6
_WIDEST = 1.10  # of what the table does not have, such as code points' letters


def points(length: str) -> float:
    """``3.25in`` in TeX's points."""
    return float(length[:-2]) * POINTS[length[-2:]]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Points that a line of text takes at a font size."""
    ems = sum(_ems(character) for character in text)
    return ems * _optical(size) * size * (_BOLD if bold else 1.0)


def typewriter_width(text: str, size: float) -> float:
    """The same in typewriter type."""
    return len(text) * _TYPEWRITER * size


def _ems(character: str) -> float:
    base = unicodedata.normalize("NFD", character)[:1]
    return _EMS.get(character, _EMS.get(base, _WIDEST))


def _optical(size: float) -> float:
    return next((factor for largest, factor in _OPTICAL if size <= largest), 0.95)
