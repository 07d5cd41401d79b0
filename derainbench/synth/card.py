"""The card of a synthetic dataset, as TOML text: where its files lie, and how they were made."""

from __future__ import annotations

import json
import math

from derainbench.errors import UserError
from derainbench.rain import PRESETS, RainModel
from derainbench.rain.models import RAIN_MODELS
from derainbench.synth.record import SplitRecord, SynthRecord


def card_text(record: SynthRecord) -> str:
    """The card of all splits that have images: valid TOML, and a :class:`derainbench.catalogue.cards.Card`."""
    splits = {split: each for split, each in sorted(record.splits.items()) if each.pairs}
    if not splits:
        raise UserError(f"dataset {record.name!r} has no images; nothing to write a card for")
    model = RAIN_MODELS[record.model]
    presets = sorted({each.preset for each in splits.values()})
    lines = [
        "# Written by `derainbench datasets synth`, again each time it is run.",
        f"name = {_text(record.name)}",
        f"title = {_text(f'{model.title} by preset ' + ' and '.join(presets))}",
        f"rain_model = {_text(record.model)}",
        'kind = "synthetic"',
        'root = "."',
        *(["additive = true"] if model.additive else []),
        f"counts = {{ {', '.join(f'{split} = {each.pairs}' for split, each in splits.items())} }}",
        f"source = {_text('; '.join(dict.fromkeys(_command(record, *each) for each in splits.items())))}",
        'licence = "that of the clean images"',
        *_list("defects", [_made(split, each) for split, each in splits.items()]),
        *_input_score(splits.get("test")),
        "",
        "[[layouts]]",
        'name = "synth"',
        *(_patterns(model, split) for split in splits),
    ]
    return "\n".join(lines) + "\n"


def _patterns(model: RainModel, split: str) -> str:
    layers = []
    for layer in model.grey_layers:
        file = "{scene}" if layer in model.scene_layers else "{scene}-{n:d}"
        layers.append(f"{layer} = {_text(f'{split}/layers/{layer}/{file}.png')}")
    rainy, clean = _text(f"{split}/rainy/{{scene}}-{{n:d}}.png"), _text(f"{split}/clean/{{scene}}.png")
    return f"{split} = {{ rainy = {rainy}, clean = {clean}, layers = {{ {', '.join(layers)} }} }}"


def _command(record: SynthRecord, split: str, made: SplitRecord) -> str:
    depth = " --depth DIR" if made.depth == "given" else ""
    which = f"--split {split}" if made.test_share is None else f"--test-share {made.test_share:g}"
    return (
        f"derainbench {made.version}: datasets synth --model {record.model} --preset {made.preset} {which}"
        f" --per-image {made.per_image} --seed {made.seed}{depth}"
    )


def _made(split: str, made: SplitRecord) -> str:
    rains = "one rain each" if made.per_image == 1 else f"{made.per_image} rains each"
    depth = {
        "none": "",
        "given": "; depth maps as given, 1 at the farthest point",
        "modelled": "; the depth is modelled, a ground plane with hills that knows nothing of what the image shows",
    }[made.depth]
    return (
        f"{split}: synthetic ({PRESETS[made.preset].title}), {made.pairs} pairs of {len(made.scenes)} clean images,"
        f" {rains}{depth}"
    )


def _input_score(test: SplitRecord | None) -> list[str]:
    """By which a run recognises the files; only where every test image was measured."""
    rows = test.measured if test is not None else None
    if test is None or not rows or len(rows) != test.pairs:
        return []
    if any({"psnr", "ssim"} - set(row) for row in rows):  # no rain in one, or too small for SSIM
        return []
    psnr, ssim = (math.fsum(row[key] for row in rows) / len(rows) for key in ("psnr", "ssim"))
    return [f'input_score = {{ protocol = "y", psnr = {psnr:.3f}, ssim = {ssim:.4f} }}']


def _list(key: str, texts: list[str]) -> list[str]:
    return [f"{key} = [", *(f"    {_text(text)}," for text in texts), "]"]


def _text(text: str) -> str:
    """A TOML string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
