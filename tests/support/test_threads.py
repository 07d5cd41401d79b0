"""How many threads compute, and how they wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from derainbench.engine.threads import use_threads
from derainbench.support.threads import available_cores, busy_note, threads_note, wait_briefly_where_busy


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (5.0, 0.0, 0.0), raising=False)


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_says_of_waiting_stands(name: str) -> None:
    said = {name: "active"}
    wait_briefly_where_busy(said)
    assert said == {name: "active"}


@pytest.mark.usefixtures("busy")
def test_threads_wait_briefly_beside_other_programs() -> None:
    nothing: dict[str, str] = {}
    wait_briefly_where_busy(nothing)
    assert nothing == {"GOMP_SPINCOUNT": "10000"}


def test_a_machine_of_ones_own_is_left_as_it_is() -> None:
    nothing: dict[str, str] = {}
    wait_briefly_where_busy(nothing)
    assert nothing == {}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/job/step\n", {"job/cpu.max": "max 100000\n", "job/step/cpu.max": "300000 100000\n"}, 3),
        ("0::/job/step\n", {"job/cpu.max": "100000 100000\n", "job/step/cpu.max": "max 100000\n"}, 1),
        ("0::/job\n", {"job/cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"}, 4),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 64),
        ("0::/gone\n", {}, 64),
        ("nonsense", {"cpu.max": "nonsense"}, 64),
    ],
)
def test_a_containers_limit_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, membership: str, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    write(tmp_path / "membership", membership)
    for name, text in files.items():
        write(tmp_path / "groups" / name, text)
    assert available_cores(tmp_path / "groups", tmp_path / "membership") == cores


def test_binding_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5})
    assert available_cores(tmp_path, tmp_path / "none") == 1


def test_threads_as_asked_or_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    use_threads()
    assert set_to == []
    use_threads(5)
    monkeypatch.delenv("OMP_NUM_THREADS")
    use_threads()
    assert set_to[0] == 5
    assert set_to[1] <= 3


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (2.0, 0.0, 0.0), raising=False)
    assert busy_note() == ""
    monkeypatch.setattr(os, "getloadavg", lambda: (5.04, 0.0, 0.0))
    assert "busy (load 5.0 on 2 cores)" in busy_note()


def test_too_many_threads_are_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.0, 0.0), raising=False)
    assert threads_note(2) == ""
    assert "16 threads on 2 cores" in threads_note(16)
    assert "--threads 2" in threads_note(16)
    monkeypatch.setattr(os, "getloadavg", lambda: (5.0, 0.0, 0.0), raising=False)
    assert "--threads 1" in threads_note(2)
    assert threads_note(1) == busy_note() != ""
    assert all("\n" not in threads_note(threads) for threads in (1, 2, 16))
