"""``derainbench derain``: one's own photographs, with weights of a run or of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .conftest import Workshop

PLUGIN = str(Path(__file__).parents[1] / "plugin_method.py")


def _photo(folder: Path, name: str = "photo.png", size: tuple[int, int] = (30, 22)) -> Path:
    image = np.random.default_rng(2).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(image).save(folder / name)
    return folder / name


def test_with_the_weights_of_a_run(workshop: Workshop) -> None:
    assert workshop(workshop.arguments("tinycnn")).returncode == 0
    _photo(workshop.folder)
    command = ["derain", "photo.png", "--method", "tinycnn", "--plugin", PLUGIN, "--weights", "run"]
    result = workshop(command)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "photo-tinycnn.png"
    with Image.open(workshop.folder / "photo-tinycnn.png") as restored:
        assert (restored.size, restored.mode) == ((30, 22), "RGB")
    before = (workshop.folder / "photo-tinycnn.png").read_bytes()

    refused = workshop(command)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    again = workshop([*command, "--overwrite"])
    assert again.returncode == 0
    assert (workshop.folder / "photo-tinycnn.png").read_bytes() == before

    wide = workshop(
        [*command[:5], PLUGIN, "--weights", "run/train/tinycnn/tiny/seed0/weights.safetensors", "--out", "o"]
    )
    assert wide.returncode == 0, wide.stderr
    assert (workshop.folder / "o" / "photo-tinycnn.png").read_bytes() == before


def test_published_weights_by_tag_and_by_file(workshop: Workshop, shared: Path) -> None:
    """The authors' file works by its tag once it was added, and directly as a file."""
    official = shared / "weights" / "prenet" / "Rain100L_PReNet6.pth"
    _photo(workshop.folder)
    assert workshop(["weights", "add", "prenet@rain100l", str(official)]).returncode == 0
    assert workshop(["derain", "photo.png", "--method", "prenet@rain100l"]).returncode == 0
    assert workshop(["derain", "photo.png", "--method", "prenet", "--weights", str(official)]).returncode == 0
    by_tag, by_file = workshop.folder / "photo-prenet@rain100l.png", workshop.folder / "photo-prenet.png"
    assert by_tag.read_bytes() == by_file.read_bytes()
    misfit = workshop(["derain", "photo.png", "--method", "prenet[recurrence=gru]", "--weights", str(official)])
    assert misfit.returncode == 2
    assert "does not fit prenet[recurrence=gru]" in misfit.stderr


def test_mistakes(workshop: Workshop) -> None:
    _photo(workshop.folder)
    (workshop.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no image")
    for arguments, words in (
        (["photo.png", "--method", "prenet"], ("prenet needs weights", "--weights")),
        (["nowhere.png", "--method", "identity"], ("nowhere.png", "no such image")),
        (["broken.jpg", "--method", "identity"], ("broken.jpg", "cannot be read")),
        (["photo.png", "--method", "prenet", "--weights", "nowhere.pth"], ("nowhere.pth", "check the path")),
        (["photo.png", "--method", "prenet", "--weights", "photo.png"], ("photo.png", "cannot be read as weights")),
        (["photo.png", "--method", "prenet", "--weights", "data"], ("data", "no finished training")),
    ):
        result = workshop(["derain", *arguments])
        assert result.returncode == 2, arguments
        assert len(result.stderr.splitlines()) == 1, result.stderr
        for word in words:
            assert word in result.stderr
    assert not list(workshop.folder.glob("*-*.png"))


def test_identity_keeps_every_pixel_of_a_tiled_photo(workshop: Workshop) -> None:
    photo = _photo(workshop.folder, size=(301, 207))
    result = workshop(["derain", "photo.png", "--method", "identity", "--tile", "64"])
    assert result.returncode == 0, result.stderr
    with Image.open(photo) as before, Image.open(workshop.folder / "photo-identity.png") as after:
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
