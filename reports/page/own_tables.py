"""A table of one's own as a piece of HTML to paste into a page, or as a page."""

from __future__ import annotations

from ..layout.own_tables import SetOwn
from .html import page_environment


def own_html(table: SetOwn) -> str:
    """The table as ``<figure>``, with a style of its own and nothing that is fetched, in ASCII."""
    text = page_environment().get_template("own.html.j2").render(table=table, several=len(table.protocols) > 1)
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
