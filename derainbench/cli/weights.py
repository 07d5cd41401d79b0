"""The commands ``derainbench weights list``, ``fetch``, ``add`` and ``export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.fetch import YesOption, agreed, fetch_agreed_weights, offered_weights
from derainbench.cli.options import JsonOption, PluginOption, out_folder
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.images.quantisation import Quantisation


class QuantisationChoice(StrEnum):
    """How outputs become whole grey levels."""

    ROUND = "round"
    TRUNCATE = "truncate"


weights_app = typer.Typer(
    no_args_is_help=True, help="Trained weights: what is known, fetching and adding files, exporting them."
)


@weights_app.command("list")
def list_known(plugin: PluginOption = [], as_json: JsonOption = False) -> None:  # noqa: B006 - typer copies it
    """List the published weights of every method and your own: source, licence, hash, and whether they are here."""
    from derainbench.cli.lists import list_weights
    from derainbench.plugins.registry import discover

    typer.echo(list_weights(discover(plugin), as_json))


@weights_app.command()
def fetch(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME@TAG...", help="Published weights: 'prenet@rain100l'; or vgg16, or alexnet."),
    ],
    yes: YesOption = False,
    plugin: PluginOption = [],  # noqa: B006
) -> None:
    """Fetch published weights from where their authors keep them, check their hash, and add them.

    What it is, how large, and under which licence, is said first, and asked.
    """
    from derainbench.plugins.fetched_weights import weights_to_fetch
    from derainbench.plugins.perceptual import NETWORKS, features_record
    from derainbench.plugins.registry import discover
    from derainbench.plugins.weights_store import place
    from derainbench.run.fetchable import Fetchable

    registry = discover(plugin)
    networks = [name for name in dict.fromkeys(names) if name in NETWORKS]
    variants = [weights_to_fetch(registry, name) for name in dict.fromkeys(names) if name not in NETWORKS]
    here = [each for each in variants if place(each).state == "here"]
    known = [name for name in networks if features_record(name) is not None]
    for name in [*(each.name for each in here), *known]:
        typer.echo(f"{name}: is here")
    wanted = Fetchable(
        weights=[each for each in variants if each not in here],
        networks=[name for name in networks if name not in known],
    )
    if offers := offered_weights(wanted):
        agreed(offers, yes)
        fetch_agreed_weights(wanted, registry)


@weights_app.command()
def add(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME@TAG",
            help="What to ask for them by: 'prenet@rain100l'; or vgg16, for perceptual losses and metrics, or alexnet.",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file as its authors published it, or your own.")],
    trust_unknown: Annotated[
        bool, typer.Option("--trust-unknown", help="Accept a file with another hash; reports call it unverified.")
    ] = False,
    trained_on: Annotated[
        str | None, typer.Option(metavar="DATASET", help="What a file of your own was trained on.")
    ] = None,
    quantisation: Annotated[
        QuantisationChoice | None,
        typer.Option(
            help="How the authors of a file of your own made whole grey levels of outputs; default round. "
            "uint8(255 * x) truncates."
        ),
    ] = None,
    plugin: PluginOption = [],  # noqa: B006
) -> None:
    """Check a weights file, convert it, and keep it: NAME@TAG then works wherever a method's name does."""
    from derainbench.plugins.names import parse_name
    from derainbench.plugins.perceptual import NETWORKS, add_features
    from derainbench.plugins.registry import discover
    from derainbench.plugins.weights_store import add_weights

    if name in NETWORKS:
        if trained_on is not None or quantisation is not None:
            raise UserError(f"{name} restores no images; leave --trained-on and --quantisation out")
        features = add_features(file, trust_unknown, name)
        typer.echo(f"{name}: added ({'verified' if features.verified else 'unverified'}), {features.path}")
        return
    parsed = parse_name(name)
    how: Quantisation | None = None
    if quantisation is not None:
        how = "round" if quantisation is QuantisationChoice.ROUND else "truncate"
    added = add_weights(discover(plugin).get(parsed.base), parsed, file, trust_unknown, trained_on, how)
    verified = added.variant.weights is not None and added.variant.weights.verified
    already = "was there already" if added.already else "added"
    typer.echo(f"{added.variant.name}: {already} ({'verified' if verified else 'unverified'}), {added.path}")


@weights_app.command()
def export(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A weights file of a run, or of the cache.")],
    method: Annotated[str, typer.Option(help="Its method, with its options: prenet, 'prenet[shared=true]'.")],
    out: Annotated[
        Path, typer.Option(parser=out_folder, metavar="FILE", help="What to write: .pth, .pt or .safetensors.")
    ],
    plugin: PluginOption = [],  # noqa: B006
) -> None:
    """Write weights under the names of the authors' code, so that it can load them."""
    from derainbench.plugins.registry import discover
    from derainbench.plugins.weights import FORMATS, fitted, to_official, write_state

    variant = discover(plugin).variant(method)
    if out.suffix not in FORMATS:
        raise UserError(f"{out}: the suffix says the format; end it in one of {', '.join(FORMATS)}")
    if out.exists():
        raise UserError(f"{out} exists; give another --out")
    write_state(out, to_official(fitted(variant, weights), *variant.method.official_layout))
    typer.echo(str(out))
