"""Cells on a Ray cluster: two nodes on this machine give what one process gives, whatever of it dies."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from derainbench.run.cell_file import UnderWay, folder_of
from derainbench.run.executors.ray_task import Task, do_task
from derainbench.run.job import Job, Words
from tests.helpers.forked import Forked

from .conftest import Workshop, results, workshop_in

pytest.importorskip("ray", reason="Ray is not installed: pip install 'derainbench[ray]'")

SEEDS = ",".join(map(str, range(8)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop with a run of eight seeds in one process, 16 cells."""
    workshop = workshop_in(tmp_path_factory.mktemp("ray"))
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 250"))
    done = workshop.process(workshop.arguments(out="one", seeds=SEEDS, baseline="none"))
    assert done.returncode == 0, done.stderr
    return workshop


@dataclass(frozen=True)
class Cluster:
    """A cluster of two nodes, a processor each."""

    address: str
    process: subprocess.Popen[str]

    def swap(self) -> None:
        """Kill one of the nodes, and have another join."""
        assert self.process.stdin is not None
        self.process.stdin.write("swap\n")
        self.process.stdin.flush()


@pytest.fixture(scope="module")
def cluster(project: Path) -> Iterator[Cluster]:
    """Shared by the tests of this file."""
    command = [sys.executable, str(project / "tests" / "helpers" / "ray_cluster.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = next(line.split()[1] for line in process.stdout if line.startswith("address "))
        yield Cluster(address, process)
        process.communicate()


def command(workshop: Workshop, cluster: Cluster, out: str, **more: str) -> list[str]:
    """The command of the run on the cluster."""
    options = {"seeds": SEEDS, "baseline": "none", **more}
    return workshop.arguments(out=out, executor=f"ray={cluster.address}", **options)


def one_under_way(run: Path, driver: Forked, not_again: set[str]) -> UnderWay:
    """What a training says that has a checkpoint and was not met before."""
    for _ in range(15000):
        for file in run.glob(".cells/*/progress.json"):
            try:
                said = UnderWay.model_validate_json(file.read_bytes())
            except (OSError, ValueError):
                continue
            if said.cell not in not_again and (run / said.cell / "checkpoint.pt").exists():
                not_again.add(said.cell)
                return said
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.02)
    pytest.fail("no training began")


def parent_of(process: int) -> int:
    found = re.search(r"^PPid:\s*(\d+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def when_done(run: Path) -> dict[str, int]:
    return {str(path.parent): path.stat().st_mtime_ns for path in run.rglob("done.json")}


@pytest.mark.slow
def test_whatever_dies_the_results_are_those_of_one_process(whole: Workshop, cluster: Cluster) -> None:
    run, met = whole.folder / "many", set[str]()
    driver = whole.popen(command(whole, cluster, "many"))
    os.kill(one_under_way(run, driver, met).process, signal.SIGKILL)  # a cell's process
    forks = parent_of(one_under_way(run, driver, met).process)
    os.kill(parent_of(forks), signal.SIGKILL)  # a worker of Ray's
    one_under_way(run, driver, met)
    cluster.swap()
    one_under_way(run, driver, met)
    driver.kill()
    before = when_done(run)
    _, first = driver.communicate()
    again = whole.process(command(whole, cluster, "many"))
    assert again.returncode == 0, again.stderr
    assert results(run) == results(whole.folder / "one")
    assert "goes on after" in first, first
    assert "goes on after" in again.stderr, again.stderr
    assert before.items() <= when_done(run).items()  # nothing was done twice
    assert len(when_done(run)) == 16
    assert not (run / ".cells").exists()


@pytest.mark.slow
def test_ctrl_c_has_cells_save_their_state(whole: Workshop) -> None:
    """On a cluster of the run's own. A terminal sends the signal to all processes, and not only to the driver."""
    run, met = whole.folder / "stopped", set[str]()
    command = whole.arguments(out="stopped", executor="ray", seeds="0", baseline="none")
    driver = whole.popen(command, start_new_session=True)
    one_under_way(run, driver, met)
    os.killpg(driver.pid, signal.SIGINT)
    _, err = driver.communicate(timeout=180)
    assert driver.returncode == 130, err
    assert "interrupted; what is finished is kept" in err
    assert len(list(run.rglob("checkpoint.pt"))) == 1
    assert not (run / ".cells").exists()
    again = whole.process(command)
    assert "goes on after" in again.stderr, again.stderr
    assert results(run).items() <= results(whole.folder / "one").items()


def refusal(workshop: Workshop, executor: str, **more: str) -> str:
    """The one line with which the command ends that uses this executor."""
    failed = workshop.process(workshop.arguments(executor=executor, precision="fp32", **more))
    assert failed.returncode == 2, failed.stderr
    (line,) = (line for line in failed.stderr.splitlines() if not re.match(r"note: |\d+ cells, |.*logging", line))
    return line


@pytest.mark.slow
def test_a_cluster_of_another_version(workshop: Workshop, cluster: Cluster) -> None:
    from ray._raylet import GcsClient

    known = GcsClient(address=cluster.address)
    said = known.internal_kv_get(b"CLUSTER_METADATA", b"cluster")
    other = json.dumps({**json.loads(said), "ray_version": "1.0.0"}).encode()
    known.internal_kv_put(b"CLUSTER_METADATA", other, True, b"cluster")
    try:
        line = refusal(workshop, f"ray={cluster.address}")
    finally:
        known.internal_kv_put(b"CLUSTER_METADATA", said, True, b"cluster")
    assert "Version mismatch: The cluster was started with: Ray: 1.0.0" in line


@pytest.mark.slow
def test_no_gpu_on_this_machine(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "less than a GPU and 1 processor for a cell; give --device cpu" in refusal(workshop, "ray", device="cuda")


@pytest.mark.slow
def test_nobody_at_the_address(workshop: Workshop) -> None:
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        begun = time.monotonic()
        assert "no Ray cluster answers there" in refusal(workshop, f"ray=127.0.0.1:{closed.getsockname()[1]}")
        assert time.monotonic() - begun < 30


def test_a_guest_from_outside(workshop: Workshop) -> None:
    failed = workshop(workshop.arguments(executor="ray=ray://head:10001"))
    assert (failed.returncode, failed.stderr.count("error: ")) == (2, 1)
    assert "give the command on a node of the cluster" in failed.stderr


def test_without_ray(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    failed = workshop(workshop.arguments(executor="ray"))
    assert (failed.returncode, failed.stderr.count("error: ")) == (2, 1)
    assert "pip install 'derainbench[ray]'" in failed.stderr


def test_a_node_that_does_not_see_the_run_folder(tmp_path: Path) -> None:
    """Nor is a folder of the same name the run's."""
    job = Job("key", "tinycnn", "tiny", 0, "fp32")
    ending = do_task(Task(job, "train/tinycnn/tiny/seed0", Words(tmp_path), "cpu", 1, "submitted-here"))
    assert not isinstance(ending, Exception)
    assert f"the run folder {tmp_path} is not there on node" in ending.error
    assert list(tmp_path.iterdir()) == []


def test_a_node_with_another_version(tmp_path: Path) -> None:
    job, name = Job("key", "tinycnn", "tiny", 0, "fp32"), "train/tinycnn/tiny/seed0"
    folder_of(tmp_path, name).mkdir(parents=True)
    (folder_of(tmp_path, name) / "here").touch()
    ending = do_task(Task(job, name, Words(tmp_path), "cpu", 1, "here", version="0.0.1"))
    assert not isinstance(ending, Exception)
    assert "not 0.0.1; install the same everywhere" in ending.error
