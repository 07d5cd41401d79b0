"""A machine with hardly any shared memory, as containers have it: the real thing, which only root can make."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from .conftest import Workshop


def _may_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("mount") is None or os.name != "posix" or os.geteuid() != 0:
        return False
    tried = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /dev/shm"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _may_mount(), reason="making /dev/shm small takes root, and the right to mount")
def test_a_megabyte_for_batches_of_three(workshop: Workshop) -> None:
    """One line, no endless wait, and the weights that a single process gives."""
    workshop.edit(
        "tiny.toml", lambda text: text.replace("patch = 16", "patch = 256").replace("steps = 40", "steps = 6")
    )
    alone = workshop.process(workshop.arguments("tinycnn", out="alone"))
    assert alone.returncode == 0, alone.stderr
    command = [sys.executable, "-m", "derainbench", *workshop.arguments("tinycnn", workers="2")]
    script = f"mount -t tmpfs -o size=1m tmpfs /dev/shm && exec {shlex.join(command)}"
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=workshop.folder,
        env=workshop.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if "shared memory" in line]
    assert len(said) == 1
    assert "they are copied, which is slower" in said[0]
    first, second = (
        (workshop.folder / out / "train/tinycnn/tiny/seed0/weights.safetensors").read_bytes()
        for out in ("alone", "run")
    )
    assert first == second
