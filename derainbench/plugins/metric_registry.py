"""Which metrics there are beside PSNR and SSIM: those that come along, of packages and of files, imported when asked
for."""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint

from derainbench.errors import UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.code_digest import code_digest
from derainbench.plugins.entries import Entries
from derainbench.plugins.perceptual import features_hash, require_network

#: The entry points by which packages bring metrics.
GROUP = "derainbench.metrics"

#: Where those that come along are.
_OWN = {
    "lpips-alex": "derainbench.plugins.perceptual_metrics:LPIPS_ALEX",
    "lpips-vgg": "derainbench.plugins.perceptual_metrics:LPIPS_VGG",
    "dists": "derainbench.plugins.perceptual_metrics:DISTS",
    "niqe": "derainbench.metrics.niqe:NIQE",
    "niqe-y": "derainbench.metrics.niqe:NIQE_Y",
    "brisque": "derainbench.metrics.brisque:BRISQUE",
    "brisque-opencv": "derainbench.metrics.brisque_opencv:BRISQUE_OPENCV",
    "piqe": "derainbench.plugins.library_metrics:PIQE",
}

#: What stands before the name of one that pyiqa measures.
BRIDGE = "pyiqa:"


class MetricRegistry(Entries[ImageMetric]):
    """Metrics by name, and those that pyiqa measures."""

    kind = ImageMetric
    word = "metric"

    def has(self, name: str) -> bool:
        """Whether a metric is called so, or is one of pyiqa's."""
        return name in self._origins or name.startswith(BRIDGE)

    def origin(self, name: str) -> str:
        """Where a name comes from: derainbench, another package, or a file."""
        return "pyiqa" if name.startswith(BRIDGE) else super().origin(name)

    def get(self, name: str) -> ImageMetric:
        """The metric of that name; :class:`UserError` if there is none, or if it does not import."""
        if not name.startswith(BRIDGE):
            return super().get(name)
        if name not in self._loaded:
            from derainbench.plugins.library_metrics import bridged

            self._loaded[name] = bridged(name.removeprefix(BRIDGE))
        return self._loaded[name]


def all_metrics() -> MetricRegistry:
    """Those that come along, and those of installed packages."""
    registry = MetricRegistry()
    for name, place in _OWN.items():
        registry.add_entry(EntryPoint(name, place, GROUP), "derainbench")
    registry.add_installed(GROUP)
    return registry


def identity(metric: ImageMetric) -> str:
    """All that a score by ``metric`` depends on beside the images, in words: who measures, by which networks and code.

    A network that is not here has no hash yet.
    """
    said = [f"{metric.implementation}, {metric.version}, revision {metric.revision}"]
    said += [f"{name} {(features_hash(name) or 'not here')[:16]}" for name in metric.networks]
    if not metric.measure.__module__.startswith("derainbench."):
        said.append(f"code {code_digest([metric.measure])[:16]}")
    return ", ".join(said)


def require(metric: ImageMetric) -> None:
    """:class:`UserError` where something that ``metric`` needs is not here: a network, which may be damaged, or a
    package."""
    for name in metric.networks:
        require_network(name, metric.title)
    for package in metric.packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(f"{metric.title} is measured by {package}, which is not here; pip install {package}")
