"""The user's weights: files checked and converted once, kept under the names they are asked for by, and known again.

In the cache's folder ``weights/METHOD/`` lie ``NAME@TAG.safetensors``, the weights under our names, and
``NAME@TAG.json``, what is known of them (:class:`WeightsRecord`).
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from derainbench.errors import UserError
from derainbench.images.quantisation import Quantisation
from derainbench.plugins.method import Method, Weights
from derainbench.plugins.names import UNTRAINED, ParsedName, parse_name
from derainbench.plugins.variant import Variant, choose, find_tagged, tagged
from derainbench.plugins.weights import check_size, fitted, write_state
from derainbench.support.atomic import file_hash, storage_error, write_json
from derainbench.support.cache import cache_folder
from derainbench.support.data_hash import data_hash

#: Stands in ``trained_on`` where nobody says what weights were trained on.
UNSTATED = "unstated"


class WeightsRecord(BaseModel):
    """What is known of a converted file.

    ``name`` is canonical; ``source`` is the name of the file it was made from and ``sha256`` that file's hash.
    ``converted_sha256`` is its own, so that later damage is noticed, and ``names`` hashes how the authors' names became
    ours, so that a later version of the method does not meet a conversion that it would make otherwise.
    ``quantisation`` is how outputs of an unverified file become whole grey levels; a published file's is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    trained_on: str
    verified: bool
    source: str
    sha256: str
    converted_sha256: str
    names: str
    quantisation: Quantisation = "round"


class Place(NamedTuple):
    """Where converted weights lie, or would lie, and whether they do.

    ``damaged`` means not the file that was written, ``outdated`` that the method now names its parameters otherwise.
    """

    path: Path
    state: Literal["here", "missing", "damaged", "outdated"]


def known_weights(method: Method) -> list[Variant]:
    """Every variant of the method with weights: the published ones and the user's own."""
    return tagged(method, own_weights(method.name))


