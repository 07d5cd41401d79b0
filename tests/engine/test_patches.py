"""Training patches: what they depend on, that they stay aligned, that a grid is visited whole."""

from __future__ import annotations

import ctypes
import hashlib
import pickle
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from derainbench.catalogue.pairing import Pair
from derainbench.engine.device import choose_engine
from derainbench.engine.layers import FileLayer
from derainbench.engine.patches import Levels, Patches, hold_out, rainy_statistics
from derainbench.engine.stages import Stages
from derainbench.engine.training_batches import training_batches
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

HEIGHT, WIDTH = 23, 30
DEPTH = {"depth": FileLayer("depth")}


def recipe(**changes: Any) -> Recipe:
    """A recipe of patches."""
    return Recipe.model_validate({"lr": 1, "steps": 20, "batch": 3, "patch": 8, "loss": "l1", **changes})


def coordinates(image: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An image whose pixels say where they are: red is the row, green the column, blue the image."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, image)], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Three pairs whose clean image is the rainy one, with a depth map that says the column."""
    folder, found = tmp_path_factory.mktemp("pairs"), []
    for index in range(3):
        image, depth = folder / f"{index}.png", folder / f"{index}-depth.png"
        Image.fromarray(coordinates(index)).save(image)
        Image.fromarray(coordinates(index)[..., 1]).save(depth)
        found.append(Pair(str(index), str(index), image, image, {"depth": depth}))
    return found


def equal(first: Batch, second: Batch) -> bool:
    """Whether two batches hold the same numbers."""
    return (
        torch.equal(first.rainy, second.rainy)
        and torch.equal(first.clean, second.clean)
        and all(torch.equal(layer, second.layers[name]) for name, layer in first.layers.items())
    )


def places(batch: Batch) -> list[tuple[int, int, int]]:
    """The image, top row and left column of each patch of coordinates."""
    levels = (batch.rainy * 255).round().int()
    return [(int(p[2].min()), int(p[0].min()), int(p[1].min())) for p in levels]


def test_shapes_and_ranges(pairs: list[Pair]) -> None:
    batch = Patches(pairs, recipe(), seed=0, layers=DEPTH)[0]
    assert batch.rainy.shape == batch.clean.shape == (3, 3, 8, 8)
    assert batch.layers["depth"].shape == (3, 1, 8, 8)
    assert batch.rainy.dtype == batch.layers["depth"].dtype == torch.float32
    assert 0 <= float(batch.rainy.min()) < float(batch.rainy.max()) <= 1


@given(
    st.sets(st.sampled_from(["hflip", "vflip", "rot90"])),
    st.sampled_from([4, 8, 23, 27, 40]),
    st.none() | st.integers(1, 12),
    st.integers(0, 19),
    st.integers(0, 2**31),
)
def test_rainy_clean_and_layers_stay_aligned(
    pairs: list[Pair], augment: set[str], patch: int, stride: int | None, step: int, seed: int
) -> None:
    chosen = recipe(augment=tuple(augment), patch=patch, stride=stride)
    batch = Patches(pairs, chosen, seed, layers=DEPTH)[step]
    assert batch.rainy.shape[-2:] == (patch, patch)
    assert torch.equal(batch.rainy, batch.clean)
    torch.testing.assert_close(batch.layers["depth"][:, 0], batch.rainy[:, 1])


@given(st.integers(0, 2**31), st.permutations(range(8)))
@settings(max_examples=20)
def test_a_batch_depends_on_seed_and_step_alone(pairs: list[Pair], seed: int, order: list[int]) -> None:
    chosen = recipe(augment=("hflip", "rot90"))
    patches = Patches(pairs, chosen, seed, layers=DEPTH)
    torch.manual_seed(seed % 7)
    np.random.seed(seed % 7)  # noqa: NPY002 - whatever a method's own code does to the global state
    shuffled = {step: patches[step] for step in order}
    assert all(equal(shuffled[step], Patches(pairs, chosen, seed, layers=DEPTH)[step]) for step in order)


def test_seeds_and_steps_give_different_batches(pairs: list[Pair]) -> None:
    batches = [Patches(pairs, recipe(), seed)[step] for seed in (0, 1) for step in (0, 1, 2)]
    assert sum(equal(first, second) for first in batches for second in batches) == len(batches)


@pytest.mark.parametrize("start", [0, 13])
def test_workers_load_the_same_batches_from_any_start(pairs: list[Pair], start: int) -> None:
    patches = Patches(pairs, recipe(stride=5), seed=4, layers=DEPTH)
    loaded = list(DataLoader(patches, batch_size=None, sampler=range(start, 20), num_workers=1))
    assert len(loaded) == 20 - start
    assert all(equal(batch, patches[step]) for step, batch in enumerate(loaded, start))


class Weighed(Patches):
    """Tells with each batch how much memory its process then has of its own, in MiB, what waits to be used again given
    back."""

    def levels(self, step: int) -> Levels:
        batch = super().levels(step)
        if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
            libc.malloc_trim(0)
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        own = sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:")) / 1024
        return batch._replace(layers={"own": torch.tensor(own)})


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux for a process's own memory")
def test_the_memory_of_workers_does_not_grow(pairs: list[Pair]) -> None:
    patches = Weighed(pairs, recipe(batch=64, patch=100, steps=160), seed=0)  # 4 MB a batch
    np.ones(30 << 20, np.uint8)  # once that much was given back, glibc takes large pieces from the heap, too
    batches = training_batches(patches, 0, 1, choose_engine("cpu", "fp32").fabric, lambda text: None)
    own = [float(batch.layers["own"]) for batch in batches]
    # The heap takes some tens of batches to reach its size; what leaks goes on after that.
    assert max(own[120:]) - max(own[:80]) < 60, "MiB; a batch kept each time would be 150 and more"


def test_patches_travel_to_processes_that_are_started_afresh(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(stride=5), seed=4, layers=DEPTH)
    before = patches[3]
    assert equal(pickle.loads(pickle.dumps(patches))[3], before)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"augment": ("hflip", "vflip", "rot90")}, "8f11a8ceb5992346"),
        ({"patch": 26, "augment": ("hflip",)}, "f576e5eed85f4aa6"),
        ({"stride": 5, "steps": None, "epochs": 3, "augment": ("rot90",)}, "5fc1b0fd80bc23ae"),
    ],
    ids=["random", "larger than the image", "grid"],
)
def test_batches_are_those_of_the_first_release(pairs: list[Pair], changes: dict[str, Any], expected: str) -> None:
    """What a seed trains on may not change: half-trained checkpoints would go on with something else."""
    patches, found = Patches(pairs, recipe(**changes), seed=7, layers=DEPTH), hashlib.sha256()
    for step in range(len(patches)):
        batch = patches[step]
        for tensor in (batch.rainy, batch.clean, batch.layers["depth"]):
            found.update(tensor.contiguous().numpy().tobytes())
    assert found.hexdigest()[:16] == expected


