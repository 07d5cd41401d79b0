"""Cells as jobs of Slurm give what one process gives: cancelled, begun again, or left by their driver."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.run.cell_file import CellFile, Follower, read_under_way
from derainbench.run.executors.slurm import Slurm
from derainbench.run.executors.slurm_words import asked_of_slurm, minutes_of
from derainbench.run.job import Words
from tests.helpers.forked import Forked
from tests.helpers.slurm_cluster import Cluster, cluster_in, why_none

from .conftest import Workshop, results, workshop_in

Refused = Callable[..., AbstractContextManager[None]]


class Heard:
    """What a teller is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def progress(self, done: int, total: int, loss: float | None) -> None:
        """Of no interest here."""

    def resumed(self, done: int, total: int) -> None:
        self.heard.append(str(done))

    def note(self, text: str) -> None:
        self.heard.append(text)


def training(seed: int) -> str:
    return f"train/tinycnn[dropout=0.1]/tiny/seed{seed}"


def of_seeds(run: Path, seeds: str) -> dict[str, bytes]:
    """Those of some seeds."""
    return {path: value for path, value in results(run).items() if any(f"seed{seed}" in path for seed in seeds)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm of two cores; tests are skipped where it is not installed."""
    if lacking := why_none():
        pytest.skip(lacking)
    with cluster_in(tmp_path_factory.mktemp("slurm"), cores=2) as cluster, pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        yield cluster


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop with a run of four seeds in one process, long enough to be interrupted when it is repeated."""
    workshop = workshop_in(tmp_path_factory.mktemp("jobs"))
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 700"))
    done = workshop(workshop.arguments(out="one", seeds="0,1,2,3", baseline="none"))
    assert done.returncode == 0, done.stderr
    return workshop


def command(workshop: Workshop, out: str, seeds: str, settings: str = "time=10m") -> list[str]:
    """The same run as jobs."""
    return workshop.arguments(out=out, seeds=seeds, baseline="none", executor=f"slurm={settings}", threads="1")


def until(true: Callable[[], object], process: Forked) -> None:
    for _ in range(6000):
        if true():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("it did not come about")


def trains(run: Path, seed: int, process: Forked) -> None:
    """Wait until a training has done its first steps."""
    until((run / training(seed) / "checkpoint.pt").exists, process)


def begin_again(cluster: Cluster, job: str, process: Forked) -> None:
    """Slurm lets two minutes pass before it begins a job again, which no test wants to wait for; in the second in which
    it ended it would not let it begin."""
    until(lambda: cluster.jobs()[job][0] == "PENDING", process)
    cluster("scontrol", "update", f"jobid={job}", "StartTime=now+3seconds")


@pytest.mark.slow
def test_jobs_give_what_one_process_gives(cluster: Cluster, whole: Workshop) -> None:
    """One is cancelled, Slurm begins one again and tells one that its time is over, and one dies without a word."""
    run, arguments = whole.folder / "jobs", command(whole, "jobs", "0,1,2,3")
    process = whole.popen(arguments)
    trains(run, 0, process)
    cancelled = cluster.job_of(training(0))
    cluster("scancel", cancelled)
    trains(run, 1, process)
    cluster("scontrol", "requeue", requeued := cluster.job_of(training(1)))
    begin_again(cluster, requeued, process)
    trains(run, 2, process)
    cluster("scancel", "--signal=USR2", warned := cluster.job_of(training(2)))
    trains(run, 3, process)
    dead, said = cluster.job_of(training(3)), read_under_way(run, training(3))
    assert said is not None
    os.kill(said.process, signal.SIGKILL)
    begin_again(cluster, warned, process)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 2, err
    assert f"{training(0)} FAILED: its job {cancelled} was cancelled; what it had saved is kept" in err
    assert err.count("goes on after") == 2, err
    assert f"{training(3)} FAILED: its job {dead} ended (FAILED) without a word; see {run}/.slurm/" in err
    assert err.count(": its job ") == 4  # with their evaluations
    assert "4 done, 0 kept, 4 failed" in out
    assert of_seeds(run, "12") == of_seeds(whole.folder / "one", "12")
    assert len([*run.glob(f".slurm/*/{dead}_0_log.err")]) == 1
    again = whole.process(arguments)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("goes on after") == 2, again.stderr
    assert results(run) == results(whole.folder / "one")
    assert not [*run.glob(".slurm"), *run.glob(".cells"), *run.rglob("checkpoint.pt")]


@pytest.mark.slow
def test_jobs_of_a_driver_that_is_killed_are_found_again(cluster: Cluster, whole: Workshop) -> None:
    """Nothing is done twice; a driver that is asked to end has its jobs save their state and end."""
    run, arguments = whole.folder / "left", command(whole, "left", "0")
    process = whole.popen(arguments)
    trains(run, 0, process)
    process.kill()
    process.communicate()
    job = cluster.job_of(training(0))
    cluster("scontrol", "suspend", job)  # it would be done before another driver has begun
    process = whole.popen(arguments)
    process.says(f"is Slurm's job {job}, submitted before")
    cluster("scontrol", "resume", job)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=150)
    assert process.returncode == 143, err
    assert cluster.job_of(training(0)) == job
    assert cluster.jobs()[job][0] == "CANCELLED"
    assert (run / training(0) / "checkpoint.pt").exists()
    assert not [*run.glob(".slurm"), *run.glob(".cells")]
    done = whole.process(arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("goes on after") == 1
    assert results(run) == of_seeds(whole.folder / "one", "0")


def test_what_begins_again_goes_on_again(tmp_path: Path) -> None:
    """A process that takes over a cell tells of itself, whatever the one before it told."""
    teller, now = Heard(), iter(range(100))
    follower = Follower(tmp_path, "a", teller)
    for place in (10, 20):
        file = CellFile(tmp_path, "a", "cpu", clock=lambda: float(next(now)))
        file.resumed(place, 30)
        file.note("warm")
        follower.look()
    assert teller.heard == ["10", "warm", "20", "warm"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "line"),
    [("partition=nix", "invalid partition specified: nix"), ("nonsense=1", "unrecognized option '--nonsense=1'")],
)
def test_what_slurm_refuses_is_one_line(cluster: Cluster, tmp_path: Path, settings: str, line: str) -> None:
    workshop = workshop_in(tmp_path)
    failed = workshop(workshop.arguments(executor=f"slurm={settings}"))
    assert failed.returncode == 2
    assert [word for word in failed.stderr.splitlines() if "sbatch" in word] == failed.stderr.splitlines()[1:]
    assert line in failed.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "minutes"),
    [
        ("24h", 1440),
        ("90m", 90),
        ("2d", 2880),
        ("1h30m", 90),
        ("45min", 45),
        ("90", 90),
        ("10:30", 11),
        ("12:00:00", 720),
        ("1-12", 2160),
        ("1-12:30", 2190),
        ("1-12:00:00", 2160),
    ],
)
def test_times(words: str, minutes: int) -> None:
    assert minutes_of(words) == minutes


