"""Cells as jobs of a Slurm cluster, submitted and found again by submitit."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from derainbench.errors import StorageError, UserError, one_line
from derainbench.run.cell_file import Follower, forget
from derainbench.run.cells import Cell, key_of
from derainbench.run.executors.slurm_job import FRUITLESS, carry_out_in_job, saved
from derainbench.run.executors.slurm_queue import Listed, cancel, jobs_of_mine, signals_held, state_in_books
from derainbench.run.executors.slurm_records import Record, discard, folder_of_jobs, keep, records
from derainbench.run.executors.slurm_words import asked_of_slurm
from derainbench.run.job import Words, job_of
from derainbench.run.work import Ending, Teller
from derainbench.support.stopping import postponed

if TYPE_CHECKING:
    from submitit import SlurmJob

#: Seconds between two looks at what cells say, and between two questions to Slurm.
LOOK, ASK = 1.0, 5.0

#: Seconds in which the answer of a job that ended may come into sight; Slurm is not there for them alone.
LATE, LATE_THOUGH_COMPLETED = 5.0, 60.0

#: Seconds in which jobs that are cancelled may save their state and end.
FAREWELL = 120.0

#: What Slurm itself does to jobs: they are submitted again.
_NO_FAULT = ("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED", "TIMEOUT")

#: Why jobs wait that will begin in the course of things.
_ORDINARY = ("None", "Priority", "Resources", "BeginTime", "Cleaning", "Prolog", "ReqNodeNotAvail")


class Slurm:
    """A job for each cell, at most so many at a time as the settings allow.

    ``words`` and ``settings`` are as typed. :class:`UserError` where a setting means nothing, and where this machine
    has no submitit or no Slurm. Jobs of an earlier process that was killed are found again by what it wrote down.
    """

    def __init__(self, words: Words, settings: Mapping[str, str], device: str, threads: int | None = None) -> None:
        self._asked = asked_of_slurm(settings, device)
        self._executor_class = _submitit().SlurmExecutor
        if lacking := [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]:
            raise UserError(
                f"--executor slurm: {lacking[0]} is not on this machine; run the command where jobs can be submitted"
            )
        self._words, self._device, self._threads = words.absolute(), device, threads
        self.slots = self._asked.slots
        self._under_way: dict[str, _UnderWay] = {}
        self._earlier: dict[str, tuple[Record, Listed]] = {}
        self._accepted = False
        self._looked = self._seen = time.monotonic()

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        """Submit a job, or wait for the one that an earlier process submitted.

        :class:`UserError` where Slurm refuses the first; later that is the cell's failure.
        """
        run, under_way = self._words.folder, _UnderWay(cell, teller, Follower(self._words.folder, cell.name, teller))
        record, listed = self._earlier.pop(cell.name, (None, None))
        if record is not None and listed is not None:
            if record.key == key_of(cell) and listed.state != "COMPLETING":
                under_way.job = _job(run, record)
                teller.note(f"is Slurm's job {record.job}, submitted before")
                self._under_way[cell.name], self._accepted = under_way, True
                return under_way.future
            self._end([record.job])
        try:
            self._begin(under_way)
        except _RefusedError as refused:
            if not self._accepted:
                raise
            under_way.future.set_result(Ending(0.0, str(refused)))
            return under_way.future
        self._accepted = True
        self._under_way[cell.name] = under_way
        return under_way.future

    def poll(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        for each in list(self._under_way.values()):
            each.follower.look()
            self._take_answer(each)
        if self._under_way and now - self._seen >= ASK:
            if (listed := jobs_of_mine()) is not None:
                for each in list(self._under_way.values()):
                    self._notice(each, listed.get(each.job.job_id))
            self._seen = time.monotonic()

    def __enter__(self) -> Self:
        run = self._words.folder
        if written := list(records(run)):
            if (listed := jobs_of_mine()) is None:
                raise UserError(
                    f"squeue does not answer, and {run} has jobs that an earlier process submitted; run the same "
                    "command again when it does"
                )
            for record in written:
                job = listed.get(record.job)
                if job is not None and not job.ended and job.name == record.cell:  # numbers are used again
                    self._earlier[record.cell] = (record, job)
                elif _answer_of(_job(run, record)) is not None:  # without one, what it left may tell why
                    discard(run, record.cell)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        left = list(self._under_way.values())
        if left and self._end([each.job.job_id for each in left]):
            for each in left:
                self._clear(each.cell.name)
        for record, _ in self._earlier.values():
            if _answer_of(_job(self._words.folder, record)) is not None:  # it was done before it was asked for
                self._clear(record.cell)

    def _begin(self, under_way: _UnderWay) -> None:
        """Submit a job for the cell, and write down which."""
        run, cell = self._words.folder, under_way.cell
        self._clear(cell.name)
        executor = self._executor_class(folder_of_jobs(run, cell.name))
        with _refusals_told(), postponed(), signals_held():  # what is submitted is written down
            executor.update_parameters(job_name=cell.name, **self._asked.all)
            under_way.job = executor.submit(
                carry_out_in_job, job_of(cell), cell.name, self._words, self._device, self._threads
            )
            keep(run, Record(cell=cell.name, key=key_of(cell), job=under_way.job.job_id))
        under_way.saved, under_way.ended = saved(run, cell.name), None

    def _take_answer(self, each: _UnderWay) -> None:
        """Hand on what a job answered, if it did."""
        path = _answer_of(each.job)
        if path is None:
            return
        try:
            answer = each.job.result()
        except Exception as error:  # whatever kept it from answering: most likely it cannot load derainbench
            last = one_line(UserError(str(error).rpartition("\n----")[0].strip().rpartition("\n")[2]))
            self._finish(each, Ending(0.0, f"its job {each.job.job_id} failed: {last}; see {each.job.paths.stderr}"))
            return
        if answer is None:
            self._begin_again(each, "could not be begun again")
        else:
            self._finish(each, answer, keep_files=False)

    def _notice(self, each: _UnderWay, listed: Listed | None) -> None:
        """What Slurm says of a job: nothing, that it waits for what will not come, or that it ended."""
        job, now = each.job.job_id, time.monotonic()
        if listed is not None and not listed.ended:
            each.ended = None
            unusual = listed.state == "PENDING" and not listed.reason.startswith(_ORDINARY)
            if unusual and listed.reason != each.reason:
                each.reason = listed.reason
                each.teller.note(f"Slurm's job {job} waits: {listed.reason}")
            return
        each.ended = each.ended or now
        state = listed.state if listed is not None else state_in_books(job)
        if _answer_of(each.job) or now - each.ended < (LATE if state != "COMPLETED" else LATE_THOUGH_COMPLETED):
            return
        if state in _NO_FAULT:
            self._begin_again(each, f"ended as {state}")
        else:
            self._finish(each, Ending(0.0, _why(state, each.job)))

    def _begin_again(self, each: _UnderWay, what: str) -> None:
        """Submit another job for a cell whose job ended through no fault of its own."""
        now = saved(self._words.folder, each.cell.name)
        each.fruitless = each.fruitless + 1 if now == each.saved else 0
        if each.fruitless >= FRUITLESS:
            text = f"its job {each.job.job_id} {what}, as did those before it, with nothing saved; give it more time="
            self._finish(each, Ending(0.0, text))
            return
        each.teller.note(f"its job {each.job.job_id} {what}; it is submitted again")
        try:
            self._begin(each)
        except _RefusedError as refused:
            self._finish(each, Ending(0.0, str(refused)))

    def _finish(self, each: _UnderWay, answer: Ending | StorageError, keep_files: bool = True) -> None:
        each.follower.look()
        del self._under_way[each.cell.name]
        if keep_files:
            forget(self._words.folder, each.cell.name)
        else:
            self._clear(each.cell.name)
        if isinstance(answer, StorageError):
            each.future.set_exception(answer)
        else:
            each.future.set_result(answer)

    def _clear(self, cell: str) -> None:
        """Take away what a cell's jobs left beside its result."""
        forget(self._words.folder, cell)
        discard(self._words.folder, cell)

    def _end(self, jobs: list[str]) -> bool:
        """Cancel jobs and wait until none of them is left, for some time; whether none is."""
        cancel(jobs)
        for _ in range(int(FAREWELL / 2)):
            time.sleep(2.0)
            listed = jobs_of_mine()
            if listed is not None and all(job not in listed or listed[job].ended for job in jobs):
                return True
        return False


