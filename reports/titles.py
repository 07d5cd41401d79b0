"""What readers call methods where a command says so: ``--rename METHOD=TITLE``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from derainbench.errors import UserError
from derainbench.support.words import in_one_line

#: A method's name, whose options have equals signs of their own, and what follows the first one outside of them.
_WORD = re.compile(r"(?P<method>[^=\[]*(?:\[[^\]]*\][^=\[]*)?)=(?P<title>.*)", re.DOTALL)


def parse_renames(words: Sequence[str]) -> dict[str, str]:
    """``nasnet[stages=2]=Ours`` and others as titles by method. UserError for what is not of that form, or said twice.

    Whether there is such a method is for the caller to say, who has the run.
    """
    titles: dict[str, str] = {}
    for word in words:
        match = _WORD.fullmatch(word)
        try:
            method, title = (match["method"].strip(), in_one_line(match["title"])) if match else ("", "")
        except ValueError as error:
            raise UserError(f"--rename {word!a}: the title {error}") from error
        if not method or not title:
            raise UserError(f"--rename {word!r}: write METHOD=TITLE, as in --rename nasnet='Ours'")
        if method in titles:
            raise UserError(f"--rename names {method!r} twice; keep one")
        titles[method] = title
    return titles
