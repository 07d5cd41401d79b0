"""Image files of every kind to 8-bit RGB, and one line where a file is broken."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from derainbench.errors import UserError
from derainbench.images import image_size, open_image, png_bytes, read_layer, read_pair, read_rgb, to_array, to_tensor

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

#: 5 rows of 7 pixels, all different.
RGB = (np.arange(5 * 7 * 3).reshape(5, 7, 3) * 2).astype(np.uint8)
GREY = RGB[..., 1]


def sixteen_bit_rgb(*pixel: int) -> bytes:
    """A PNG of one pixel of 16 bits a channel, which Pillow reads but does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header, pixels = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), zlib.compress(b"\0" + struct.pack(">3H", *pixel))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_rgb(tmp_path: Path, save_image: SaveImage, suffix: str) -> None:
    path = save_image(tmp_path / f"a.{suffix}", RGB)
    np.testing.assert_array_equal(read_rgb(path), RGB)
    assert image_size(path) == (5, 7)


def test_grey_is_repeated(tmp_path: Path, save_image: SaveImage) -> None:
    np.testing.assert_array_equal(read_rgb(save_image(tmp_path / "a.png", GREY)), np.stack([GREY] * 3, axis=-1))


def test_black_and_white(tmp_path: Path, save_image: SaveImage) -> None:
    read = read_rgb(save_image(tmp_path / "a.png", GREY > 80))
    np.testing.assert_array_equal(read, np.stack([255 * (GREY > 80)] * 3, axis=-1))


def test_alpha_is_dropped(tmp_path: Path, save_image: SaveImage) -> None:
    alpha = np.linspace(0, 255, 35).reshape(5, 7, 1).astype(np.uint8)
    np.testing.assert_array_equal(read_rgb(save_image(tmp_path / "a.png", np.dstack([RGB, alpha]))), RGB)


@pytest.mark.parametrize("transparency", [None, 3, bytes(range(0, 35 * 7, 7))])
def test_palettes_are_resolved(tmp_path: Path, transparency: int | bytes | None) -> None:
    image = Image.fromarray(RGB).quantize(35, dither=Image.Dither.NONE)
    expected = np.asarray(image.convert("RGB"))
    if transparency is not None:
        image.info["transparency"] = transparency
    image.save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").mode == "P"
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_of_grey_are_scaled_not_clipped(tmp_path: Path, save_image: SaveImage, suffix: str) -> None:
    path = save_image(tmp_path / f"a.{suffix}", GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_rgb(path)[..., 0], GREY)


def test_a_dark_image_of_sixteen_bits_stays_dark(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "a.png", np.full((2, 2), 200, np.uint16))
    assert read_rgb(path).max() == 1  # 200 / 65535 of 255 is 0.8


def test_sixteen_bits_of_colour(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(sixteen_bit_rgb(0xFFFF, 0x8080, 0x0101))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), [[[255, 128, 1]]])


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 8), (0, 255, 255, 0))  # red in ink
    image.save(tmp_path / "a.jpg", quality=95)
    read = read_rgb(tmp_path / "a.jpg").astype(int)
    assert read.shape == (8, 16, 3)
    assert np.abs(read - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, RGB), (2, RGB[:, ::-1]), (3, RGB[::-1, ::-1]), (6, np.rot90(RGB, -1)), (8, np.rot90(RGB, 1))],
)
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int, turned: np.ndarray) -> None:
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    image.save(path, exif=exif, lossless=True)  # webp's option; the others do not mind
    np.testing.assert_array_equal(read_rgb(path), turned)
    assert image_size(path) == turned.shape[:2]


def test_layers_of_eight_and_sixteen_bits(tmp_path: Path, save_image: SaveImage) -> None:
    eight = read_layer(save_image(tmp_path / "8.png", GREY))
    sixteen = read_layer(save_image(tmp_path / "16.png", GREY.astype(np.uint16) * 257))
    assert eight.dtype == sixteen.dtype == np.float32
    np.testing.assert_allclose(eight, GREY / 255, atol=1e-7)
    np.testing.assert_allclose(sixteen, eight, atol=1e-7)


@pytest.mark.parametrize("read", [open_image, read_rgb, read_layer, image_size])
@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "cannot identify"), (b"a letter", "cannot identify"), (b"\x89PNG\r\n\x1a\n", "")]
)
def test_what_is_no_image(
    tmp_path: Path, read: Callable[[Path], object], content: bytes, reason: str, refused: Refused
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with refused(f"{path} cannot be read as an image", reason, "restore it"):
        read(path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_image(tmp_path: Path, save_image: SaveImage, suffix: str, share: float, refused: Refused) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    path = save_image(tmp_path / f"a.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with refused(f"{path} cannot be read as an image", "restore it"):
        read_rgb(path)


def encoded(form: str) -> bytes:
    """A small image file."""
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, format=form)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged files are written, one after the other."""
    return tmp_path_factory.mktemp("damaged") / "a.bin"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(form=st.sampled_from(["PNG", "JPEG", "BMP"]), place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_byte_gives_an_image_or_one_line(damaged: Path, form: str, place: float, byte: int) -> None:
    content = bytearray(encoded(form))
    content[int(place * len(content))] = byte
    damaged.write_bytes(content)
    said = str(damaged)
    try:
        image = read_rgb(damaged)
    except UserError as error:
        said, image = str(error), RGB
    assert str(damaged) in said
    assert "\n" not in said
    assert image.shape[2] == 3


@pytest.mark.parametrize("read", [open_image, image_size])
def test_files_that_are_not_there(tmp_path: Path, read: Callable[[Path], object], refused: Refused) -> None:
    with refused(f"{tmp_path / 'no.png'}: no such image", "check the path"):
        read(tmp_path / "no.png")
    with refused(str(tmp_path), "Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize("read", [open_image, image_size])
def test_an_image_too_large_to_be_a_photograph(
    tmp_path: Path,
    save_image: SaveImage,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[Path], object],
    refused: Refused,
) -> None:
    path = save_image(tmp_path / "a.png", RGB)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    read(path)  # 35 pixels: above Pillow's limit for a warning, as a 108-megapixel photograph is
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with refused(str(path), "over 20 pixels", "scale it down"):
        read(path)


def test_a_pair_of_two_sizes(tmp_path: Path, save_image: SaveImage, refused: Refused) -> None:
    rainy, clean = save_image(tmp_path / "r.png", RGB), save_image(tmp_path / "c.png", RGB[:, :6])
    first, second = read_pair(rainy, rainy)
    np.testing.assert_array_equal(first, second)
    with refused(f"{rainy} is 7x5", f"{clean} is 6x5", "restore the right pair"):
        read_pair(rainy, clean)


def test_tensors_and_arrays() -> None:
    tensor = to_tensor(RGB)
    assert tensor.shape == (3, 5, 7)
    assert tensor.dtype == torch.float32
    assert float(tensor[2, 4, 6]) == pytest.approx(RGB[4, 6, 2] / 255)
    np.testing.assert_array_equal(to_array(tensor), RGB)


def test_an_array_is_clamped_and_rounded() -> None:
    levels = torch.tensor([-0.5, 0.0, 0.49 / 255, 0.51 / 255, 254.49 / 255, 1.0, 7.0])
    assert to_array(levels.expand(3, 1, 7))[0, :, 0].tolist() == [0, 0, 0, 1, 254, 255, 255]


def test_a_png_holds_every_byte() -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(RGB)))), RGB)