def own_weights(method: str) -> list[Weights]:
    """The weights of a method that the user added with --trust-unknown."""
    folder = cache_folder() / "weights" / method
    records = [_read(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
    return [_own(r.name, r.trained_on, r.source, r.sha256, r.quantisation) for r in records if not r.verified]


def place(variant: Variant) -> Place:
    """Whether a variant's weights are in the cache, and whole."""
    path, record = _path(variant), _matching(variant)
    if record is None:
        return Place(path, "missing")
    if not path.is_file() or file_hash(path) != record.converted_sha256:
        return Place(path, "damaged")
    return Place(path, "here" if record.names == _names_digest(variant) else "outdated")


def require(variant: Variant) -> None:
    """:class:`UserError` where a variant's weights are not in the cache: where to fetch them, and what to type then."""
    if _matching(variant) is None:
        assert variant.weights is not None
        name = shlex.quote(variant.name)
        by_itself = f"derainbench weights fetch {name}; or " if variant.weights.files else ""
        raise UserError(
            f"the weights of {variant.name} are not here; {by_itself}fetch them from {variant.weights.source}, then: "
            f"derainbench weights add {name} FILE"
        )


def weights_file(variant: Variant) -> Path:
    """The converted file of a variant's weights; :class:`UserError` where it is not here, damaged or outdated."""
    require(variant)
    path, state = place(variant)
    if state != "here":
        trust = "" if variant.weights is not None and variant.weights.verified else " --trust-unknown"
        raise UserError(
            f"{path} is {state}; add its source again: derainbench weights add {shlex.quote(variant.name)} FILE{trust}"
        )
    return path


class AddedWeights(NamedTuple):
    """The outcome of adding a file: under which name, where it lies now, and whether it was there already."""

    variant: Variant
    path: Path
    already: bool


def add_weights(
    method: Method,
    parsed: ParsedName,
    file: Path,
    trust_unknown: bool = False,
    trained_on: str | None = None,
    quantisation: Quantisation | None = None,
) -> AddedWeights:
    """Check a file against what is known of its name, convert it and keep it.

    ``trust_unknown`` accepts a file that nobody vouches for; ``trained_on`` says what such a file was trained on, and
    ``quantisation`` how its authors made whole grey levels (rounded, unless said). :class:`UserError` where the hash
    is another or unknown, or the weights do not fit the network; nothing is written then.
    """
    variant = _identified(method, parsed, file, trust_unknown, trained_on, quantisation)
    assert variant.weights is not None
    path, before = _path(variant), _matching(variant)
    if (
        before is not None
        and (before.verified, before.trained_on) == (variant.weights.verified, variant.weights.trained_on)
        and (before.verified or before.quantisation == variant.weights.quantisation)
        and place(variant).state == "here"
    ):
        return AddedWeights(variant, path, already=True)
    write_state(path, fitted(variant, file))
    record = WeightsRecord(
        name=variant.name,
        trained_on=variant.weights.trained_on,
        verified=variant.weights.verified,
        source=file.name,
        sha256=variant.weights.sha256,
        converted_sha256=file_hash(path),
        names=_names_digest(variant),
        quantisation=variant.weights.quantisation,
    )
    write_json(_record_path(path), record.model_dump())
    return AddedWeights(variant, path, already=False)


def _identified(
    method: Method,
    parsed: ParsedName,
    file: Path,
    trust_unknown: bool,
    trained_on: str | None,
    quantisation: Quantisation | None,
) -> Variant:
    """The variant whose weights the file is: a published one by its hash, otherwise the user's own if it is trusted."""
    name = f"{choose(method, parsed.options).name}@{parsed.tag}"
    if parsed.tag is None:
        raise UserError(f"{name.removesuffix('@None')} names no weights; write NAME@TAG, with a tag of your choice")
    if trained_on == UNTRAINED or (trained_on is not None and not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", trained_on)):
        raise UserError(f"--trained-on {trained_on!r} is no dataset's name: use letters, digits, . + - _")
    known = find_tagged(method, parsed)
    check_size(file, known or choose(method, parsed.options))  # before it is read to its end, which it may not have
    digest = file_hash(file)
    expected = known.weights if known is not None else None
    if known is not None and expected is not None and expected.sha256 == digest:
        if trained_on not in (None, expected.trained_on):
            raise UserError(f"{known.name} was trained on {expected.trained_on}, not {trained_on}; leave that out")
        if quantisation not in (None, expected.quantisation):
            does = "truncate" if expected.quantisation == "truncate" else "round"
            raise UserError(f"{known.name}: its authors {does} their outputs; leave --quantisation out")
        return known
    others = [v.name for v in tagged(method) if v.weights is not None and v.weights.sha256 == digest]
    if others or not trust_unknown:  # what is known needs no trust, and would lose what is known of it
        wanted = f"expected {expected.sha256}" if expected is not None else "nothing is published under that name"
        remedy = f"this file is {others[0]}: add it as that" if others else _remedy(expected)
        raise UserError(f"{file} cannot be vouched for as {name}; {remedy} (sha256 {digest}, {wanted})")
    options = known.options if known is not None else parsed.options
    canonical = f"{choose(method, options).name}@{parsed.tag}"
    own = _own(canonical, trained_on or UNSTATED, file.name, digest, quantisation or "round")
    return choose(method, own.options, own)


def _remedy(expected: Weights | None) -> str:
    fetch = f"fetch it from {expected.source}, or " if expected is not None else ""
    return f"{fetch}accept the file as it is with --trust-unknown"


def _own(name: str, trained_on: str, source: str, sha256: str, quantisation: Quantisation) -> Weights:
    parsed = parse_name(name)
    assert parsed.tag is not None
    return Weights(
        tag=parsed.tag,
        trained_on=trained_on,
        source=f"the user's file {source}",
        sha256=sha256,
        licence="unknown",
        options=parsed.options,
        quantisation=quantisation,
        verified=False,
    )


def _names_digest(variant: Variant) -> str:
    ours, method = list(variant.skeleton().state_dict()), variant.method
    first, *others = ({name: layout(name) for name in ours} for layout in (method.official_names, *method.other_names))
    return data_hash([first, *others] if others else first)


def _path(variant: Variant) -> Path:
    return cache_folder() / "weights" / variant.method.name / f"{variant.name}.safetensors"


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _matching(variant: Variant) -> WeightsRecord | None:
    """The record of the variant's weights, if it is of this very source file."""
    assert variant.weights is not None
    path = _record_path(_path(variant))
    record = _read(path) if path.exists() else None
    return record if record is not None and record.sha256 == variant.weights.sha256 else None


def _read(path: Path) -> WeightsRecord:
    try:
        record = WeightsRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise storage_error(path, error) from error
    except ValidationError as error:
        raise UserError(f"{path} is damaged; delete it and add the weights again") from error
    if record.name != path.stem:  # somebody renamed it, and its options would be read from the wrong name
        raise UserError(f"{path} describes {record.name}; delete it and add the weights again")
    return record
