"""A site written into a folder: its pages, the scores beside them, and what becomes of earlier pages."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from derainbench.catalogue.cards import Card
from derainbench.errors import UserError
from derainbench.support.atomic import read_regular

from ..own_files import OwnFiles
from ..published.paper_table import PaperTable
from .boards import Board, boards_of
from .data import dataset_data
from .every_eval_ever import records
from .pages import Site, dataset_page, index_page, method_page, title_of
from .quoted import quoted_rows
from .rows import distinct, rows_of
from .slugs import is_slug, slug
from .sources import Sources

#: Beside the pages: which there are and were, and what they are called.
RECORD = "pages.json"
_SCHEMA = "derainbench-leaderboard/1"

#: Where a page says that it is of an earlier build.
_STANDING = "<!-- derainbench leaderboard: standing -->"


def site_of(
    sources: Sources,
    tables: Sequence[PaperTable],
    title: str = "Leaderboard",
    cards: Mapping[str, Card] = MappingProxyType({}),
) -> Site:
    """The boards of all that was read, with what papers print beside. :class:`UserError` where nothing was read."""
    rows = distinct(row for source in sources.read for row in rows_of(source))
    if not rows:
        why = f": {sources.left_out[0]}" if sources.left_out else ""
        raise UserError(
            f"no board can be made, for no run adds up{why}; derainbench leaderboard check says what is wrong"
        )
    boards: tuple[Board, ...] = tuple(boards_of(rows, quoted_rows(tables)))
    return Site(title, boards, sources.read, sources.left_out, cards, sources.efficiency)


def write_site(site: Site, folder: Path, export: bool = False) -> Path:
    """Write the site and return its first page; with ``export`` also each method's record for Every Eval Ever.

    A page keeps its address as long as the thing's name does. One that no present run is of stays as it was, says so,
    and is listed. :class:`UserError` where a file is in the way that no site wrote; nothing is written then.
    """
    files: dict[str, bytes] = {}
    titles: dict[str, str] = {}
    for name, boards in site.datasets().items():
        data = dataset_data(boards)
        page = f"datasets/{slug(name)}.html"
        files |= {page: dataset_page(site, boards, data).encode(), **data.files}
        titles[page] = boards[0].images.dataset.title
    for method, rows in site.methods().items():
        page = f"methods/{slug(method)}.html"
        files[page], titles[page] = method_page(site, method, rows).encode(), title_of(site, method)
    if export:
        files |= records(site.boards, site.sources)
    own = OwnFiles(folder)
    before = {page: title for page, title in _before(folder / RECORD).items() if page not in titles}
    earlier = {page: title for page, title in before.items() if (folder / page).is_file() and own.may_write(page)}
    for page in earlier:
        files[page] = _as_earlier(read_regular(folder / page).decode("utf-8", "replace"), page).encode()
    files["index.html"] = index_page(site, sorted(earlier.items())).encode()
    record = {"schema": _SCHEMA, "pages": dict(sorted({**earlier, **titles}.items()))}
    files[RECORD] = (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
    own.check(files)
    own.write_all(files)
    return folder / "index.html"


def _before(path: Path) -> dict[str, str]:
    """The pages of earlier builds; none where nobody built."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {str(page): str(title) for page, title in record["pages"].items() if _is_page(str(page))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_page(name: str) -> bool:
    folder, _, page = name.partition("/")
    return folder in ("datasets", "methods") and page.endswith(".html") and is_slug(page.removesuffix(".html"))


def _as_earlier(page: str, name: str) -> str:
    """A page with a line above it that says that no present run is of it; one that says so already stays."""
    words = "No run of the present leaderboard is of this page: it is kept as it last was, so that links to it hold."
    line = f'<p class="standing">{html.escape(words)} <a href="../index.html">The present one</a></p>'
    return page.replace(_STANDING, line, 1)
