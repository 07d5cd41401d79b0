"""Published weights from their addresses to the user's cache, on the same way as a file that the user adds."""

from __future__ import annotations

from derainbench.download.remote import Address, RemoteFile
from derainbench.download.transfer import PATIENCE
from derainbench.download.whole import Told, fetched
from derainbench.errors import UserError
from derainbench.plugins.names import parse_name
from derainbench.plugins.perceptual import NETWORKS, AddedFeatures, add_features
from derainbench.plugins.registry import Registry
from derainbench.plugins.variant import Variant, find_tagged, tagged
from derainbench.plugins.weights_store import AddedWeights, add_weights
from derainbench.support.cache import cache_folder

#: The largest file of weights that is taken where its size is not known: 4 GB.
_MOST = 4 * 10**9


def weights_to_fetch(registry: Registry, name: str) -> Variant:
    """The published weights of a name, ``METHOD@TAG``; :class:`UserError` where none are, or no address is known."""
    parsed = parse_name(name)
    method = registry.get(parsed.base)
    if parsed.tag is None:
        raise UserError(f"{name} names no weights; write NAME@TAG: derainbench weights list")
    variant = find_tagged(method, parsed)
    if variant is None or variant.weights is None:
        known = ", ".join(each.name for each in tagged(method)) or "none"
        raise UserError(f"nothing is published as {name}; known: {known}")
    if not variant.weights.files:
        raise UserError(
            f"no address of the file of {variant.name} is known that it could be fetched from as it is; look at "
            f"{variant.weights.source}, then: derainbench weights add '{variant.name}' FILE"
        )
    return variant


def files_of(variant: Variant) -> tuple[RemoteFile, ...]:
    """What is fetched for a variant's weights: the file that is added, with its hash, then those beside it."""
    assert variant.weights is not None
    first, *beside = variant.weights.files
    return (first.model_copy(update={"sha256": variant.weights.sha256}), *beside)


def fetch_weights(
    registry: Registry, variant: Variant, told: Told | None = None, patience: float = PATIENCE
) -> AddedWeights:
    """Fetch published weights, check their hash, convert them and keep them; what was fetched goes.

    :class:`UserError` where no address gives the known file, or as of :func:`.weights_store.add_weights`.
    """
    assert variant.weights is not None
    files = files_of(variant)
    beside = cache_folder() / "downloads" / variant.weights.sha256[:32]
    with fetched(files, beside, variant.weights.source, told, _MOST, patience) as folder:
        method = registry.get(variant.method.name)
        return add_weights(method, parse_name(variant.name), folder / files[0].name)


def network_file(name: str) -> RemoteFile:
    """The file of VGG16 or AlexNet (:data:`.perceptual.NETWORKS`) that torchvision fetches, too."""
    network = NETWORKS[name]
    known = network.sha256 if network.sha256.startswith(network.hash_in_name) else ""
    address = Address(url=network.source, state="unconfirmed")
    return RemoteFile(name=network.source.rpartition("/")[2], addresses=(address,), sha256=known)


def fetch_network(name: str, told: Told | None = None, patience: float = PATIENCE) -> AddedFeatures:
    """The same of VGG16 or AlexNet: fetched, known again by what its convolutions are, and kept."""
    file = network_file(name)
    with fetched([file], cache_folder() / "downloads" / name, NETWORKS[name].source, told, _MOST, patience) as folder:
        return add_features(folder / file.name, name=name)
