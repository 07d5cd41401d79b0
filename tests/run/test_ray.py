"""Cells on a Ray cluster: two nodes on this machine give what one process gives, whatever of it dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from derainbench.run.cell_file import UnderWay

from .conftest import Workshop, workshop_in

pytest.importorskip("ray", reason="Ray is not installed: pip install 'derainbench[ray]'")

# Ray's own warnings, of processes that it leaves to end by themselves, are no matter of ours.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SEEDS = ",".join(map(str, range(8)))


def results(run: Path) -> dict[str, bytes]:
    """Everything that was learnt or measured, by path."""
    kinds = ("weights.safetensors", "scores.parquet", "log.jsonl", "*.png")
    return {path.relative_to(run).as_posix(): path.read_bytes() for kind in kinds for path in run.glob(f"*/**/{kind}")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop with a run of eight seeds in one process, 16 cells."""
    workshop = workshop_in(tmp_path_factory.mktemp("ray"))
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 400"))
    done = workshop.process(workshop.arguments(out="one", seeds=SEEDS, baseline="none"))
    assert done.returncode == 0, done.stderr
    return workshop


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes, a processor each."""
    from ray.cluster_utils import Cluster

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 2}
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    cluster = Cluster(True, head_node_args={**node, "include_dashboard": False, "_system_config": quick})
    cluster.add_node(**node)
    for number, handler in before.items():
        signal.signal(number, handler)
    yield cluster
    cluster.shutdown()


def command(workshop: Workshop, cluster: Any, out: str, **more: str) -> list[str]:
    """The command of the run on the cluster."""
    options = {"seeds": SEEDS, "baseline": "none", **more}
    return workshop.arguments(out=out, executor=f"ray={cluster.address}", **options)


def one_under_way(run: Path, driver: subprocess.Popen[str], not_again: set[str]) -> UnderWay:
    """What a training says that has a checkpoint and was not met before."""
    for _ in range(4000):
        for file in run.glob(".cells/*/progress.json"):
            try:
                said = UnderWay.model_validate_json(file.read_bytes())
            except (OSError, ValueError):
                continue
            if said.cell not in not_again and said.done and (run / said.cell / "checkpoint.pt").exists():
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


def test_whatever_dies_the_results_are_those_of_one_process(whole: Workshop, cluster: Any) -> None:
    run, met = whole.folder / "many", set[str]()
    driver = whole.popen(command(whole, cluster, "many"))
    os.kill(one_under_way(run, driver, met).process, signal.SIGKILL)  # a cell's process
    os.kill(parent_of(one_under_way(run, driver, met).process), signal.SIGKILL)  # a worker of Ray's
    one_under_way(run, driver, met)
    cluster.remove_node(next(node for node in cluster.list_all_nodes() if not node.head), allow_graceful=False)
    cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    one_under_way(run, driver, met)
    driver.kill()
    before = when_done(run)
    _, first = driver.communicate()
    again = whole.process(command(whole, cluster, "many"))
    assert again.returncode == 0, again.stderr
    assert results(run) == results(whole.folder / "one")
    assert first.count("goes on after") >= 2, first
    assert "goes on after" in again.stderr, again.stderr
    assert before.items() <= when_done(run).items()  # nothing was done twice
    assert len(when_done(run)) == 16
    assert not (run / ".cells").exists()
