"""Systems that are no POSIX: what they lack is hidden here, and the commands do their work without it.

What other packages need of this system is loaded before: it is this program's own use of it that is asked for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from derainbench.support import stopping

WITHOUT = """
import multiprocessing
import multiprocessing.context
import os
import runpy
import signal
import sys

import filelock, jinja2, lightning_fabric, numpy, pandas, platformdirs, pooch, pyarrow.parquet, pydantic
import rich.progress, safetensors.torch, scipy.stats, skimage, tabulate, tomli_w, torch, typer
import tempfile

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "readline", "curses", "syslog"}

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
for name in ("fork", "forkpty", "register_at_fork", "getloadavg", "sched_getaffinity", "killpg", "setsid", "getuid",
             "geteuid", "getgid", "getpgid", "mkfifo", "wait3"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGQUIT", "SIGSTOP", "SIGCONT", "SIGTSTP",
             "setitimer", "alarm", "sigwait"):
    if hasattr(signal, name):
        delattr(signal, name)
spawn = multiprocessing.context._concrete_contexts["spawn"]
multiprocessing.context._concrete_contexts = {"spawn": spawn}
multiprocessing.context._default_context._default_context = spawn
multiprocessing.context._default_context._actual_context = None
multiprocessing.get_all_start_methods = lambda: ["spawn"]

if sys.argv[1] == "import":
    import importlib, pkgutil, derainbench
    for module in pkgutil.walk_packages(derainbench.__path__, "derainbench."):
        if not module.name.endswith("__main__") and not any(each in module.name for each in ("executors.ray", "slurm")):
            importlib.import_module(module.name)
    print(derainbench.score, "all imported")
else:
    from derainbench.cli.main import main
    sys.argv[0] = "derainbench"
    sys.exit(main())
"""


def without(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DERAINBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WITHOUT, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_module_imports(tmp_path: Path) -> None:
    done = without(tmp_path, "import")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("all imported\n")


@pytest.mark.slow
def test_a_run_and_its_report(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text('base = "quick"\nsteps = 3\n')
    words = ("--methods", "prenet[stages=2]", "--datasets", "demo-streak", "--recipe", "tiny.toml", "--out", "run")
    done = without(tmp_path, "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 done, 0 kept, 0 failed" in done.stdout
    assert "0 done, 3 kept, 0 failed" in without(tmp_path, "run", *words).stdout
    assert without(tmp_path, "report", "run").returncode == 0
    assert (tmp_path / "run" / "report" / "index.html").is_file()


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_a_process_can_ask_itself_to_end(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "nt":
        monkeypatch.setattr("derainbench.support.stopping.os.name", system)
        monkeypatch.setattr(
            "derainbench.support.stopping.os.kill", lambda *process: pytest.fail("which ends it at once there")
        )
    with pytest.raises(stopping.Stopped) as stopped, stopping.obeyed():
        stopping.ask_oneself_to_end()
    assert stopped.value.signal == signal.SIGTERM
