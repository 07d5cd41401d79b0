"""Published weights: what they scored here beside what their authors print, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from derainbench.results.results import DatasetInRun, MethodInRun

from .cells import METRICS, pooled
from .labels import method_labels
from .means import Means
from .measured import Measured

#: Column heads of :attr:`Reproduction.cells`.
HEADERS = ("Weights", "Dataset", "Protocol", "PSNR here", "printed", "differs", "SSIM here", "printed", "differs")
ALIGNMENT = ("left", "left", "left", *["right"] * 6)


@dataclass(frozen=True)
class Reproduction:
    """One published score and ours; ``name`` is what is typed, ``label`` what readers call it.

    ``remark`` says why the images are not those that the authors used.
    """

    name: str
    label: str
    dataset: str
    protocol: str
    psnr: tuple[float, float]
    ssim: tuple[float, float]
    source: str
    remark: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The numbers under :data:`HEADERS`, the name left out: ours to one digit more than the authors print."""
        (psnr, printed_psnr), (ssim, printed_ssim) = self.psnr, self.ssim
        return (
            self.dataset,
            self.protocol,
            f"{psnr:.3f}",
            f"{printed_psnr:.2f}",
            f"{psnr - printed_psnr:+.3f}",
            f"{ssim:.4f}",
            _ssim(printed_ssim),
            f"{ssim - printed_ssim:+.4f}",
        )


def reproductions(run: Measured) -> tuple[Reproduction, ...]:
    """Every score that is published for the weights in the run, where the run has measured the same images' mean."""
    labels = method_labels(run.results.methods)
    datasets = {dataset.name: dataset for dataset in run.results.datasets if dataset.whole}
    found = []
    for method in run.results.methods:
        for published in (method.weights or {}).get("published", ()):
            if published["dataset"] in datasets:
                found += _compared(run.means, method, labels[method.name], datasets[published["dataset"]], published)
    return tuple(found)


def sources(rows: tuple[Reproduction, ...]) -> str:
    """Where the printed numbers come from, and what was measured on other images; empty if there are none."""
    if not rows:
        return ""
    remarks = dict.fromkeys(f" {row.remark}." for row in rows if row.remark)
    return f"Printed: {'; '.join(dict.fromkeys(row.source for row in rows))}.{''.join(remarks)}"


def _compared(
    means: Means, method: MethodInRun, label: str, dataset: DatasetInRun, published: Mapping[str, Any]
) -> list[Reproduction]:
    where = (method.name, str((method.weights or {})["trained_on"]), dataset.name, str(published["protocol"]))
    of_seeds = [means.of_seeds(*where, metric) for metric in METRICS]
    if not all(of_seeds):
        return []
    psnr, ssim = (pooled(each, metric).value for each, metric in zip(of_seeds, METRICS, strict=True))
    return [
        Reproduction(
            method.name,
            label,
            dataset.title,
            str(published["protocol"]),
            (psnr, float(published["psnr"])),
            (ssim, float(published["ssim"])),
            str(published["source"]),
            f"Here on other images of {dataset.title}: {dataset.other_sizes}" if dataset.other_sizes else "",
        )
    ]


def _ssim(value: float) -> str:
    """With three digits, or four where the authors print four."""
    return f"{value:.3f}" if round(value, 3) == value else f"{value:.4f}"