@pytest.mark.parametrize("words", ["0", "h", "1y", "24 hours", "1:2:3:4", "-5", "0h", "٣h"])
def test_no_times(refused: Refused, words: str) -> None:
    with refused("--executor slurm", f"time={words}", "24h"):
        minutes_of(words)


def test_what_is_asked_of_slurm() -> None:
    asked = asked_of_slurm(
        {"partition": "gpu", "time": "24h", "mem": "32G", "cpus-per-task": "8", "slots": "20"}, "cuda"
    )
    assert asked.slots == 20
    assert asked.more == {"partition": "gpu", "mem": "32G", "gres": "gpu:1", "requeue": True}
    assert asked.parameters["time"] == 1440
    assert asked.parameters["cpus_per_task"] == 8
    assert asked.parameters["srun_args"] == ["--cpus-per-task=8"]


@pytest.mark.parametrize("name", ["gres", "gpus", "gpus-per-node", "gpus-per-task"])
def test_gpus_are_asked_for_unless_somebody_does(name: str) -> None:
    assert set(asked_of_slurm({name: "2"}, "cuda").more) == {name.replace("-", "_"), "requeue"}
    assert set(asked_of_slurm({}, "cuda").more) == {"gres", "requeue"}
    assert set(asked_of_slurm({}, "cpu").more) == {"requeue"}


@pytest.mark.parametrize(
    "settings", [{"output": "x"}, {"job-name": "x"}, {"slots": "0"}, {"slots": "many"}, {"cpus-per-task": "all"}]
)
def test_settings_that_are_none(refused: Refused, settings: dict[str, str]) -> None:
    with refused("--executor slurm", next(iter(settings))):
        asked_of_slurm(settings, "cpu")


def test_without_slurm(monkeypatch: pytest.MonkeyPatch, refused: Refused, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused("sbatch is not on this machine"):
        Slurm(Words(tmp_path), {}, "cpu")


def test_without_submitit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    workshop = workshop_in(tmp_path)
    monkeypatch.setitem(sys.modules, "submitit", None)
    failed = workshop(workshop.arguments(executor="slurm"))
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert "pip install 'derainbench[slurm]'" in failed.stderr
    assert not (tmp_path / "run").exists()


def test_a_plan_needs_no_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    workshop = workshop_in(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    planned = workshop([*workshop.arguments(executor="slurm=time=24h"), "--dry-run"])
    assert planned.returncode == 0, planned.stderr
    assert "3 cells, 3 to do" in planned.stdout
