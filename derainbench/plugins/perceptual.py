"""VGG16, whose features some papers' losses compare or with which their networks begin: a file that the user adds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from derainbench.errors import UserError
from derainbench.plugins.weights import read_weights, refuse_inflating, write_state
from derainbench.support.atomic import file_hash, storage_error, write_json
from derainbench.support.cache import cache_folder

#: What a recipe's ``perceptual`` and ``derainbench weights add`` call it.
VGG16 = "vgg16"
SOURCE = "https://download.pytorch.org/models/vgg16-397923af.pth"
SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

#: The convolutions by torchvision's names, with their channels in and out.
_CONVOLUTIONS = {
    "features.0": (3, 64),
    "features.2": (64, 64),
    "features.5": (64, 128),
    "features.7": (128, 128),
    "features.10": (128, 256),
    "features.12": (256, 256),
    "features.14": (256, 256),
    "features.17": (256, 512),
    "features.19": (512, 512),
    "features.21": (512, 512),
    "features.24": (512, 512),
    "features.26": (512, 512),
    "features.28": (512, 512),
}
#: How many of them make the features that losses compare.
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
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in [*_CONVOLUTIONS.values()][:_COMPARED]
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
    """What is known of the file that was added: its name and hash, whether it is torchvision's, and the hash of what
    was made of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    sha256: str
    verified: bool
    converted_sha256: str


class AddedFeatures(NamedTuple):
    """The outcome of adding a file: where its features lie now, and whether the file is torchvision's."""

    path: Path
    verified: bool


def add_features(file: Path, trust_unknown: bool = False) -> AddedFeatures:
    """Check a file of VGG16's weights in torchvision's layout, and keep its convolutions.

    :class:`UserError` where it is not torchvision's and ``trust_unknown`` does not accept it, or where it is no VGG16;
    nothing is written then.
    """
    digest = file_hash(file)
    verified = digest == SHA256
    if not verified and not trust_unknown:
        raise UserError(
            f"{file} is not torchvision's VGG16 (sha256 {digest}, expected {SHA256}); fetch it from {SOURCE}, or "
            "accept the file as it is with --trust-unknown"
        )
    refuse_inflating(file)
    if file.stat().st_size > _LARGEST:
        raise UserError(f"{file} holds more than {_LARGEST:,} bytes; give a file of VGG16's weights")
    path = _path()
    write_state(path, _converted(read_weights(file), file))
    record = FeaturesRecord(source=file.name, sha256=digest, verified=verified, converted_sha256=file_hash(path))
    write_json(path.with_suffix(".json"), record.model_dump())
    return AddedFeatures(path, verified)


def features_record() -> FeaturesRecord | None:
    """What is known of the file that was added, or None. :class:`UserError` where the record is damaged."""
    path = _path().with_suffix(".json")
    if not path.exists():
        return None
    try:
        return FeaturesRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise storage_error(path, error) from error
    except ValidationError as error:
        raise UserError(f"{path} is damaged; add the file again: derainbench weights add {VGG16} FILE") from error


def features_hash() -> str | None:
    """The hash of the file that was added, or None."""
    record = features_record()
    return None if record is None else record.sha256


def require_features() -> None:
    """:class:`UserError` where the file is not here, or damaged: what to do."""
    record, path = features_record(), _path()
    if record is None:
        raise UserError(
            f"the recipe needs VGG16, which is not here; fetch {SOURCE}, then: derainbench weights add {VGG16} FILE; "
            'or say perceptual = "none", or pretrained = "none", in a recipe file'
        )
    if not path.is_file() or file_hash(path) != record.converted_sha256:
        raise UserError(f"{path} is damaged; add its source again: derainbench weights add {VGG16} FILE")


def load_features() -> VGG16Features:
    """The network whose features losses compare, on the CPU. :class:`UserError` as of :func:`require_features`."""
    features = VGG16Features()
    kept = _kept()
    features.load_state_dict({name: kept[name] for name in features.state_dict()})
    return features


def load_convolutions() -> list[tuple[Tensor, Tensor]]:
    """Weight (outputs, inputs, 3, 3) and bias (outputs,) of the thirteen convolutions, first to last, in float32 on the
    CPU, for RGB less ImageNet's mean and in units of its deviation. :class:`UserError` as of :func:`require_features`.
    """
    kept = _kept()
    return [(kept[f"convolutions.{n}.weight"], kept[f"convolutions.{n}.bias"]) for n in range(len(_CONVOLUTIONS))]


def _kept() -> dict[str, Tensor]:
    require_features()
    return read_weights(_path())


def _path() -> Path:
    return cache_folder() / "weights" / VGG16 / f"{VGG16}.safetensors"


def _converted(state: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    converted = {}
    for number, (theirs, (inputs, outputs)) in enumerate(_CONVOLUTIONS.items()):
        for part, shape in (("weight", (outputs, inputs, 3, 3)), ("bias", (outputs,))):
            value = state.get(f"{theirs}.{part}")
            if value is None or tuple(value.shape) != shape or not value.is_floating_point():
                raise UserError(
                    f"{file} is no VGG16 in torchvision's layout: {theirs}.{part} of shape {shape} is missing or other"
                )
            if not bool(value.isfinite().all()):
                raise UserError(f"{file}: {theirs}.{part} holds values that are not finite; fetch it again")
            converted[f"convolutions.{number}.{part}"] = value.float()
    return converted
