"""The documentation as a site: ``make docs`` writes it to build/docs.

The pages are the Markdown files beside this one, which stay readable on GitHub. Only what that asks for is special
here: a link from one of them to a file outside of docs/ leads to the page that holds the file, or to GitHub.
"""

from __future__ import annotations

import importlib
import inspect
import os.path
import re
from pathlib import Path, PurePosixPath
from typing import Any, get_type_hints

from docutils import nodes

import derainbench

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent
GITHUB = "https://github.com/derainbench/derainbench/blob/main/"

#: Files outside of docs/ that are pages of the site, by the page that includes them.
INCLUDED = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/RESULTS.md": "measured-speed.md",
    "benchmarks/GPU.md": "measured-gpu.md",
}

project = "derainbench"
author = "The derainbench authors"
copyright = author
version = release = derainbench.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]  # myst_nb reads the Markdown, too
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
nb_execution_mode = "off"  # the notebook shows what is stored in it; tests/test_notebook.py executes it
myst_heading_anchors = 3  # links such as recipes.md#precision, as GitHub makes them

autosummary_generate = False  # its tables only; the pages themselves are written by hand
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ImageArray": "ImageArray"}  # of arrays the text tells shape and range
highlight_language = "text"  # blocks without a language are what commands print
smartquotes = False
default_role = "code"  # docstrings that quote a name in single backticks mean code
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

nitpicky = True
# Names of other projects, whose inventories would have to be fetched; and the few of ours that no page shows.
nitpick_ignore_regex = [
    ("py:.*", r"(torch|np|numpy|nn|pd|pandas|pydantic|lightning_fabric|collections|importlib|pathlib|typing)\..*"),
    ("py:.*", r"Any|Callable|Fabric|_Fabric\w+|ImageArray|Iterable|Literal|Mapping|Path|Sequence|Tensor"),
    (
        "py:class",
        r"derainbench\.(images\.decode\.Half|metrics\.kinds\.Values|plugins\.layers\.(Levels|Layer)|stats\.family\.Key"
        r"|engine\.on_arrays\._Image|plugins\.recipe\.Stage|download\.remote\.RemoteFile)",
    ),
]

html_theme = "furo"
html_title = f"derainbench {version}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False

_ARRAY = re.compile(r"~numpy\.ndarray\[tuple\[~typing\.Any, \.\.\.\], ~numpy\.dtype\[[^\]]*\]\]")
_CARDS = "<!-- cards -->"  # what a page has in place of their table
_ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
_FUNCTION = re.compile(r"<function (\w+)[^>]*>")
_LINK = re.compile(r"(\]\(|src=\")([^)\s\"#]+)(#[^)\s\"]*)?(?=[)\"])")
_FENCE = re.compile(r"^(```.*?^```[^\S\n]*$)", flags=re.MULTILINE | re.DOTALL)


def _with_links_of_the_site(text: str, file: Path, page: Path) -> str:
    """Markdown of ``file``, shown on the page ``page``: its relative links lead to pages of the site, or to GitHub."""

    def led(link: re.Match[str]) -> str:
        opening, target, anchor = link[1], link[2], link[3] or ""
        if re.match(r"[a-z]+:", target):
            return link[0]
        path = PurePosixPath(os.path.normpath(file.parent / target)).relative_to(REPOSITORY)
        inside = DOCS / INCLUDED[str(path)] if str(path) in INCLUDED else REPOSITORY / path
        if not inside.is_relative_to(DOCS) or inside.suffix not in {".md", ".ipynb", ".jpg", ".png"}:
            return f"{opening}{GITHUB}{path}{anchor}"
        return f"{opening}{os.path.relpath(inside, page.parent)}{anchor}"

    parts = _FENCE.split(text)  # what stands in a block of code is no link
    return "".join(part if part.startswith("```") else _LINK.sub(led, part) for part in parts)


def table_of_cards() -> str:
    """The datasets that are fetched, in Markdown: a row a card, by rain model."""
    from derainbench.catalogue.cards import read_card

    def number(pairs: int | None) -> str:
        return "-" if pairs is None else f"{pairs:,}"

    shipped = [read_card(path) for path in sorted((REPOSITORY / "datasets").glob("*.toml"))]
    cards = sorted(
        (card for card in shipped if not card.embedded and card.union is None), key=lambda card: card.rain_model
    )
    rows = [
        f"| `{card.name}` | {card.rain_model} | {card.kind} "
        f"| {number(card.counts.train)} | {number(card.counts.test)} | {card.note} |"
        for card in cards
    ]
    head = ["| card | rain | kind | train | test | before you use it |", "|---|---|---|---:|---:|---|"]
    return "\n".join([*head, *rows])


