"""One's own photographs: read with their orientation, restored at full size, written with alpha and colour profile."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from torch import Tensor

from derainbench.images.decode import open_image, to_rgb
from derainbench.images.tensors import to_array, to_tensor
from derainbench.support.atomic import write_atomic

_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def derain_photo(photo: Path, target: Path, restore: Callable[[Tensor], Tensor]) -> None:
    """Restore one photograph and write it as an 8-bit PNG, atomically.

    EXIF orientation is applied; transparency is kept as it was; grey and 16-bit images become 8-bit RGB; an embedded
    colour profile is copied. ``restore`` takes and gives (1, 3, H, W) RGB in [0, 1], as
    :func:`derainbench.engine.restore.restorer` makes one.
    """
    image = open_image(photo)
    transparent = image.mode in _WITH_ALPHA or "transparency" in image.info
    alpha = image.convert("RGBA").getchannel("A") if transparent else None
    restored = Image.fromarray(to_array(restore(to_tensor(to_rgb(image)).unsqueeze(0))[0]))
    if alpha is not None:
        restored.putalpha(alpha)
    buffer = io.BytesIO()
    # A profile of grey or CMYK does not describe the RGB that is written.
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    restored.save(buffer, format="PNG", icc_profile=profile)
    write_atomic(target, buffer.getvalue())