def test_a_grid_is_visited_whole_once_an_epoch(pairs: list[Pair]) -> None:
    grid = {(i, top, left) for i in range(3) for top in range(0, HEIGHT - 7, 6) for left in range(0, WIDTH - 7, 6)}
    patches = Patches(pairs, recipe(steps=None, epochs=4, stride=6, batch=1), seed=0)
    assert len(patches) == patches.steps == 4 * len(grid)
    visited = [places(patches[step])[0] for step in range(len(patches))]
    epochs = [visited[n * len(grid) : (n + 1) * len(grid)] for n in range(4)]
    assert all(Counter(epoch) == Counter(grid) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4, "each epoch has an order of its own"


def test_epochs_run_on_across_batches(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(steps=None, epochs=2, stride=6, batch=5), seed=0)
    visited = [place for step in range(len(patches)) for place in places(patches[step])]
    grid = 3 * 3 * 4
    assert len(patches) == -(-2 * grid // 5)
    assert set(Counter(visited[: 2 * grid]).values()) == {2}


def test_patches_of_one_pixel(pairs: list[Pair]) -> None:
    batch = Patches(pairs, recipe(patch=1), seed=0)[0]
    assert batch.rainy.shape == (3, 3, 1, 1)
    assert torch.equal(batch.rainy, batch.clean)


def test_random_crops_reach_every_corner_and_every_image_equally(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(patch=HEIGHT - 1, batch=90, steps=1), seed=0)
    found = places(patches[0])
    assert Counter(image for image, _, _ in found) == {0: 30, 1: 30, 2: 30}
    assert {(top, left) for _, top, left in found} == {(t, f) for t in range(2) for f in range(WIDTH - HEIGHT + 2)}


@pytest.mark.parametrize(
    ("augment", "orientations"), [((), 1), (("hflip",), 2), (("hflip", "vflip"), 4), (("rot90",), 4)]
)
def test_augmentations_give_every_orientation(pairs: list[Pair], augment: tuple[str, ...], orientations: int) -> None:
    batch = Patches(pairs[:1], recipe(augment=augment, batch=80, steps=1), seed=0)[0]
    levels = (batch.rainy * 255).round().int()
    seen = {tuple((patch[:2, 0, 0] - patch[:2, -1, -1]).sign().tolist()) for patch in levels}
    assert len(seen) == orientations


def test_a_flip_and_quarter_turns_reach_all_eight_orientations(tmp_path: Path, save_image: SaveImage) -> None:
    image = coordinates(0, 4, 4)
    path = save_image(tmp_path / "a.png", image)
    patches = Patches([Pair("a", "a", path, path)], recipe(augment=("hflip", "rot90"), patch=4, batch=100), seed=0)
    seen = (patches[0].rainy * 255).round().byte().permute(0, 2, 3, 1).numpy()
    symmetries = {np.rot90(mirrored, k).tobytes() for mirrored in (image, image[:, ::-1]) for k in range(4)}
    assert len(symmetries) == 8
    assert {np.ascontiguousarray(patch).tobytes() for patch in seen} == symmetries


def test_an_image_smaller_than_the_patch_is_mirrored(pairs: list[Pair]) -> None:
    batch = Patches(pairs[:1], recipe(patch=26, batch=1), seed=0)[0]
    rows = (batch.rainy[0, 0, :, 0] * 255).round().int().tolist()
    assert rows == [*range(HEIGHT), HEIGHT - 1, HEIGHT - 2, HEIGHT - 3]


def test_a_pair_or_a_layer_of_another_size(tmp_path: Path, save_image: SaveImage, refused: Refused) -> None:
    rainy = save_image(tmp_path / "r.png", coordinates(0))
    small = save_image(tmp_path / "s.png", coordinates(0)[:20])
    depth = save_image(tmp_path / "d.png", coordinates(0)[:20, :, 0])
    with refused(f"{rainy} is 30x23", f"{small} is 30x20"):
        Patches([Pair("a", "a", rainy, small)], recipe(), seed=0)[0]
    with refused(f"{rainy} is 30x23", f"depth {depth} is 30x20", "restore the right one"):
        Patches([Pair("a", "a", rainy, rainy, {"depth": depth})], recipe(), seed=0, layers=DEPTH)[0]


@given(st.lists(st.integers(0, 9), max_size=30), st.floats(0, 0.99))
def test_holding_out_never_splits_a_scene(scenes: list[int], share: float) -> None:
    pairs = [Pair(str(n), f"scene{s}", Path(f"{n}.png"), Path(f"{s}.png")) for n, s in enumerate(scenes)]
    kept, held = hold_out(pairs, share)
    assert sorted([*kept, *held], key=pairs.index) == pairs
    assert not {pair.scene for pair in kept} & {pair.scene for pair in held}
    assert kept or not pairs
    count, held_scenes = len(set(scenes)), len({pair.scene for pair in held})
    assert held_scenes == (min(max(1, round(share * count)), max(0, count - 1)) if share > 0 else 0)


def test_nothing_is_held_out_of_all() -> None:
    pairs = [Pair("a", "s", Path("r"), Path("c"))]
    kept, held = hold_out(pairs, 0.0)
    assert kept is pairs
    assert not held


def test_pairs_of_a_manifest_are_held_out_alike(
    tiny_dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    pairs = tiny_dataset.open().pairs("train")
    kept, held = hold_out(pairs, 0.4)
    assert type(kept) is type(held) is type(pairs)
    assert (list(kept), list(held)) == hold_out(list(pairs), 0.4)
    assert (len(kept), len(held)) == (4, 2)


def test_held_out_scenes_are_spread_and_always_the_same() -> None:
    pairs = [Pair(f"{s}-{n}", f"{s:02}", Path("r"), Path("c")) for s in range(10) for n in range(2)]
    assert {pair.scene for pair in hold_out(pairs, 0.2)[1]} == {"02", "07"}
    assert {pair.scene for pair in hold_out(pairs[::-1], 0.2)[1]} == {"02", "07"}


def test_statistics_of_the_rainy_images(tmp_path: Path, save_image: SaveImage) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, shape, dtype=np.uint8) for shape in ((4, 5, 3), (9, 2, 3))]
    paths = [save_image(tmp_path / f"{n}.png", image) for n, image in enumerate(images)]
    mean, std = rainy_statistics([Pair(path.stem, path.stem, path, tmp_path / "absent.png") for path in paths])
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    np.testing.assert_allclose(mean, pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(std, pixels.std(0), atol=1e-6)


STAGES = ((2, 8, 4), (1, 12, 2), (3, 16, 6))


def test_stages_have_their_patches_and_batches(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(progressive=STAGES, steps=12, batch=4), seed=0)
    shapes = [tuple(patches[step].rainy.shape) for step in range(12)]
    assert shapes == [(4, 3, 8, 8)] * 4 + [(2, 3, 12, 12)] * 2 + [(6, 3, 16, 16)] * 6


def test_images_are_visited_equally_across_stages(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(progressive=STAGES, steps=12, batch=4), seed=0)
    visited = Counter(image for step in range(12) for image, _, _ in places(patches[step]))
    assert sorted(visited.values()) == [18, 19, 19], "56 patches"


def test_restormers_stages_end_where_its_authors_did() -> None:
    """After 92,000 and so on, inclusive, counted from 1; scaled to another length in proportion."""
    lengths = (92_000, 64_000, 48_000, 36_000, 36_000, 24_000)
    stages = [(length, 128, 8) for length in lengths]
    ends = [92_000, 156_000, 204_000, 240_000, 276_000]
    fields = recipe(progressive=stages, steps=300_000, patch=128, batch=8)
    assert [part.start for part in Stages(fields, 300_000).parts] == [0, *ends]
    assert Stages(fields, 300_000).of(91_999).start == 0
    assert Stages(fields, 300_000).of(92_000).start == 92_000
    assert [part.start for part in Stages(fields, 300).parts] == [0, *(end // 1000 for end in ends)]
    assert Stages(fields, 2).of(1).number == 8, "a stage may have no step"


def joined(batches: list[Batch]) -> Batch:
    return Batch(torch.cat([b.rainy for b in batches]), torch.cat([b.clean for b in batches]))


@given(st.integers(0, 2**31), st.integers(0, 11), st.booleans())
@settings(max_examples=30)
def test_those_that_train_together_have_the_batch_of_one(
    pairs: list[Pair], seed: int, step: int, identity: bool
) -> None:
    """Mixtures with images of the others, too."""
    chosen = recipe(progressive=STAGES, steps=12, batch=4, mixup=1.2, mixup_identity=identity, augment=("mprnet",))
    ranks = [Patches(pairs, chosen, seed, rank, 2) for rank in (0, 1)]
    assert equal(joined([each[step] for each in ranks]), Patches(pairs, chosen, seed)[step])


def test_a_mixture_is_of_two_images_by_one_share(pairs: list[Pair]) -> None:
    plain, mixed = (Patches(pairs, recipe(batch=6, **mixup), seed=3) for mixup in ({}, {"mixup": 1.2}))
    shares = []
    for step in range(20):
        mixing, before = mixed.levels(step).mixing, plain[step].rainy
        assert mixing is not None
        assert sorted(mixing.partners.tolist()) == list(range(6))
        expected = mixing.share * before + (1 - mixing.share) * before[mixing.partners]
        torch.testing.assert_close(mixed[step].rainy, expected)
        assert torch.equal(mixed[step].rainy, mixed[step].clean), "the clean images as the rainy ones"
        shares.append(float(mixing.share))
    assert len(set(shares)) == 20
    assert 0 < min(shares) < 0.3
    assert 0.7 < max(shares) < 1


def test_every_second_batch_stays_as_it_is_on_average(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(mixup=1.2, mixup_identity=True, steps=400, batch=1), seed=0)
    assert 160 < sum(patches.levels(step).mixing is None for step in range(400)) < 240


def test_mprnets_augmentation_does_nothing_twice_as_often(tmp_path: Path, save_image: SaveImage) -> None:
    image = coordinates(0, 4, 4)
    path = save_image(tmp_path / "a.png", image)
    patches = Patches([Pair("a", "a", path, path)], recipe(augment=("mprnet",), patch=4, batch=900), seed=0)
    seen = Counter((patch.permute(1, 2, 0) * 255).round().byte().numpy().tobytes() for patch in patches[0].rainy)
    symmetries = {np.rot90(mirrored, k).tobytes() for mirrored in (image, image[:, ::-1]) for k in range(4)}
    assert set(seen) == symmetries
    assert 160 < seen.pop(image.tobytes()) < 240
    assert all(70 < times < 130 for times in seen.values())


def test_an_epoch_over_images_visits_each_once(pairs: list[Pair]) -> None:
    patches = Patches(pairs, recipe(steps=None, epochs=4, batch=1), seed=0)
    assert patches.steps == 12
    images = [places(patches[step])[0][0] for step in range(12)]
    assert all(sorted(images[n : n + 3]) == [0, 1, 2] for n in range(0, 12, 3))