def _read_page(app: Any, docname: str, content: list[str]) -> None:
    page = Path(app.env.doc2path(docname))
    if page.suffix == ".md":
        if _CARDS in content[0]:
            content[0] = content[0].replace(_CARDS, table_of_cards())
        content[0] = _with_links_of_the_site(content[0], page, page)


def _read_included(app: Any, file: Path, docname: str, content: list[str]) -> None:
    content[0] = _with_links_of_the_site(content[0], REPOSITORY / "docs" / file, Path(app.env.doc2path(docname)))


def _home(name: str, module: str) -> str | None:
    """The whole name of what a docstring in ``module`` calls by the name that its code uses."""
    first, _, rest = name.lstrip(".").partition(".")
    found: Any = getattr(importlib.import_module(module), first, None)
    if found is None or inspect.ismodule(found) or not hasattr(found, "__qualname__"):
        return None
    return f"{found.__module__}.{found.__qualname__}" + (f".{rest}" if rest else "")


def _resolve_short(app: Any, env: Any, node: Any, text: nodes.TextElement) -> nodes.Node | None:
    """A last try for a reference that Sphinx cannot resolve: docstrings use short names, as their code does."""
    if node.get("refdomain") != "py":
        return None
    kind, page, python, name = node["reftype"], node["refdoc"], env.get_domain("py"), node["reftarget"]
    home = _home(name, node["py:module"]) if node.get("py:module") else None
    if home is None:  # what is shown under the name of its package, or stands in a table of names
        kinds, last = python.objtypes_for_role(kind), name.split(".")[-1]
        ends = [each for each, it in python.objects.items() if each.split(".")[-1] == last and it.objtype in kinds]
        home = ends[0] if len(ends) == 1 else None
    if home is None:
        return None
    found: nodes.Node | None = python.resolve_xref(env, page, app.builder, kind, home, node, text)
    return found


def _plain_signature(
    app: Any, what: str, name: str, it: Any, options: Any, signature: str | None, back: str | None
) -> tuple[str | None, str | None]:
    """Defaults that are no Python keep Sphinx from reading the rest; of arrays the text tells shape and range."""
    parts = (
        None if part is None else _ALIAS.sub(r"\1", _ARRAY.sub("~numpy.ndarray", part)) for part in (signature, back)
    )
    signature, back = parts
    return (signature and _FUNCTION.sub(r"\1", signature.replace("<factory>", "..."))), back


def _without_aliases(app: Any, what: str, name: str, it: Any, skip: bool, options: Any) -> bool | None:
    """A field of a named tuple is told of by its class; all that Python says of it is "Alias for field number 0"."""
    return True if type(it).__name__ == "_tuplegetter" else None


def _plain_types(app: Any) -> None:
    """Fields of pydantic's models are shown as ``float``, not as the whole of what checks their range."""
    from derainbench import rain
    from derainbench.metrics import protocol
    from derainbench.plugins.recipe import Recipe
    from derainbench.results import run_info

    infos = [each for each in vars(run_info).values() if isinstance(each, type) and issubclass(each, run_info.Info)]
    records = (protocol.Protocol, protocol.Crop, protocol.Resize, protocol.Psnr, protocol.Ssim)
    for model in (Recipe, rain.StreakParameters, rain.DropParameters, rain.MistParameters, *records, *infos):
        hints = get_type_hints(model)
        given = inspect.signature(model).parameters.values()
        fields = [field for field in given if field.name in hints]  # not what another version may have added
        model.__annotations__ = hints
        model.__signature__ = inspect.Signature([field.replace(annotation=hints[field.name]) for field in fields])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", _plain_types)
    app.connect("source-read", _read_page)
    app.connect("include-read", _read_included)
    app.connect("autodoc-process-signature", _plain_signature)
    app.connect("autodoc-skip-member", _without_aliases)
    app.connect("missing-reference", _resolve_short)
