"""The command ``derainbench datasets overlap``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from derainbench.cli.options import CardOption, DataOption, JsonOption

if TYPE_CHECKING:
    from derainbench.overlap.compare import Comparison
    from derainbench.overlap.image_sets import ImageSet

_LINES = 40  # of a list that a person reads
_NAMES = 6  # of images on a line
_TIMES = {2: "twice", 3: "three times", 4: "four times"}


def overlap(
    sets: Annotated[
        list[str], typer.Argument(metavar="SET...", help="A card, CARD:train, CARD:test, or a folder of images.")
    ],
    card: CardOption = [],  # noqa: B006 - typer copies it
    data_root: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the scenes that sets share: exact copies, and near ones (cropped by a pixel, JPEG, rained on).

    One set: repeats inside its splits, and scenes that they share. Several: scenes that each shares with another. Of a
    card the clean images are compared. This is a list, not a verdict: the exit status is 0 whatever is found.
    """
    from derainbench.catalogue.cards import all_cards
    from derainbench.catalogue.locate import checked_root
    from derainbench.overlap.compare import overlap as compare_all
    from derainbench.overlap.image_sets import choose_sets, read_set
    from derainbench.support.progress import progress_bar

    cards, root = all_cards(card), checked_root(data_root)
    chosen = [choose_sets(word, cards, root) for word in sets]
    with progress_bar() as progress:
        read = {files.name: read_set(files, progress) for argument in chosen for files in argument}
    found = compare_all([[read[files.name] for files in argument] for argument in chosen])
    typer.echo(as_data(list(read.values()), found) if as_json else as_text(list(read.values()), found))


def as_data(sets: Sequence[ImageSet], found: Sequence[Comparison]) -> str:
    """All that was found, as JSON; of very many pairs of two sets, the first."""
    from derainbench.overlap.fingerprint import NEAR

    data: dict[str, Any] = {
        "threshold": NEAR,
        "sets": [{"name": s.name, "images": len(s.images), "plain": _plain(s), "broken": list(s.broken)} for s in sets],
        "comparisons": [
            {
                "first": each.first.name,
                "second": each.second.name,
                "images_in_first": len(each.in_first),
                "images_in_second": len(each.in_second),
                "pairs": each.count,
                "pairs_listed": len(each.matches.first),
            }
            for each in found
        ],
        "pairs": [pair._asdict() for each in found for pair in each.pairs()],
    }
    return json.dumps(data, indent=2)


def as_text(sets: Sequence[ImageSet], found: Sequence[Comparison]) -> str:
    """The scenes that are shared, a line each, and a line for each two sets."""
    lines = []
    for each in found:
        count = len(each.grouped) if each.inside else len(each.in_first)
        if count:
            lines.append(f"{each.first.name}:" if each.inside else f"{each.first.name} = {each.second.name}:")
            lines += [f"  {scene}" for scene in islice(_groups(each) if each.inside else _partners(each), _LINES)]
            lines += [f"  ... and {count - _LINES} more; --json has {_listed(each)}", ""] if count > _LINES else [""]
    for images in sets:
        plain = _plain(images)
        if plain:
            shown = ", ".join(plain[:3]) + (", ..." if len(plain) > 3 else "")
            lines.append(
                f"{images.name}: {len(plain)} of {len(images.images)} images are too plain to be told from others, "
                f"only exact copies are found: {shown}"
            )
        lines += [f"{images.name}: left out: {reason}" for reason in images.broken[:_LINES]]
        if len(images.broken) > _LINES:
            lines.append(f"{images.name}: left out: {len(images.broken) - _LINES} more; --json has all")
    return "\n".join([*lines, *(_repeats(each) if each.inside else _common(each) for each in found)])


def _repeats(found: Comparison) -> str:
    """One set in a line: ``rain100l test: 9 scenes appear twice, 1 three times``."""
    times = sorted(Counter(len(group.images) for group in found.grouped).items())
    told = [f"{count} {_TIMES.get(n, f'{n} times')}" for n, count in times]
    if not told:
        return f"{found.first.name}: no scene appears twice"
    one = times[0][1] == 1
    told[0] = told[0].replace(" ", " scene appears " if one else " scenes appear ", 1)
    return f"{found.first.name}: {', '.join(told)}"


def _common(found: Comparison) -> str:
    """Two sets in a line."""
    first, second = found.first, found.second
    if not len(found.in_first):
        return f"{first.name} / {second.name}: no shared scene"
    return (
        f"{first.name} / {second.name}: {len(found.in_second)} of {len(second.images)} images of {second.name}, "
        f"{len(found.in_first)} of {len(first.images)} of {first.name}"
    )


def _groups(found: Comparison) -> Iterator[str]:
    for group in found.grouped:
        names = [found.first.images[place] for place in group.images[:_NAMES]]
        yield f"{' = '.join(names)}{_more(len(group.images))} ({group.kind})"


def _partners(found: Comparison) -> Iterator[str]:
    """Each image of the first set with its counterparts in the second, of which some at least are kept."""
    matches = found.matches
    for place in dict.fromkeys(matches.first.tolist()):
        start, end = matches.first.searchsorted([place, place + 1])
        shown = [
            f"{found.second.images[matches.second[at]]} "
            f"({'exact' if matches.exact[at] else f'near, {matches.similarity[at]:.2f}'})"
            for at in range(start, min(end, start + _NAMES))
        ]
        more = f" and {found.partners[place] - len(shown)} more" if found.partners[place] > len(shown) else ""
        yield f"{found.first.images[place]} = {', '.join(shown)}{more}"


def _listed(found: Comparison) -> str:
    kept = len(found.matches.first)
    return "all" if kept == found.count else f"{kept:,} of {found.count:,} pairs"


def _more(count: int) -> str:
    return f" and {count - _NAMES} more" if count > _NAMES else ""


def _plain(images: ImageSet) -> list[str]:
    return [images.images[place] for place in images.prints.plain.nonzero()[0]]
