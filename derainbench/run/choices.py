"""What the words on the command line of ``derainbench run`` choose: methods, datasets, how to train and to measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from derainbench.catalogue.cards import all_cards
from derainbench.catalogue.locate import Dataset, checked_root, locate, select
from derainbench.errors import UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.metrics.kinds import of_protocols
from derainbench.metrics.protocol import Protocol
from derainbench.metrics.protocols import DEFAULT_PROTOCOLS, PROTOCOLS, get_protocol, is_own, learn, read_protocol
from derainbench.plugins.metric_registry import MetricRegistry
from derainbench.plugins.registry import Registry
from derainbench.plugins.variant import Variant
from derainbench.restored.row import Row, is_row, row_of
from derainbench.support.words import split_list, whole_number


def choose_variants(registry: Registry, words: str, baseline: str | None) -> list[Variant]:
    """The variants named, each once, after the baseline where one is wanted; ``all`` is every method that works.

    Words for restored images in folders are left to :func:`choose_rows`.
    """
    asked = [] if baseline is None else [baseline]
    for name in (name for name in split_list(words) if not is_row(name)):
        asked += registry.working() if name == "all" else [name]
    variants = [registry.variant(name) for name in asked]
    return list({variant.name: variant for variant in variants}.values())


def choose_rows(words: str) -> list[Row]:
    """The rows of restored images named among methods, as ``images[folder=PATH]``."""
    return [row_of(word) for word in split_list(words) if is_row(word)]


def check_rows(rows: Sequence[Row]) -> None:
    """:class:`UserError` where two rows of restored images have one name: a name is a place in the run folder."""
    known: dict[str, Row] = {}
    for row in rows:
        # Some disks take Mine and mine for one name.
        before = known.setdefault(row.label.casefold(), row)
        if before is not row:
            raise UserError(
                f"the images in {before.folder} and in {row.folder} would both be called {row.label!r}; give one of "
                "them another name: images[folder=PATH,name=NAME], or derainbench score NAME=FOLDER"
            )


def choose_datasets(words: str, cards: Sequence[Path], data_root: Path | None) -> list[Dataset]:
    """The datasets named, found below the data root or made; ``cards`` are further ones, of the user's own."""
    return select(words, all_cards(cards), checked_root(data_root))


def dataset_finder(cards: Sequence[Path], data_root: Path | None) -> Callable[[str], Dataset | None]:
    """A function that gives the dataset of a card's name if its files are here, otherwise None."""
    known = all_cards(cards)
    return lambda name: locate(known[name], data_root) if name in known else None


def choose_recipe(word: str, device: str, datasets: Sequence[Dataset]) -> tuple[str, str]:
    """The recipe's name or file, and in brackets why ``auto`` means it: the paper's on a GPU and real datasets."""
    if word != "auto":
        return word, ""
    if device != "cpu" and not any(part.card.embedded for each in datasets for part in each.parts):
        return "paper", " (default for a GPU and real datasets)"
    return "quick", " (default for no GPU, or embedded datasets)"


def choose_protocols(words: str) -> list[str]:
    """The protocols named, or the default ones where none is; ``all`` is every one of the field, a TOML file one's own.

    What a file describes is known from then on.
    """
    asked: list[str] = []
    for word in split_list(words):
        if word == "all":
            asked += [name for name in PROTOCOLS if not is_own(name)]
        else:
            asked.append((read_protocol(Path(word)) if word.endswith(".toml") else get_protocol(word)).name)
    return list(dict.fromkeys(asked or DEFAULT_PROTOCOLS))


def protocols_before(names: Sequence[str], own: Sequence[Protocol], where: Path) -> list[str]:
    """The protocols that the run in the folder ``where`` has already, its user's ``own`` known from then on."""
    for protocol in own:
        learn(protocol, str(where))
    return [get_protocol(name).name for name in names]


def choose_metrics(metrics: MetricRegistry, words: str, before: Sequence[str], where: Path) -> list[ImageMetric]:
    """Those that the run in the folder ``where`` has already, then those named, each once: none unless asked for.

    PSNR and SSIM are measured by protocols, whatever is named here.
    """
    known: list[ImageMetric] = []
    for name in before:
        try:
            known.append(metrics.get(name))
        except UserError as error:
            raise UserError(f"{where} is measured by {name}, too: {error}; or give another --out") from error
    asked = [metrics.get(name) for name in split_list(words) if name not in of_protocols()]
    return list({each.name: each for each in (*known, *asked)}.values())


def choose_seeds(words: str) -> list[int]:
    """Whole numbers below 2**63, each once."""
    seeds = [whole_number(part, 2**63 - 1) for part in split_list(words)]
    known = [seed for seed in seeds if seed is not None]
    if not known or len(known) < len(seeds):
        raise UserError(f"--seeds {words!r}: give whole numbers from 0 to 2**63 - 1, separated by commas")
    return list(dict.fromkeys(known))
