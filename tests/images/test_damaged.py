"""Files that are no whole image: each is refused in one line, with its name and the remedy."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from derainbench.errors import UserError
from derainbench.images.decode import image_size, open_image, read_layer, read_rgb

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]
Read = Callable[[Path], object]

#: 5 rows of 7 pixels, all different.
RGB = (np.arange(5 * 7 * 3).reshape(5, 7, 3) * 2).astype(np.uint8)

every_reader = pytest.mark.parametrize("read", [open_image, read_rgb, read_layer, image_size])


def encoded(form: str, image: np.ndarray = RGB) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=form)
    return buffer.getvalue()


@every_reader
@pytest.mark.parametrize(
    "content",
    [
        b"a letter",
        b"<!DOCTYPE html><title>Quota exceeded</title>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"\0" * 4096,
    ],
)
def test_what_is_no_image(tmp_path: Path, read: Read, content: bytes, refused: Refused) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with refused(f"{path} cannot be read as an image (", "restore it"):
        read(path)


@every_reader
def test_no_bytes(tmp_path: Path, read: Read, refused: Refused) -> None:
    (tmp_path / "a.png").touch()
    with refused(f"{tmp_path / 'a.png'} is empty", "restore it"):
        read(tmp_path / "a.png")


@every_reader
def test_a_file_that_another_program_would_have_to_read(tmp_path: Path, read: Read, refused: Refused) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png", format="EPS")
    with refused(f"{tmp_path / 'a.png'} cannot be read as an image (cannot identify image file)"):
        read(tmp_path / "a.png")  # Pillow would start Ghostscript


def test_colours_that_are_not_rgb(tmp_path: Path, refused: Refused) -> None:
    Image.new("LAB", (4, 4)).save(tmp_path / "a.tif")
    with refused(f"{tmp_path / 'a.tif'} holds LAB values", "save it as an 8-bit RGB image"):
        read_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
def test_a_file_cut_anywhere_is_refused_or_lacks_no_pixel(tmp_path: Path, form: str) -> None:
    content, path = encoded(form), tmp_path / "a"
    path.write_bytes(content)
    whole, refusals = read_rgb(path), []
    for length in range(1, len(content)):
        path.write_bytes(content[:length])
        try:
            np.testing.assert_array_equal(read_rgb(path), whole)
        except UserError as error:
            refusals.append(str(error))
    assert len(refusals) > 0.7 * len(content)
    assert all(f"{path} cannot be read as an image" in refusal for refusal in refusals)


@pytest.mark.parametrize("level", [0, 9])
def test_a_changed_byte_of_a_pngs_pixels_is_noticed(tmp_path: Path, level: int) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path, compress_level=level)
    content = path.read_bytes()
    start = content.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", content[start - 8 : start - 4])
    refusals = 0
    for place in range(start, start + length):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            np.testing.assert_array_equal(read_rgb(path), RGB)
        except UserError:
            refusals += 1
    assert refusals > 0.9 * length  # a few bits mean nothing


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("missing", [60, 200, 0.1, 0.4, 0.7])
def test_a_file_whose_end_is_missing(tmp_path: Path, form: str, missing: float, refused: Refused) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    content, path = encoded(form, noise), tmp_path / "a"
    path.write_bytes(content[: -int(missing if missing > 1 else missing * len(content))])
    with refused(f"{path} cannot be read as an image", "truncated", "restore it"):
        read_rgb(path)
    assert image_size(path) == (200, 300)  # which is in the header


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged files are written, one after the other."""
    return tmp_path_factory.mktemp("damaged") / "a.bin"


@given(
    form=st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_bytes_give_an_image_or_one_line(damaged: Path, form: str, changes: list[tuple[float, int]]) -> None:
    content = bytearray(encoded(form))
    for place, byte in changes:
        content[int(place * len(content))] = byte
    damaged.write_bytes(content)
    said, size = str(damaged), None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)  # where the size is damaged, decoding shall not take a second
        try:
            size = image_size(damaged)
            assert read_rgb(damaged).shape == (*size, 3)
        except UserError as error:
            said = str(error)
    assert str(damaged) in said
    assert "\n" not in said


def test_what_pillow_warns_of_is_not_heard_from_threads_either(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09 and no more")
    with pytest.warns(UserWarning, match="Corrupt EXIF"), Image.open(path) as image:
        image.getexif()
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(read_rgb, [path] * 100))
    assert len(images) == 100
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="Corrupt EXIF"), Image.open(path) as image:
        image.getexif()


@every_reader
def test_files_that_are_not_there(tmp_path: Path, read: Read, refused: Refused) -> None:
    with refused(f"{tmp_path / 'no.png'}: no such image", "check the path"):
        read(tmp_path / "no.png")
    with refused(f"{tmp_path} is a folder", "give an image file"):
        read(tmp_path)


@every_reader
def test_links_that_lead_nowhere(tmp_path: Path, read: Read, refused: Refused) -> None:
    dangling, itself = tmp_path / "a.png", tmp_path / "b.png"
    dangling.symlink_to(tmp_path / "gone.png")
    itself.symlink_to(itself)
    with refused(f"{dangling}: a link to a file that is not there", "check the path"):
        read(dangling)
    with refused(f"{itself} cannot be read as an image (Too many levels of symbolic links); restore it"):
        read(itself)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@every_reader
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Read, refused: Refused) -> None:
    os.mkfifo(tmp_path / "a.png")
    with refused(f"{tmp_path / 'a.png'} is no regular file"):
        read(tmp_path / "a.png")


@every_reader
def test_a_file_that_may_not_be_read(tmp_path: Path, save_image: SaveImage, read: Read, refused: Refused) -> None:
    path = save_image(tmp_path / "a.png", RGB)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with refused(f"{path} may not be read", "permissions"):
        read(path)


def bomb(form: str) -> bytes:
    """A small file whose header promises more pixels than a machine has bytes."""
    content = bytearray(encoded(form))
    if form == "PNG":
        content[16:24] = struct.pack(">II", 200_000, 200_000)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif form == "GIF":
        content[6:10] = struct.pack("<HH", 65_535, 65_535)
    elif form == "BMP":
        content[18:26] = struct.pack("<ii", 200_000, 200_000)
    else:
        frame = content.index(b"\xff\xc0")
        content[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(content)


@every_reader
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF"])
def test_a_bomb_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, read: Read, refused: Refused
) -> None:
    (tmp_path / "a.png").write_bytes(bomb(form))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("memory was asked for"))
    with refused(f"{tmp_path / 'a.png'} has over 178,956,970 pixels", "scale it down"):
        read(tmp_path / "a.png")


@every_reader
def test_a_large_photograph_is_no_bomb(
    tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch, read: Read, refused: Refused
) -> None:
    path = save_image(tmp_path / "a.png", RGB)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    read(path)  # 35 pixels: above Pillow's limit for a warning, as a 108-megapixel photograph is
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with refused(str(path), "over 20 pixels", "scale it down"):
        read(path)
