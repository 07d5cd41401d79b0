"""One training step: derainbench's trainer against a plain loop over plain transcriptions, with the same loss.

A step is forward, loss, backward and the optimiser's update on one batch. Losses and gradients are compared first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from benchmarks.networks import METHODS, Pair, Plain, build, fitting, layout, rainy_photograph
from benchmarks.timing import interleaved, machine, parse, parser, refuse_unequal, table
from derainbench.engine.device import choose_engine
from derainbench.engine.trainer import Trainer, make_optimiser
from derainbench.metrics.losses import Loss, get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import OF_SOME_METHODS, Recipe
from derainbench.plugins.weights import from_official
from tests.oracles import didmdn, jorder

#: Patch side and batch, such that a step of the slowest takes a second or two; the recipes' own batches are larger.
SIZES = {
    "prenet": (100, 4),
    "rescan": (64, 8),
    "spanet": (64, 4),
    "nasnet": (48, 1),
    "ddn": (64, 8),
    "jorder": (64, 8),
    "jordere": (48, 2),
    "dgnl": (256, 1),
    "didmdn": (64, 1),
    "deraindrop": (64, 2),
    "dafnet": (64, 1),
    "drn": (100, 2),
    "brn": (100, 2),
}
QUICK_SIZE = (32, 1)
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-3  # of the loss, and of a network's largest gradient
HEADERS = ("network", "patch", "batch", "loss", "plain ms", "ours ms", "ratio")
DIGITS = (None, None, None, None, 0, 0, 2)


def last_output(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """PReNet, NASNet and DDN supervise what comes out at the end."""
    return loss(plain.restore(batch.rainy), batch.clean)


def all_rains(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """RESCAN: the rain of every stage, in BGR as its code has it."""
    rainy, clean = batch.rainy.flip(1), batch.clean.flip(1)
    return sum((loss(rain, rainy - clean) for rain in plain(rainy)), torch.zeros((), device=rainy.device))


def output_and_mask(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """SPANet: the output, and the first mask against where anything differs."""
    masks, restored = plain(batch.rainy.flip(1))
    rain = (batch.rainy != batch.clean).any(1, keepdim=True).float()
    return loss(restored.flip(1), batch.clean) + nn.functional.mse_loss(masks[0], rain)


def luma_alone(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """JORDER as released: the derained luma, of images turned over as its kernels are; patches have no border."""
    assert isinstance(plain, jorder.JORDER)
    rainy, clean = (jorder.to_luma(image).transpose(2, 3) for image in (batch.rainy, batch.clean))
    return loss(plain.released(rainy), clean)


def images_mask_and_level(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """JORDER-E: both stages' images in grey levels, the mask of where the clean image is brighter, the rain's level."""
    first, (restored, mask, level, _) = plain(255 * batch.rainy)
    brighter = (batch.clean - batch.rainy)[:, 0] > 0
    images = loss(restored / 255, batch.clean) + loss(first[0] / 255, batch.clean)
    masks = 1e-3 * 8 * 64 * 64 * nn.functional.cross_entropy(mask, brighter.long())
    return 255 * images + masks + 1e-2 * nn.functional.l1_loss(level, 255 * (batch.clean - batch.rainy))


def output_and_depth(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """DGNL-Net: the output, and the depth at full size."""
    restored, depth = plain(batch.rainy)
    return loss(restored, batch.clean) + nn.functional.l1_loss(depth, batch.layers["depth"])


def three_networks(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """DID-MDN: both images that it makes, in [-1, 1] as its code has them, and the class of the density."""
    assert isinstance(plain, didmdn.DIDMDN)
    x, clean = 2 * batch.rainy - 1, 2 * batch.clean - 1
    density = batch.layers["density"].flatten().long()
    estimate = plain.residue_net(x)
    logits = plain.logits(x - estimate.detach())
    restored = plain.netG(x, density + 1)[1]
    return loss(estimate, clean) + nn.functional.cross_entropy(logits, density) + loss(restored, clean)


def maps_and_frames(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """DerainDropGAN's generator: four maps, and the image at three sizes, BGR."""
    masks, frame1, frame2, restored = plain(batch.rainy.flip(1))
    clean, pool = batch.clean.flip(1), nn.functional.avg_pool2d
    total = 0.6 * loss(frame1, pool(clean, 4)) + 0.8 * loss(frame2, pool(clean, 2)) + loss(restored, clean)
    for number, mask in enumerate(masks):
        total = total + 0.8 ** (3 - number) * nn.functional.mse_loss(mask, batch.layers["mask"])
    return total


