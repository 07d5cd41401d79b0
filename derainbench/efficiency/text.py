"""Rows of costs in words and numbers: what the terminal and every format of a report show of them."""

from __future__ import annotations

from tabulate import tabulate

from derainbench.efficiency.record import EfficiencyRow, Session

HEADERS = ("Method", "Parameters", "Size", "MACs (G)", "Median (ms)", "Quartiles (ms)", "MP/s", "Peak (MiB)")
ALIGNMENT = ("left", *("right" for _ in HEADERS[1:]))
MISSING = "–"


def cells(row: EfficiencyRow) -> tuple[str, ...]:
    """The row's values under :data:`HEADERS` but its name; what could not be had is a dash, what failed says so."""
    shown = [
        MISSING if row.parameters is None else f"{row.parameters:,}",
        f"{row.width}×{row.height}",
        MISSING if row.macs is None else f"{row.macs / 1e9:,.2f}",
    ]
    if row.error:
        return (*shown, "failed", *[MISSING] * 3)
    seconds, throughput = row.seconds, row.megapixels_per_second
    if seconds is None or throughput is None:
        return (*shown, *[MISSING] * 3, _mebibytes(row.peak_bytes))
    quartiles = f"{figures(1e3 * seconds.low)} – {figures(1e3 * seconds.high)}"
    return (
        *shown, figures(1e3 * seconds.median), quartiles, figures(throughput), _mebibytes(row.peak_bytes)
    )  # fmt: skip


def setting_line(session: Session) -> str:
    """The heading of a session: where and how its rows were measured."""
    setting = session.setting
    threads = f", {setting.threads} thread{'s' if setting.threads != 1 else ''}" if setting.device == "cpu" else ""
    return f"{setting.device} ({setting.name}{threads}), {setting.precision}, torch {setting.torch}"


def notes(session: Session) -> tuple[str, ...]:
    """What has to be known to read the numbers, and what failed."""
    repeats = sorted({row.seconds.repeats for row in session.rows if row.seconds is not None})
    times = f"{repeats[0]} to {repeats[-1]}" if len(repeats) > 1 else "".join(map(str, repeats))
    kind = session.setting.device.partition(":")[0]
    found = [
        f"MACs: multiply-accumulates of one image of that size, in thousand millions ({session.macs_tool}): {COUNTED}."
    ]
    if any(row.macs is None for row in session.rows):
        found.append("MACs are not counted where a network does not run on torch's meta device.")
    if times:
        found.append(
            f"Time: one image at a time, whole (not in tiles), as a run restores it; median and quartiles of {times} "
            "runs after a warm-up, the device synchronised around each; MP/s: megapixels a second at the median."
        )
    if any(row.peak_bytes is not None for row in session.rows) and kind in MEANING:
        found.append(f"Peak: {MEANING[kind]}{_before(session)}.")
    missing = dict.fromkeys(row.peak_missing for row in session.rows if row.peak_missing)
    found += [f"Peak memory is not measured: {why}." for why in missing]
    found += [
        f"The machine was busy when {row.method} at {row.width}×{row.height} was timed ({row.seconds.busy}): do not "
        "compare its time; measure it again on an idle machine."
        for row in session.rows
        if row.seconds is not None and row.seconds.busy
    ]
    found += [f"{row.method} at {row.width}×{row.height} failed: {row.error}" for row in session.rows if row.error]
    return tuple(found)


def table(session: Session) -> str:
    """A session for a terminal."""
    body = [(row.method, *cells(row)) for row in session.rows]
    lines = [setting_line(session), "", tabulate(body, HEADERS, disable_numparse=True, colalign=ALIGNMENT), ""]
    return "\n".join([*lines, *notes(session)])


def _before(session: Session) -> str:
    """How much of the peak an idle process has, on a CPU, where that is most of it."""
    before = [row.before_bytes for row in session.rows if row.before_bytes is not None]
    if session.setting.device != "cpu" or not before:
        return ""
    least_and_most = dict.fromkeys(map(_mebibytes, (min(before), max(before))))
    return f"; {' to '.join(least_and_most)} MiB of it before the image is restored"


def _mebibytes(count: int | None) -> str:
    return MISSING if count is None else f"{count / 2**20:,.0f}"


def figures(value: float) -> str:
    """Three significant figures, whole numbers from 100."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


#: What the number says, for the notes under a table.
COUNTED = "convolutions and matrix products; not biases, activations, gates, recurrences, normalisation, pooling"


#: What a peak is the peak of, by kind of device.
MEANING = {
    "cpu": "resident memory of a fresh process that restores one image: Python and torch, weights, activations",
    "cuda": "memory that torch allocated on the GPU: weights and activations, not the CUDA context",
}
