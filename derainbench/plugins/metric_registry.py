"""Which metrics there are beside PSNR and SSIM: those that come along, of packages and of files, imported when asked
for."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from derainbench.errors import FOREIGN, UserError, did_you_mean, one_line
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.code_digest import code_digest
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


@dataclass
class MetricRegistry:
    """Metrics by name. An entry point is imported when its metric is first asked for."""

    _entries: dict[str, EntryPoint] = field(default_factory=dict)
    _metrics: dict[str, ImageMetric] = field(default_factory=dict)
    _origins: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All registered names, broken ones included, in the order in which they came."""
        return list(self._origins)

    def has(self, name: str) -> bool:
        """Whether a metric is called so, or is one of pyiqa's."""
        return name in self._origins or name.startswith(BRIDGE)

    def origin(self, name: str) -> str:
        """Where a name comes from: derainbench, another package, or a file."""
        return "pyiqa" if name.startswith(BRIDGE) else self._origins[name]

    def get(self, name: str) -> ImageMetric:
        """The metric of that name; :class:`UserError` if there is none, or if it does not import."""
        if name in self._metrics:
            return self._metrics[name]
        if name.startswith(BRIDGE):
            from derainbench.plugins.library_metrics import bridged

            self._metrics[name] = bridged(name.removeprefix(BRIDGE))
            return self._metrics[name]
        if name not in self._entries:
            hint = did_you_mean(name, self.names())
            raise UserError(f"no metric is called {name!r}; {hint} (one in a file of yours: give --plugin FILE)")
        try:
            metric = self._entries[name].load()
        except FOREIGN as error:  # whatever a third party's module does
            raise UserError(
                f"metric {name!r} does not import ({type(error).__name__}: {one_line(error)}); "
                f"it comes from {self.origin(name)}: mend or uninstall it"
            ) from error
        if not isinstance(metric, ImageMetric) or metric.name != name:
            found = f"ImageMetric {metric.name!r}" if isinstance(metric, ImageMetric) else f"a {type(metric).__name__}"
            raise UserError(
                f"entry point {name!r} of {self.origin(name)} gives {found}; it must give ImageMetric {name!r}"
            )
        self._metrics[name] = metric
        return metric

    def knows(self, metric: ImageMetric) -> bool:
        """Whether this very metric is registered, such as one that a file imported to build on it."""
        return metric.name in self._origins and metric.name in self._entries and self.get(metric.name) is metric

    def add(self, metric: ImageMetric, origin: str) -> None:
        """Register a metric. A name that is taken raises, naming both places."""
        self._claim(metric.name, origin)
        self._metrics[metric.name] = metric

    def add_entry(self, entry: EntryPoint, origin: str) -> None:
        """Register an entry point without importing it."""
        self._claim(entry.name, origin)
        self._entries[entry.name] = entry

    def _claim(self, name: str, origin: str) -> None:
        if name in self._origins:
            raise UserError(f"two metrics are called {name!r}: {self._origins[name]} and {origin}; rename one")
        self._origins[name] = origin


def all_metrics() -> MetricRegistry:
    """Those that come along, and those of installed packages."""
    registry = MetricRegistry()
    for name, place in _OWN.items():
        registry.add_entry(EntryPoint(name, place, GROUP), "derainbench")
    for entry in entry_points(group=GROUP):
        registry.add_entry(entry, f"package {entry.dist.name if entry.dist else '?'} ({entry.value})")
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
