"""Text of any origin as plain-ASCII LaTeX that compiles with every engine and shows the text, never runs it."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from functools import lru_cache

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\textasciigrave{}",
    # after a row's \\ these would be read as its optional argument and its star
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "–": r"\textendash{}", "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "…": r"\ldots{}", "·": r"$\cdot$", "×": r"$\times$", "±": r"$\pm$", "→": r"$\rightarrow$", "∞": r"$\infty$",
    "≤": r"$\leq$", "≥": r"$\geq$", "−": "$-$", "°": r"$^\circ$", "µ": r"$\mu$", "§": r"\S{}", "©": r"\copyright{}",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
}  # fmt: skip
#: Combining marks that follow a base letter after canonical decomposition, and the accent command of each.
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}  # fmt: skip
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ν": "nu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi",
    "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Σ": "Sigma", "Φ": "Phi",
    "Ω": "Omega",
}  # fmt: skip
#: A word of more characters may break after punctuation and after every tenth letter, without a hyphen.
LONGEST_WORD = 20
BREAK = r"\allowbreak{}"


def escape(text: str) -> str:
    """``text`` for prose or a table cell. What LaTeX has no sign for becomes its code point, as in [U+4E2D]."""
    return _without_ligatures("".join(_character(character) for character in _one_line(text)))


def breakable(text: str) -> str:
    """Like :func:`escape`, for prose, commands and paths: lines may break in words that are longer than any word is."""
    pieces = []
    for word in re.split(r"(?<= )", _one_line(text)):
        run = 0
        for character in word:
            run = run + 1 if character.isalnum() or character == "-" else 0
            pieces.append(_character(character) + (BREAK if len(word) > LONGEST_WORD and run % 10 == 0 else ""))
    return _without_ligatures("".join(pieces))


def stacked(text: str, width: int, position: str, align: str, tail: str = "") -> str:
    """``text`` broken into lines of at most ``width`` characters, stacked in one table cell.

    ``position`` is ``t`` or ``b`` (which line is level with the row), ``align`` is ``l`` or ``c``. ``tail`` is LaTeX
    that follows the last line.
    """
    lines = textwrap.wrap(printable(text), width) or [""]
    if len(lines) == 1:
        return escape(lines[0]) + tail
    body = r" \\ ".join(escape(line) for line in lines) + tail
    return rf"\begin{{tabular}}[{position}]{{@{{}}{align}@{{}}}}{body}\end{{tabular}}"


def printable(text: str) -> str:
    """``text`` with code points in the place of what LaTeX has no sign for: as many characters as are printed."""
    return "".join(
        _code_point(character) if _character(character) == escape(_code_point(character)) else character
        for character in _one_line(text)
    )


def _one_line(text: str) -> str:
    """Line ends and other blanks as single spaces: an empty line would end a paragraph, or a table's argument."""
    return re.sub(r"\s+", " ", text)


@lru_cache(maxsize=4096)
def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if " " <= character <= "~":
        return character
    if character in LETTERS:
        return LETTERS[character]
    if character in GREEK:
        return rf"$\{GREEK[character]}$"
    base, *marks = list(unicodedata.normalize("NFD", character))
    if len(marks) == 1 and marks[0] in ACCENTS and base.isascii() and base.isalpha():
        letter = {"i": r"\i", "j": r"\j"}.get(base, base)
        return rf"\{ACCENTS[marks[0]]}{{{letter}}}"
    return "".join(SPECIAL.get(sign, sign) for sign in _code_point(character))


def _code_point(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def _without_ligatures(text: str) -> str:
    """Two hyphens would join into a dash, two apostrophes or commas into a quotation mark."""
    return re.sub(r"([-',])(?=\1)", r"\1{}", text)
