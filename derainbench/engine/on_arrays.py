"""A network on one image as a script has it: an array or a tensor, of any size."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from derainbench.engine.restore import restore_tiled, tile_side
from derainbench.errors import UserError
from derainbench.images.tensors import check_image, to_array, to_tensor
from derainbench.plugins.method import Derainer

_Image = TypeVar("_Image", NDArray[Any], Tensor)


def restore(network: Derainer, image: _Image, tile: int | None = None) -> _Image:
    """Take the rain out of an image, on the device where the network is.

    :param network: as :func:`derainbench.load_method` gives it, or any :class:`derainbench.Derainer`; it is put into
        its mode for evaluation.
    :param image: an array of shape (H, W, 3), uint8 or floats in [0, 1]; or a tensor of floats in [0, 1] of shape
        (3, H, W) or (B, 3, H, W). RGB, of any size from 1x1.
    :param tile: the side in pixels of the tiles in which a large image is restored, 0 for never; None decides by the
        size and the network.
    :returns: the same kind: uint8 for uint8, otherwise float32 in [0, 1].
    :raises derainbench.errors.UserError: for other shapes or types, or where the network returns no such image.

    >>> import numpy as np
    >>> from derainbench import load_method
    >>> rainy = np.full((5, 7, 3), 200, dtype=np.uint8)
    >>> bool((restore(load_method("identity"), rainy) == rainy).all())
    True
    """
    network.eval()
    if isinstance(image, Tensor):
        return _restored(network, image, tile)
    array = np.asarray(image)
    check_image(array, "the image")
    if array.size == 0:
        raise UserError(f"the image has the shape {array.shape}: an array of an image is (H, W, 3), RGB")
    if array.dtype == np.uint8:
        return to_array(_restored(network, to_tensor(array), tile))
    levels = torch.from_numpy(array.astype(np.float32)).permute(2, 0, 1)
    restored: NDArray[np.float32] = _restored(network, levels, tile).permute(1, 2, 0).numpy()
    return restored


def _restored(network: Derainer, rainy: Tensor, tile: int | None) -> Tensor:
    """As the image: on its device, and with its dimensions."""
    if rainy.ndim not in (3, 4) or rainy.shape[-3] != 3 or not rainy.is_floating_point():
        raise UserError(
            f"the image is {rainy.dtype} of the shape {tuple(rainy.shape)}: a tensor of an image is floats in [0, 1], "
            "(3, H, W) or (B, 3, H, W)"
        )
    batch = rainy if rainy.ndim == 4 else rainy.unsqueeze(0)
    place = next((each.device for each in (*network.parameters(), *network.buffers())), rainy.device)
    side = tile_side(batch.shape[-2], batch.shape[-1], network, tile)
    restored = restore_tiled(network, batch.to(place, torch.float32), side, network.reach, network.size_multiple)
    return restored.reshape(rainy.shape).to(rainy.device)
