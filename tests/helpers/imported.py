"""What commands import when they need it: done once, before forks of a process try commands."""

from __future__ import annotations

import importlib

_MODULES = (
    "derainbench.cli.lists",
    "derainbench.cli.main",
    "derainbench.efficiency.module_parameters",
    "derainbench.efficiency.session",
    "derainbench.engine.conformance",
    "derainbench.methods.identity",
    "derainbench.overlap.compare",
    "derainbench.reports.content",
    "derainbench.reports.published.module_figures",
    "derainbench.reports.published.suites",
    "derainbench.reports.text.run_comparison",
    "derainbench.reports.text.terminal",
    "derainbench.reports.write",
    "derainbench.run.command",
    "derainbench.synth.synthesize",
    "derainbench.verify.text",
    "derainbench.verify.verify",
    "jinja2",
    "lightning_fabric",
    "scipy.ndimage",
    "scipy.stats",
    "skimage.data",
    "torch._dynamo",
    "torch.utils.flop_counter",
)


def import_everything() -> None:
    """Import all of it."""
    for name in _MODULES:
        importlib.import_module(name)