@dataclass
class _UnderWay:
    """A cell's present job; when it was seen to have ended, what was saved when it was submitted, and why it waited."""

    cell: Cell
    teller: Teller
    follower: Follower

    def __post_init__(self) -> None:
        self.future: Future[Ending] = Future()
        self.job: SlurmJob[Any]
        self.ended: float | None = None
        self.saved: tuple[int, ...] = ()
        self.fruitless = 0
        self.reason = ""


class _RefusedError(UserError):
    """Slurm does not take a job."""


@contextlib.contextmanager
def _refusals_told() -> Iterator[None]:
    """In this block what submitit and sbatch refuse is one line."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it raises
            yield
    except (FailedJobError, FailedSubmissionError, ValueError) as error:
        words = one_line(error)
        remedy = "; give slots=N for fewer jobs at a time" if "limit" in words.lower() else ""
        raise _RefusedError(f"--executor slurm: {words}{remedy}") from error


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise UserError("--executor slurm needs submitit; pip install 'derainbench[slurm]'") from error
    return submitit


def _job(run: Path, record: Record) -> SlurmJob[Any]:
    from submitit import SlurmJob

    return SlurmJob(folder_of_jobs(run, record.cell), record.job)


def _answer_of(job: SlurmJob[Any]) -> Path | None:
    """Where a job's answer is, if it is there: looked for in a listing, which shows what other machines wrote."""
    path = job.paths.result_pickle
    with contextlib.suppress(OSError):
        return path if path in path.parent.iterdir() else None
    return None


def _why(state: str, job: SlurmJob[Any]) -> str:
    number, kept = job.job_id, "what it had saved is kept: run the same command again"
    if state == "CANCELLED":
        return f"its job {number} was cancelled; {kept}"
    if state == "OUT_OF_MEMORY":
        return f"its job {number} was ended for want of memory; give --executor slurm=mem=... with more; {kept}"
    return f"its job {number} ended ({state}) without a word; see {job.paths.stderr}; {kept}"
