"""A Slurm cluster of one machine, this one, in a folder: for as long as tests need it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=20
NodeName=node0 NodeAddr=127.0.0.1 NodeHostname={host} Port={node} CPUs={cores} RealMemory=1000
PartitionName=main Nodes=node0 Default=YES MaxTime=INFINITE State=UP
PartitionName=closed Nodes=node0 MaxTime=INFINITE State=DOWN
"""


@dataclass(frozen=True)
class Cluster:
    """Where its daemons were told what to do."""

    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What Slurm's commands have to know."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def __call__(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def jobs(self) -> dict[str, tuple[str, str]]:
        """Jobs by number: state and name."""
        lines = self("squeue", "--noheader", "--states=all", "--format=%i|%T|%j").splitlines()
        return {number: (state, name) for number, state, name in (line.split("|", 2) for line in lines)}

    def job_of(self, cell: str) -> str:
        """The last job of a cell."""
        return max((number for number, (_, name) in self.jobs().items() if name == cell), key=int)


@contextlib.contextmanager
def cluster_in(folder: Path, cores: int = 4) -> Iterator[Cluster]:
    """Daemons of this user, who is root, on ports of their own; they end with the block."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    controller, node = _free_ports(2)
    host = socket.gethostname().partition(".")[0]
    text = CONFIGURATION.format(folder=folder, host=host, controller=controller, node=node, cores=cores)
    (folder / "slurm.conf").write_text(text)
    cluster = Cluster(folder)
    files = {"socket": "munge.sock", "key-file": "munge.key", "pid-file": "munged.pid", "seed-file": "munged.seed"}
    munge = [f"--{option}={folder / name}" for option, name in {**files, "log-file": "munged.log"}.items()]
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_start(folder, "munged", "--foreground", "--force", *munge))
        _until((folder / "munge.sock").exists, folder)
        started.append(_start(folder, "slurmctld", "-D", "-f", str(folder / "slurm.conf")))
        started.append(_start(folder, "slurmd", "-D", "-N", "node0", "-f", str(folder / "slurm.conf")))
        _until(lambda: "idle" in cluster("sinfo", "--noheader", "--partition=main", "--format=%T"), folder)
        yield cluster
    finally:
        with contextlib.suppress(Exception):
            cluster("scancel", "--full", "--signal=KILL", "--me")
            cluster("scancel", "--me")
            _until(lambda: not cluster("squeue", "--noheader"), folder)
        for daemon in reversed(started):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def why_none() -> str:
    """Why there can be no such cluster here; empty where there can."""
    lacking = [name for name in (*DAEMONS, "srun") if shutil.which(name, path=_PATH) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed (apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "daemons of Slurm start jobs as root alone"


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _start(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    program = shutil.which(name, path=_PATH)
    assert program is not None
    with (folder / f"{name}.out").open("wb") as out:
        return subprocess.Popen([program, *arguments], stdout=out, stderr=out, start_new_session=True)


def _until(true: object, folder: Path) -> None:
    assert callable(true)
    for _ in range(300):
        with contextlib.suppress(AssertionError):
            if true():
                return
        time.sleep(0.1)
    said = {path.name: path.read_text(errors="replace")[-2000:] for path in folder.glob("*.out")}
    raise AssertionError(said)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
