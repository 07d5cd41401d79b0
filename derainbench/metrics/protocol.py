"""One way of measuring PSNR and SSIM, as a record: what is done to the two images, and what is then computed of them.

All numbers are in grey levels, 0 to 255. What the field measures by is in ``field_protocols``; :mod:`.scores` does it.
Needs no torch.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from derainbench.support.data_hash import data_hash

#: What is measured: the three channels; luma of BT.601 of 16 to 235 (MATLAB's); the same with the weights of red and
#: blue exchanged, which is what code for BGR makes of RGB; luma of 0 to 255 (JPEG's, and that of YIQ).
Colour = Literal["rgb", "y", "y-swapped", "y-full"]
#: Luma as it is; to the next whole level, halves up (MATLAB on uint8); by OpenCV's 14-bit whole numbers.
LumaRounding = Literal["none", "half-up", "cv2"]
#: Of the restored image: left in floats; as its file was saved, which is rounded unless a method's authors truncate;
#: always truncated; truncated without being clamped, so that 256 is 0, as ``astype("uint8")`` does.
Levels = Literal["none", "round", "truncate", "wrap"]
#: SSIM's window: Wang's of 11x11 (sigma 1.5 px), the same with weights rounded to float32, or a mean.
Window = Literal["gaussian 11", "gaussian 11 float32", "uniform 7", "uniform 11"]
#: What a window sees beyond the image: nothing, it stays inside; the edge pixel (a a a b); zeros; the image mirrored
#: without its edge pixel (c b a b c).
Border = Literal["valid", "replicate", "zero", "reflect"]

_Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
_Epsilon = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Multiple = Annotated[int, Field(ge=1, le=4096)]


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has signs that cannot be shown on one line; leave them out")
    return text


_Line = Annotated[str, AfterValidator(_one_line)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Crop(_Record):
    """Both images are cut to a ``multiple`` of so many pixels a side, from their ``anchor``."""

    multiple: _Multiple
    anchor: Literal["top-left", "centre"] = "top-left"


class Resize(_Record):
    """Both images, in whole levels, are resized by Pillow's Lanczos filter.

    A long side above ``longest`` pixels becomes that, where given; then each side the next ``multiple``. Authors do so
    to what their networks are fed; here it is done to what came out.
    """

    multiple: _Multiple
    longest: Annotated[int, Field(ge=1, le=2**16)] | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The new height and width, in pixels."""
        longest = max(height, width)
        if self.longest is not None and longest > self.longest:
            height, width = (-(-side * self.longest // longest) for side in (height, width))
        return -(-height // self.multiple) * self.multiple, -(-width // self.multiple) * self.multiple


class Psnr(_Record):
    """-10 log10(MSE / peak^2 + epsilon) in dB, the MSE over all pixels and channels.

    ``identical`` is what identical images score, in dB; None is what the formula gives: infinity without an epsilon.
    """

    peak: _Positive = 255
    epsilon: _Epsilon = 0
    identical: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None


class Ssim(_Record):
    """How SSIM is measured: the window, what it sees beyond the border, and the constants (.01 and .03 of the range)^2.

    ``axes`` is 3 where the window also runs over the channels. ``downsampled`` is the automatic downsampling of Wang's
    ssim.m. ``sample_covariance`` divides by one less than the window has pixels. ``rounded``: whole levels are made
    first, halves to even, for SSIM alone. ``clipped``: the contrast term is at least 0 in every pixel. ``epsilon`` is
    added to the denominator of values in [0, 1].
    """

    window: Window = "gaussian 11"
    border: Border = "valid"
    data_range: _Positive = 255
    axes: Literal[2, 3] = 2
    downsampled: bool = False
    sample_covariance: bool = False
    rounded: bool = False
    clipped: bool = False
    epsilon: _Epsilon = 0


class Protocol(_Record):
    """A way of measuring. ``revision`` goes up whenever its numbers change: older stored scores are then stale.

    Done in this order: ``clamped`` to 0 to 255; whole ``levels`` made; ``geometry``, which cuts or resizes both images;
    ``colour``, and whole levels of luma; ``border`` pixels cut off each side. Then PSNR, and SSIM as the mean over
    pixels and channels. The clean image is 8-bit to begin with. ``from_float32`` measures what the images are once
    rounded to float32, whatever they are computed in.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    title: Annotated[_Line, Field(max_length=69)] = ""
    description: Annotated[_Line, Field(max_length=400)] = ""
    used_by: Annotated[_Line, Field(max_length=400)] = ""
    revision: Annotated[int, Field(ge=1, le=10**6)] = 1
    clamped: bool = True
    levels: Levels = "round"
    geometry: Crop | Resize | None = None
    from_float32: bool = False
    colour: Colour = "rgb"
    luma_rounding: LumaRounding = "none"
    border: Annotated[int, Field(ge=0, le=4096)] = 0
    psnr: Psnr = Psnr()
    ssim: Ssim = Ssim()

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        if self.name in ("all", "none"):
            raise ValueError(f"name: {self.name!r} is a word of --protocols; choose another")
        if not self.clamped and self.levels in ("round", "truncate"):
            raise ValueError('clamped: whole levels are clamped; leave it true, or levels "none" or "wrap"')
        if isinstance(self.geometry, Resize) and self.levels == "none":
            raise ValueError('geometry: whole levels are resized; give levels "round" or another')
        if self.luma_rounding == "cv2" and self.colour != "y-full":
            raise ValueError('luma_rounding: OpenCV\'s luma is of 0 to 255; give colour "y-full"')
        if self.luma_rounding != "none" and self.colour == "rgb":
            raise ValueError('luma_rounding: rgb has no luma; leave it "none", or give another colour')
        if self.ssim.axes == 3 and (self.colour != "rgb" or self.ssim.border != "replicate"):
            raise ValueError('ssim.axes: a window over the channels needs colour "rgb" and border "replicate"')
        if not self.title:
            object.__setattr__(self, "title", self.name)
        return self

    @property
    def eight_bit(self) -> bool:
        """Whether it measures images as they are saved, so that it matters how a float output becomes 8-bit."""
        return self.levels == "round"

    @property
    def cuts(self) -> bool:
        """Whether of a small image nothing may be left, which then has no PSNR either."""
        return isinstance(self.geometry, Crop) or self.border > 0

    @property
    def may_be_undefined(self) -> bool:
        """Whether an image may have no PSNR: too small for what is cut, or of infinite values that stay."""
        return self.cuts or not self.clamped

    @cached_property
    def digest(self) -> str:
        """A hash of how it measures, whatever it is called: two protocols of one digest give the same numbers."""
        said = self.model_dump(
            mode="json", exclude={"name", "title", "description", "used_by", "revision"}, exclude_defaults=True
        )
        return data_hash(said)[:16]