def image_and_depth_summed(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """DAF-Net: the output and the depth, each half of the sum over an image's values, BGR and scaled."""
    scale = 255 * 0.0039212686
    restored, depth = plain(batch.rainy.flip(1) * scale)
    far = nn.functional.interpolate(
        batch.layers["depth"] * scale, size=depth.shape[2:], mode="bilinear", align_corners=True
    )
    image: Tensor = loss(restored, batch.clean.flip(1) * scale) * restored[0].numel() / 2
    far_off: Tensor = nn.functional.mse_loss(depth, far) * depth[0].numel() / 2
    return image + far_off


def all_estimates(plain: Plain, batch: Batch, loss: Loss) -> Tensor:
    """DRN: the last estimate, and a tenth, two tenths, ... of every one's."""
    losses = [loss(estimate, batch.clean) for estimate in plain(batch.rainy)]
    weighted = [0.1 * number * value for number, value in enumerate(losses, 1)]
    return torch.stack([losses[-1], *weighted]).sum()


PLAIN_LOSSES: Mapping[str, Callable[[Plain, Batch, Loss], Tensor]] = {
    "prenet": last_output,
    "rescan": all_rains,
    "spanet": output_and_mask,
    "nasnet": last_output,
    "ddn": last_output,
    "jorder": luma_alone,
    "jordere": images_mask_and_level,
    "dgnl": output_and_depth,
    "didmdn": three_networks,
    "deraindrop": maps_and_frames,
    "dafnet": image_and_depth_summed,
    "drn": all_estimates,
    "brn": last_output,
}


def patches(side: int, batch: int, device: str) -> Batch:
    """Pieces of one rainy photograph, and as their targets the same pieces darkened here and there; as if it were their
    depth, their brightness."""
    rainy = torch.cat(torch.split(rainy_photograph(side, side * batch), side, dim=3))
    torch.manual_seed(0)
    clean = rainy - 0.2 * rainy * (torch.rand(batch, 1, side, side) < 0.3)
    layers = {"mask": (rainy != clean).any(1, keepdim=True).float(), "density": torch.ones(batch, 1, 1, 1)}
    layers["depth"] = rainy.mean(dim=1, keepdim=True)
    return Batch(rainy.to(device), clean.to(device), {name: layer.to(device) for name, layer in layers.items()})


def refuse_other_gradients(name: str, pair: Pair, batch: Batch, loss: Loss) -> None:
    """Both losses and all gradients, from the same weights."""
    ours, plain = copy.deepcopy(pair.ours).train(), copy.deepcopy(pair.plain).train()
    our_loss, plain_loss = ours.training_loss(batch, loss), PLAIN_LOSSES[name](plain, batch, loss)
    refuse_unequal(f"{name}, loss", our_loss, plain_loss, LOSS_TOLERANCE)
    torch.autograd.backward(our_loss)
    torch.autograd.backward(plain_loss)
    theirs = from_official(gradients(plain), gradients(ours), *layout(name))
    found, expected = (torch.cat([g[key].flatten() for key in theirs]) for g in (gradients(ours), theirs))
    refuse_unequal(f"{name}, gradients", found, expected, GRADIENT_TOLERANCE)


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in network.named_parameters()}


def recipe_of(name: str) -> Recipe:
    """The published recipe, without what needs a file or another network."""
    published = METHODS[name].recipe
    assert published is not None
    return published.changed({field: OF_SOME_METHODS[field] for field in published.asks})


def plain_step(name: str, plain: Plain, recipe: Recipe, batch: Batch) -> Callable[[], object]:
    optimiser, loss = make_optimiser(plain.train(), recipe), get_loss(recipe.loss)

    def step() -> None:
        optimiser.zero_grad()
        torch.autograd.backward(PLAIN_LOSSES[name](plain, batch, loss))
        optimiser.step()

    return step


def measure(name: str, side: int, size: int, repeats: int, device: str) -> tuple[object, ...]:
    """A row of the table."""
    recipe, pair = recipe_of(name), build(name)
    pair = pair._replace(ours=pair.ours.to(device), plain=pair.plain.to(device))
    side, _ = fitting(pair.ours, (side, side))
    batch = patches(side, size, device)
    refuse_other_gradients(name, pair, batch, get_loss(recipe.loss))
    trainer = Trainer(choose_engine(device, "fp32").fabric, pair.ours.train(), recipe, steps=1_000_000)
    calls = {
        "plain": plain_step(name, pair.plain, recipe, batch),
        "ours": lambda: trainer.step(0, batch),
    }
    ms = interleaved(calls, repeats, device)
    return name, f"{side}x{side}", size, recipe.loss, ms["plain"], ms["ours"], ms["plain"] / ms["ours"]


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N (default: %(default)s)")
    known.add_argument("--networks", nargs="+", choices=SIZES, help="which (default: all; with --quick two)")
    options = parse(known)
    device = str(choose_engine(options.device, "fp32").fabric.device)
    rows = [
        measure(name, *(QUICK_SIZE if options.quick else SIZES[name]), options.repeats, device)
        for name in options.networks or list(SIZES)[: 2 if options.quick else None]
    ]
    print(f"One training step, float32; medians of {options.repeats} interleaved rounds; ratio = plain / ours.")
    print(f"{machine(device)}.\n")
    print(table(rows, HEADERS, DIGITS))


if __name__ == "__main__":
    main()
