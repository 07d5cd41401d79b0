"""Image files of every kind to 8-bit RGB."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from derainbench.images.decode import Half, image_size, open_image, png_bytes, read_layer, read_pair, read_rgb

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

#: 5 rows of 7 pixels, all different.
RGB = (np.arange(5 * 7 * 3).reshape(5, 7, 3) * 2).astype(np.uint8)
GREY = RGB[..., 1]

#: What EXIF's orientations make of it; 0 and 9 are none, and mean nothing.
TURNED = {
    0: RGB,
    1: RGB,
    2: RGB[:, ::-1],
    3: RGB[::-1, ::-1],
    4: RGB[::-1],
    5: RGB.transpose(1, 0, 2),
    6: np.rot90(RGB, -1),
    7: np.rot90(RGB, 2).transpose(1, 0, 2),
    8: np.rot90(RGB, 1),
    9: RGB,
}


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def sixteen_bit_rgb(*pixel: int) -> bytes:
    """A PNG of one pixel of 16 bits a channel, which Pillow reads but does not write."""
    header, pixels = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), zlib.compress(b"\0" + struct.pack(">3H", *pixel))
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


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


def test_floats(tmp_path: Path, save_image: SaveImage) -> None:
    values = np.array([[0, 0.5, 1, np.nan, -np.inf]], np.float32)
    assert read_rgb(save_image(tmp_path / "a.tif", values))[0, :, 0].tolist() == [0, 128, 255, 0, 0]
    assert read_layer(tmp_path / "a.tif").tolist() == [[0, 0.5, 1, 0, 0]]
    assert read_rgb(save_image(tmp_path / "b.tif", values * 255))[0, :, 0].tolist() == [0, 128, 255, 0, 0]


def test_grey_with_alpha(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([GREY, 255 - GREY]), mode="LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png")[..., 2], GREY)


def test_a_dark_image_of_sixteen_bits_stays_dark(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "a.png", np.full((2, 2), 200, np.uint16))
    assert read_rgb(path).max() == 1  # 200 / 65535 of 255 is 0.8


def test_sixteen_bits_of_colour(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(sixteen_bit_rgb(0xFFFF, 0x8080, 0x0101))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), [[[255, 128, 1]]])


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    image = Image.new("CMYK", (16, 8), (0, 255, 255, 0))  # red in ink
    path = tmp_path / f"a.{suffix}"
    image.save(path, quality=95)
    assert (b"Adobe" in path.read_bytes()) == (suffix == "jpg")  # whose JPEGs hold ink inverted, and say so
    read = read_rgb(path).astype(int)
    assert read.shape == (8, 16, 3)
    assert np.abs(read - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize(("orientation", "turned"), TURNED.items())
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int, turned: np.ndarray) -> None:
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    image.save(path, exif=exif, lossless=True)  # webp's option; the others do not mind
    np.testing.assert_array_equal(read_rgb(path), turned)
    assert image_size(path) == turned.shape[:2]


@pytest.mark.parametrize("kind", [b"eXIf", b"tEXt"])
def test_an_orientation_behind_the_pixels(tmp_path: Path, save_image: SaveImage, kind: bytes) -> None:
    path = save_image(tmp_path / "a.png", RGB)
    exif = Image.Exif()
    exif[0x0112] = 6
    content, chunk = path.read_bytes(), exif.tobytes().removeprefix(b"Exif\0\0")
    if kind == b"tEXt":  # as ImageMagick writes it
        chunk = b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(chunk) + 6, (b"Exif\0\0" + chunk).hex().encode())
    path.write_bytes(content[:-12] + png_chunk(kind, chunk) + content[-12:])
    np.testing.assert_array_equal(read_rgb(path), TURNED[6])
    assert image_size(path) == (7, 5)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_metadata_that_cannot_be_read_turn_nothing(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(RGB).save(path, format=form, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff and no more")
    assert read_rgb(path).shape == RGB.shape
    assert image_size(path) == (5, 7)


def test_the_first_of_several_images(tmp_path: Path) -> None:
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    for form in ("GIF", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if form == "WEBP" else {}
        first.save(tmp_path / form, format=form, save_all=True, append_images=[second], **options)
        with Image.open(tmp_path / form) as image:
            assert getattr(image, "n_frames", 1) == 2
        np.testing.assert_array_equal(read_rgb(tmp_path / form)[..., 0], GREY)
        assert image_size(tmp_path / form) == (5, 7)


def test_a_telephones_photograph_with_a_preview(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (16, 8), (200, 10, 10)), Image.new("RGB", (4, 2))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    read = read_rgb(tmp_path / "a.jpg").astype(int)
    assert read.shape == (8, 16, 3)
    assert np.abs(read - [200, 10, 10]).max() < 8


@pytest.mark.parametrize("name", ["a.png", "a", "a.jpg", "a.txt"])
def test_the_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (16, 8), (200, 10, 10)).save(tmp_path / name, format="JPEG", quality=95)
    assert np.abs(read_rgb(tmp_path / name).astype(int) - [200, 10, 10]).max() < 8
    Image.fromarray(RGB).save(tmp_path / name, format="PNG")
    np.testing.assert_array_equal(read_rgb(tmp_path / name), RGB)


NAMES = ["with space", " ", "-o", "--out", "été", "e\u0301te\u0301", "雨", "a'b\"c`$(d)", "%s", "{scene}"]


@pytest.mark.parametrize("name", [f"{name}.png" for name in NAMES])
def test_names_are_names(tmp_path: Path, save_image: SaveImage, name: str, refused: Refused) -> None:
    path = save_image(tmp_path / name, RGB)
    np.testing.assert_array_equal(read_rgb(path), RGB)
    assert image_size(path) == (5, 7)
    path.write_bytes(b"")
    with refused(str(path)):
        read_rgb(path)


@pytest.mark.parametrize("name", ["two\nlines.png", "\x1b[31mred.png", "tab\t.png"])
def test_a_name_with_control_characters_is_escaped(
    tmp_path: Path, save_image: SaveImage, name: str, refused: Refused
) -> None:
    path = tmp_path / name
    save_image(tmp_path / "a.png", RGB).rename(path)
    np.testing.assert_array_equal(read_rgb(path), RGB)
    path.write_bytes(b"no image")
    with refused(ascii(str(path)), "restore it"):
        read_rgb(path)


def test_a_single_pixel(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "a.png", RGB[:1, :1])
    np.testing.assert_array_equal(read_rgb(path), RGB[:1, :1])
    assert image_size(path) == (1, 1)
    assert [image.shape for image in read_pair(path, path)] == [(1, 1, 3)] * 2


def test_halves_of_a_side_by_side_file(tmp_path: Path, save_image: SaveImage, refused: Refused) -> None:
    wide = np.concatenate([RGB, 255 - RGB], axis=1)
    left, right = (Half(save_image(tmp_path / "a.png", wide), side) for side in ("left", "right"))
    for image in (read_pair(left, right), (np.asarray(open_image(left)), np.asarray(open_image(right)))):
        np.testing.assert_array_equal(image[0], RGB)
        np.testing.assert_array_equal(image[1], 255 - RGB)
    assert image_size(left) == image_size(right) == (5, 7)
    assert str(left) == f"{tmp_path / 'a.png'} (left half)"
    odd = Half(save_image(tmp_path / "odd.png", wide[:, 1:]), "right")
    for read in (read_rgb, open_image, image_size):
        with refused(str(tmp_path / "odd.png"), "13 pixels wide", "even"):
            read(odd)
    with refused(f"{tmp_path / 'a.png'} (left half) is 7x5", f"{odd.path} is 13x5"):
        read_pair(left, odd.path)


def test_halves_of_a_turned_file_are_those_that_a_viewer_shows(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)  # 5 rows of 7; turned, it is 5 wide
    exif = image.getexif()
    exif[0x0112] = 6
    image.crop((0, 0, 7, 4)).save(tmp_path / "a.png", exif=exif)
    turned = np.rot90(RGB[:4], -1)
    np.testing.assert_array_equal(read_rgb(Half(tmp_path / "a.png", "left")), turned[:, :2])
    assert image_size(Half(tmp_path / "a.png", "left")) == (7, 2)


def test_halves_of_sixteen_bits_have_one_white(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "a.tif", np.array([[200, 65535]], np.int32))
    assert read_rgb(Half(path, "left")).max() == 1
    assert read_rgb(Half(path, "right")).min() == 255


def test_layers_of_eight_and_sixteen_bits(tmp_path: Path, save_image: SaveImage) -> None:
    eight = read_layer(save_image(tmp_path / "8.png", GREY))
    sixteen = read_layer(save_image(tmp_path / "16.png", GREY.astype(np.uint16) * 257))
    assert eight.dtype == sixteen.dtype == np.float32
    np.testing.assert_allclose(eight, GREY / 255, atol=1e-7)
    np.testing.assert_allclose(sixteen, eight, atol=1e-7)


def test_a_pair_of_two_sizes(tmp_path: Path, save_image: SaveImage, refused: Refused) -> None:
    rainy, clean = save_image(tmp_path / "r.png", RGB), save_image(tmp_path / "c.png", RGB[:, :6])
    first, second = read_pair(rainy, rainy)
    np.testing.assert_array_equal(first, second)
    with refused(f"{rainy} is 7x5", f"{clean} is 6x5", "restore the right pair"):
        read_pair(rainy, clean)


def test_a_png_holds_every_byte() -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(RGB)))), RGB)
