"""Text of any origin as GitHub-flavoured Markdown that shows it as it is, escaped only where Markdown would read it."""

from __future__ import annotations

import re

#: What Markdown reads wherever it stands. An underscore between two letters or digits is none, nor is a bracket without
#: an address, or a sign of comparison before a blank.
_READ = re.compile(
    r"""[\\`*~|$]                    # escapes, code, emphasis, strikethrough, columns, mathematics
      | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])
      | \](?=[(\[:]) | \[(?=[\^!])   # links, definitions, footnotes
    """,
    re.VERBOSE,
)
#: What Markdown reads at the beginning of a line: headings, quotations, lists, rules.
_READ_FIRST = re.compile(r"^(?=\#{1,6}(?:\s|$)|>|[+-](?:\s|$)|[=-]+$)|^(\d+)(?=[.)](?:\s|$))")


def escape(text: str) -> str:
    """``text`` as one line that Markdown shows as it is, inside a table or a list too."""
    one_line = " ".join(text.split())
    one_line = _READ.sub(r"\\\g<0>", one_line)
    one_line = _READ_FIRST.sub(lambda found: f"{found[1] or ''}\\", one_line)
    one_line = re.sub(r"&(?=#?\w+;)", "&amp;", one_line)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", one_line)


def code(text: str) -> str:
    """Text between backticks: nothing can be escaped there, so what would end it is replaced."""
    return " ".join(text.replace("`", "'").replace("|", "\N{BROKEN BAR}").split())
