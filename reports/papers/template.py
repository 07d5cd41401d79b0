"""The templates of conferences and journals: how wide a figure is, and how large the words in it are."""

from __future__ import annotations

from dataclasses import dataclass

from derainbench.errors import UserError, did_you_mean

#: Points of an inch, as PDF counts them (TeX's ``bp``): all measures of a figure.
INCH = 72.0


@dataclass(frozen=True)
class Template:
    """Widths in inches of one column of the text and of both; ``height`` is that of a page's text."""

    name: str
    column: float
    text: float
    height: float

    def width(self, columns: int) -> float:
        """The width in points of a figure over so many columns."""
        return INCH * (self.column if columns == 1 else self.text)


#: CVPR's author kit (cvpr.sty: 6.875 in with a gap of 5/16 in; ICCV and WACV are the same), and IEEEtran's two columns
#: on US letter. Both are set in Times.
TEMPLATES = {
    each.name: each
    for each in (
        Template("cvpr", 3.25, 6.875, 8.875),
        Template("ieee", 3.5, 7.16, 9.25),
    )
}
#: Sizes of words in points, largest first, with LaTeX's command for each where the text is 10 points.
SIZES = {8.0: r"\footnotesize", 7.0: r"\scriptsize", 6.0: r"\fontsize{6}{7}\selectfont", 5.0: r"\tiny"}
#: Lines of text stand this far apart, in sizes.
LEADING = 1.15


def template_of(word: str) -> Template:
    """The template of that name; :class:`UserError` where there is none."""
    if word not in TEMPLATES:
        raise UserError(f"--template {word!r}: no such template; {did_you_mean(word, [*TEMPLATES])}")
    return TEMPLATES[word]
