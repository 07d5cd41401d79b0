"""Dataset cards as text for a person or JSON for a script: all of them in a table, or one in full."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from derainbench.catalogue.cards import SPLITS, Card, Layout, SplitPatterns
from derainbench.catalogue.locate import locate
from derainbench.catalogue.unpaired import UnpairedCard, folder_of
from derainbench.support.words import bytes_text, listed

_WIDTH = 64  # of a column of text
_ALIGN = ("left", "left", "left", "right", "right", "left")


def list_datasets(
    cards: Mapping[str, Card], data_root: Path | None, as_json: bool, unpaired: Mapping[str, UnpairedCard] | None = None
) -> str:
    """Every card: rain model, counts, and where its files are on this machine, or the page to fetch them from.

    ``unpaired`` are sets without ground truth, in a table of their own.
    """
    photographs = [
        {
            **card.model_dump(include={"name", "title", "rain", "kind", "images", "source"}),
            "here": str(folder_of(card, data_root) or ""),
        }
        for card in (unpaired or {}).values()
    ]
    entries = [
        {
            "name": card.name,
            "title": card.title,
            "rain_model": card.rain_model,
            "kind": card.kind,
            "train": card.pairs("train"),
            "test": card.pairs("test"),
            "here": _here(card, data_root),
            "source": card.source,
            **({} if card.union is None else {"union": list(card.union.members)}),
        }
        for card in cards.values()
    ]
    if as_json:
        return json.dumps({"datasets": entries, "unpaired": photographs}, indent=2, ensure_ascii=False)
    rows = [
        [*(e[key] for key in ("name", "rain_model", "kind")), _count(e["train"]), _count(e["test"]), _where(e)]
        for e in entries
    ]
    table = tabulate(rows, ["dataset", "rain", "kind", "train", "test", "here"], disable_numparse=True, colalign=_ALIGN)
    if photographs:
        rows = [[e["name"], e["rain"], e["kind"], _count(e["images"]), _where(e)] for e in photographs]
        without = tabulate(
            rows,
            ["no ground truth", "rain", "kind", "images", "here"],
            disable_numparse=True,
            colalign=("left", "left", "left", "right", "left"),
        )
        table += f"\n\n{without}\n\nderainbench derain NAME restores the photographs of those without ground truth"
    return (
        table
        + ("\n" if photographs else "\n\n")
        + "derainbench datasets show NAME prints a card with all its layouts and known defects"
    )


def show_dataset(card: Card, data_root: Path | None, as_json: bool) -> str:
    """A whole card: where the files are, counts, layouts, what is wrong with the set, how to cite it."""
    here = _here(card, data_root)
    if as_json:
        return json.dumps({**card.model_dump(mode="json"), "here": here}, indent=2, ensure_ascii=False)
    lines = [f"{card.name}: {card.title}", ""]
    lines += _entry("rain", f"{card.rain_model}, {card.kind}" + (", only adds light" if card.additive else ""))
    lines += _entry("note", card.note) if card.note else []
    for split in SPLITS:
        count = card.pairs(split)
        if card.union is not None and split == "test":
            lines += _entry(split, "those of its members: a union has none of its own")
            continue
        lines += _entry(split, "number not settled" if count is None else f"{count:,} pairs")
        others = [other for other in card.other_counts if other.split == split]
        lines += [line for o in others for line in _entry("", f"or {o.pairs:,}: {o.means}")]
    if card.input_score is not None:
        score = card.input_score
        doubt = ", unconfirmed" if score.unconfirmed else ""
        text = f"{score.psnr} dB / {score.ssim} under {score.protocol}: the unprocessed test images{doubt}"
        lines += _entry("input", text)
    if card.test_sizes:
        sizes = (f"{number:,} of {size}" for size, number in card.test_sizes.items())
        lines += _entry("sizes", f"{', '.join(sizes)} pixels: the test images")
    lines += _entry("here", "made on first use" if card.embedded else here or "no")
    for name, text in (("fetch", card.source), ("licence", card.licence)):
        lines += _entry(name, text) if text else []
    lines += [line for defect in card.defects for line in _entry("beware", defect)]
    lines += [line for text in card.unconfirmed for line in _entry("unconfirmed", text)]
    if card.union is not None:
        even = "" if card.union.shares else ", every pair as often as any other"
        lines += _entry("union", f"of {card.union.told()}{even}")
        return "\n".join([*lines, *(["", card.bibtex] if card.bibtex else [])])
    used = "of which the one with most splits here is used, then most layers, then the first"
    lines += ["", f"layouts, {used}; {_folders(card)}:"]
    lines += [line for layout in card.layouts for line in _layout(card, layout)]
    return "\n".join([*lines, *(["", card.bibtex] if card.bibtex else [])])


def show_unpaired(card: UnpairedCard, data_root: Path | None, as_json: bool) -> str:
    """The card of a set without ground truth: where its photographs are, how many, what is wrong, how to cite it."""
    here = str(folder_of(card, data_root) or "")
    if as_json:
        return json.dumps(
            {**card.model_dump(mode="json"), "unpaired": True, "here": here}, indent=2, ensure_ascii=False
        )
    lines = [f"{card.name}: {card.title}", "", *_entry("rain", f"{card.rain}, {card.kind}; no ground truth")]
    lines += _entry("note", card.note) if card.note else []
    lines += _entry("images", "number not settled" if card.images is None else f"{card.images:,}")
    lines += [line for o in card.other_counts for line in _entry("", f"or {o.images:,}: {o.means}")]
    lines += _entry("here", here or "no")
    for name, text in (("fetch", card.source), ("licence", card.licence)):
        lines += _entry(name, text) if text else []
    lines += [line for defect in card.defects for line in _entry("beware", defect)]
    lines += [line for text in card.unconfirmed for line in _entry("unconfirmed", text)]
    lines += _entry("folders", f"{', '.join(card.places)}: below --data-root, with all images that are in it")
    return "\n".join([*lines, *(["", card.bibtex] if card.bibtex else [])])


def _here(card: Card, data_root: Path | None) -> str:
    if card.embedded:
        return "embedded"
    if card.union is not None:
        return f"all of {listed(card.union.members)}" if all(_trains(card, data_root)) else ""
    dataset = locate(card, data_root)
    return str(dataset.root) if dataset is not None else ""


def _trains(card: Card, data_root: Path | None) -> Iterator[bool]:
    """Of each member of a union, whether its training images are here; the embedded ones are made on first use."""
    assert card.union is not None
    for member in card.union.plain:
        if member is None:
            yield False
        else:
            found = None if member.embedded else locate(member, data_root)
            yield member.embedded or (found is not None and found.has("train"))


def _count(count: Any) -> str:
    return "?" if count is None else f"{count:,}"


def _where(entry: Mapping[str, Any]) -> str:
    if entry["here"]:
        return str(entry["here"])
    text = f"no: fetch from {entry['source']}" if entry["source"] else "no"
    if "union" in entry:
        text = f"no: made of {listed(entry['union'])}"
    return textwrap.fill(text, _WIDTH, break_long_words=False)


def _entry(name: str, text: str) -> list[str]:
    """A name and its text, wrapped beside it; links stay whole."""
    wrapped = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
    return [f"{name if not n else '':13}{line}" for n, line in enumerate(wrapped)]


def _folders(card: Card) -> str:
    if card.embedded:
        return "the files are made on first use"
    return "folders are below --data-root" if card.root is None else f"files are in {card.root}"


def _layout(card: Card, layout: Layout) -> Iterator[str]:
    folders = layout.folders or tuple(dict.fromkeys((*card.folders, card.name)))
    looked = ", ".join("the data root" if folder == "." else folder for folder in folders)
    yield f"  {layout.name}" + (f" (in {looked})" if card.root is None and not card.embedded else "")
    for split in SPLITS:
        patterns: SplitPatterns | None = getattr(layout, split)
        if patterns is None:
            continue
        clean = patterns.clean or f"side by side, {patterns.side_by_side}"
        yield f"    {split:6}{patterns.rainy}  ->  {clean}"
        yield from (f"          {name}: {text}" for name, text in patterns.layers.items())
        yield from [f"          of these, those that {patterns.listed_in} lists"] if patterns.listed_in else ()
    for file in layout.files:
        checked = "hash known" if file.sha256 else "hash unknown"
        yield f"    fetch {file.name} ({bytes_text(file.size)}, {checked})"
        yield from (f"          {address.url} ({address.state})" for address in file.addresses)
    if layout.unconfirmed:
        yield f"    unconfirmed: {layout.unconfirmed}"
