"""Measuring: each network and size in a process of its own, whatever becomes of it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from derainbench.efficiency.latency import MOST, time_runs
from derainbench.efficiency.measure import Conditions, costs, measured, networks_of, reason
from derainbench.efficiency.memory import peak_of
from derainbench.efficiency.record import FILE, EfficiencyRecord, read_efficiency
from derainbench.efficiency.session import parse_sizes
from derainbench.plugins.method import Weights
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant

Refused = Callable[..., AbstractContextManager[None]]
PLUGIN = Path(__file__).with_name("plugin_costs.py")
CONDITIONS = Conditions("cpu", "fp32", threads=1, repeats=2, plugins=(PLUGIN,))


def test_sizes(refused: Refused) -> None:
    assert parse_sizes("256x128, 64X32,256x128") == [(256, 128), (64, 32)]
    for wrong in ("", "256", "0x4", "4x", "4x70000", "-1x4", "4x4x4"):
        with refused("--size"):
            parse_sizes(wrong)


def test_times() -> None:
    """Every timed run is counted; the quartiles lie around the median."""
    calls: list[int] = []
    timing = time_runs(lambda: calls.append(1), torch.device("cpu"), 5)
    assert timing.repeats == 5
    assert 5 < len(calls) <= 15  # some to warm up
    assert 0 < timing.low <= timing.median <= timing.high
    assert time_runs(lambda: None, torch.device("cpu")).repeats == MOST  # as many as fit, bounded


def test_for_how_much_of_the_time_the_thread_had_a_processor() -> None:
    """Sleep stands for a processor that does other work; short times tell nothing, nor do other devices."""
    cpu = torch.device("cpu")
    share = time_runs(lambda: time.sleep(0.15), cpu, 2).cpu_share
    assert share is not None
    assert share < 0.5
    assert time_runs(lambda: None, cpu, 2).cpu_share is None
    assert time_runs(lambda: time.sleep(0.15), torch.device("meta"), 2).cpu_share is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory the process has now as Linux tells it")
def test_a_peak_holds_what_was_allocated() -> None:
    status = Path("/proc/self/status").read_text()
    highest, now = (int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) * 1024 for name in ("VmHWM", "VmRSS"))
    more = highest - now + 256 * 2**20  # what tests before this one freed may be given back meanwhile
    peak = peak_of(lambda: bytearray(b"1") * more, torch.device("cpu"))
    assert peak.peak is not None
    assert peak.before is not None
    assert peak.before + 32 * 2**20 < peak.peak < peak.before + more


def test_a_gpu_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no GPU, torch's calls about one are recorded: in which order they come is what matters."""
    calls: list[str] = []

    def record(name: str, result: int | None = None) -> None:
        def called(device: torch.device) -> int | None:
            calls.append(name)
            return result

        monkeypatch.setattr(torch.cuda, name, called)

    record("synchronize")
    record("reset_peak_memory_stats")
    record("memory_allocated", 10)
    record("max_memory_allocated", 30)
    device = torch.device("cuda:0")
    assert peak_of(lambda: calls.append("run"), device) == (30, 10, "")
    inside = calls[calls.index("reset_peak_memory_stats") :]
    assert inside == ["reset_peak_memory_stats", "run", "synchronize", "max_memory_allocated"]
    calls.clear()
    time_runs(lambda: calls.append("run"), device, 2)
    assert calls == ["synchronize", "run", "synchronize"] * (len(calls) // 3)


def test_a_device_that_keeps_no_peak() -> None:
    assert peak_of(lambda: None, torch.device("meta")) == (None, None, "torch keeps no peak of meta memory")


def test_a_network_costs_the_same_with_any_weights() -> None:
    plain = discover([PLUGIN]).variant("small[width=2]")
    weights = Weights("tag", "tiny", "a test", "0" * 64, "none", options=plain.options)
    assert networks_of([Variant(plain.method, plain.options, weights), plain]) == [plain]


def test_costs_of_an_image() -> None:
    found = costs("small", 9, 8, CONDITIONS)
    assert found["seconds"].repeats == 2
    assert found["peak_bytes"] is None or found["peak_bytes"] >= found["before_bytes"] > 0


@pytest.mark.slow
def test_what_fails_is_a_row_and_the_rest_goes_on() -> None:
    registry = discover([PLUGIN])
    variants = [registry.variant(name) for name in ("unbuildable", "fragile")]
    unbuildable, *_, killed, fine = measured(variants, [(7, 4), (5, 4)], CONDITIONS)
    assert "no such luck" in unbuildable.error
    assert killed.macs == 7 * 4 * (81 + 9)
    assert killed.error == "its process was killed, most likely for want of memory"
    assert (fine.macs, fine.error) == (None, "")  # it reads a value, which is no reason not to be timed
    assert fine.seconds is not None
    assert fine.parameters == 84 + 12


def test_want_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        costs("fragile", 6, 4, CONDITIONS)
    assert reason(caught.value) == "out of memory"


def test_reasons() -> None:
    assert (
        reason(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nGPU 0 has ...")) == "out of memory"
    )
    assert reason(ValueError("two\nlines")) == "ValueError: two lines"


@pytest.mark.slow
def test_the_command(tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    arguments = ("--plugin", str(PLUGIN), "--size", "8x4", "--repeats", "2", "--device", "cpu")
    status, out, _ = command("efficiency", "--methods", "small", *arguments, "--out", str(tmp_path))
    assert status == 0
    assert "kept in" in out
    assert "median and quartiles of 2 runs" in out
    (session,) = read_efficiency(tmp_path).sessions
    assert [each.key for each in session.rows] == [("small", 8, 4)]
    assert session.setting.precision == "fp32"

    status, out, _ = command("efficiency", "--methods", "unbuildable", *arguments, "--json")
    assert status == 1
    (session_,) = EfficiencyRecord.model_validate(json.loads(out)).sessions
    assert "no such luck" in session_.rows[0].error

    (tmp_path / FILE).write_text("{")
    status, _, err = command("efficiency", "--methods", "small", *arguments, "--out", str(tmp_path))
    assert (status, len(err.splitlines())) == (2, 1)
    assert FILE in err
