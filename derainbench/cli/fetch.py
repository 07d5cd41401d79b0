"""Asking before anything is fetched, and saying how it goes: ``weights fetch``, ``datasets fetch``, ``run --fetch``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from derainbench.errors import UserError, printable
from derainbench.support.words import bytes_text

if TYPE_CHECKING:
    from derainbench.catalogue.cards import Card
    from derainbench.catalogue.locate import Dataset
    from derainbench.download.remote import RemoteFile
    from derainbench.download.transfer import OnBytes
    from derainbench.download.whole import Told
    from derainbench.plugins.registry import Registry
    from derainbench.run.fetchable import Fetchable

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Fetch without asking; what it is, is said all the same.")]


class Offer(NamedTuple):
    """Something that can be fetched: what it is called, its files, its licence, and where it will be."""

    name: str
    files: Sequence[RemoteFile]
    licence: str
    place: str


def agreed(offers: Sequence[Offer], yes: bool) -> None:
    """Say what would be fetched: how large, under which licence, from where; then ask, unless ``yes``.

    :class:`UserError` where nobody says yes: nothing is fetched then.
    """
    for offer in offers:
        for line in _lines(offer):
            typer.echo(printable(line))
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nothing was fetched, for nobody can be asked here; add --yes to fetch what is listed above")
    if not typer.confirm("fetch?", err=True):
        raise UserError("nothing was fetched")


def _lines(offer: Offer) -> list[str]:
    lines = [f"to fetch: {offer.name}, into {offer.place}; licence: {offer.licence or 'none stated'}"]
    for file in offer.files:
        checked = "known by its sha256" if file.sha256 else "no hash of it is known: what comes is taken as it is"
        lines.append(f"  {file.name}, {bytes_text(_size(file))}, {checked}")
        lines += [f"    {address.url} ({address.state})" for address in file.addresses]
    return lines


def _size(file: RemoteFile) -> int | None:
    """A file's size as it is known, otherwise as its server says."""
    from derainbench.download.transfer import asked_size

    address = file.addresses[0]
    return asked_size(address.url) if file.size is None and not address.on_drive else file.size


def offered_weights(fetchable: Fetchable) -> list[Offer]:
    """Published weights and known networks, as they are offered."""
    from derainbench.plugins.fetched_weights import files_of, network_file
    from derainbench.support.cache import cache_folder

    place = str(cache_folder() / "weights")
    offers = [
        Offer(variant.name, files_of(variant), variant.weights.licence, place)
        for variant in fetchable.weights
        if variant.weights is not None
    ]
    return offers + [
        Offer(name, [network_file(name)], "of torchvision's weights", place) for name in fetchable.networks
    ]


def offered_datasets(cards: Sequence[Card], data_root: Path | None, layout: str = "") -> list[Offer]:
    """Datasets, as they are offered: in the packaging of that name, or the first that can be fetched."""
    from derainbench.catalogue.fetched import layout_to_fetch, target

    chosen = [(card, layout_to_fetch(card, layout)) for card in cards]
    return [
        Offer(card.name, packing.files, card.licence, str(target(card, packing, data_root))) for card, packing in chosen
    ]


@contextlib.contextmanager
def _telling() -> Iterator[Told]:
    """What is told on the terminal: lines on standard output, and a bar of each file's bytes beside it."""
    from derainbench.download.whole import Told
    from derainbench.support.progress import bytes_bar

    with bytes_bar() as begin:

        class Terminal(Told):
            def line(self, text: str) -> None:
                typer.echo(printable(text))

            def bytes_of(self, name: str) -> OnBytes:
                return begin(name)

        yield Terminal()


def fetch_agreed_weights(fetchable: Fetchable, registry: Registry) -> None:
    """Fetch what was agreed to, each with a line when it is here."""
    from derainbench.plugins.fetched_weights import fetch_network, fetch_weights

    with _telling() as told:
        for variant in fetchable.weights:
            added = fetch_weights(registry, variant, told)
            told.line(f"{added.variant.name}: fetched and added (verified), {added.path}")
        for name in fetchable.networks:
            features = fetch_network(name, told)
            told.line(
                f"{name}: fetched and added ({'verified' if features.verified else 'unverified'}), {features.path}"
            )


def fetch_agreed_datasets(cards: Sequence[Card], data_root: Path | None, layout: str = "") -> list[Dataset]:
    """The same of datasets: each with a line that says where it is."""
    from derainbench.catalogue.fetched import fetch_dataset, layout_to_fetch

    found = []
    with _telling() as told:
        for card in cards:
            found.append(fetch_dataset(card, layout_to_fetch(card, layout), data_root, told))
            told.line(f"{card.name}: fetched, {found[-1].root} (layout {found[-1].layout.name!r})")
    return found
