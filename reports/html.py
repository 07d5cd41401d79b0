"""The comparison as one self-contained web page that works offline."""

from __future__ import annotations

from typing import Any

import jinja2

from derainbench.results import Results

from .entries import seeds
from .gallery import Gallery, gallery
from .pictures import LONGEST_SIDE, QUALITY, NoPictures, Pictures
from .provenance import provenance, warning_words
from .reproduction import reproductions, sources
from .table import comparison_tables


def html(results: Results) -> str:
    """``index.html``: comparison, drill-down and before/after slider for every test image, provenance.

    Styles, script and pictures are inside; the page's own policy forbids it to load anything else.
    """
    return _page(results, Pictures())


def html_without_images(results: Results) -> str:
    """The same page with numbers only: most datasets may not be passed on."""
    return _page(results, NoPictures())


def _page(results: Results, pictures: Pictures) -> str:
    galleries = [gallery(results, dataset, pictures) for dataset in results.datasets]
    source = provenance(results)
    published = reproductions(results)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("derainbench.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("index.html.j2").render(
        source=source,
        warning=warning_words(source.recipe),
        tables=comparison_tables(results),
        galleries=galleries,
        methods=results.methods,
        seeds=seeds(results),
        reproductions=published,
        printed=sources(published),
        failures=results.failures,
        quality=QUALITY,
        longest_side=LONGEST_SIDE,
        illustrated=pictures.kept,
        data={"pictures": pictures.uris, "viewers": [_viewer(each) for each in galleries]},
    )


def _viewer(section: Gallery) -> dict[str, Any]:
    """What the page's script needs of a gallery, as JSON."""
    viewer = section.viewer
    return {
        "versions": viewer.versions,
        "images": viewer.images,
        "pictures": viewer.pictures,
        "scores": viewer.scores,
        "start": _start(viewer.versions),
    }


def _start(versions: tuple[str, ...]) -> tuple[int, int]:
    """Left the rainy input, right the last method: what it was built for; the truth where there is no method."""
    return 0, max(1, len(versions) - 2)
