"""Batch normalisation over two processes: what one has of the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from derainbench.engine.shared_statistics import share_statistics


class Doubling(nn.BatchNorm2d):
    """Of another kind in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else 2 * x


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "usual": lambda: nn.BatchNorm2d(3),
    "tensorflow's": lambda: nn.BatchNorm2d(3, eps=1e-3, momentum=0.01),
    "cumulative": lambda: nn.BatchNorm2d(3, momentum=None),
    "no averages": lambda: nn.BatchNorm2d(3, track_running_stats=False),
    "no weights": lambda: nn.BatchNorm2d(3, affine=False),
    "of a vector": lambda: nn.BatchNorm1d(3),
    "another in evaluation": lambda: Doubling(3),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(1)
    first = nn.Linear(3, 3) if name == "of a vector" else nn.Conv2d(3, 3, 1)
    return nn.Sequential(first, LAYERS[name](), nn.Tanh())


def batch(name: str) -> Tensor:
    return torch.randn(*((4, 3) if name == "of a vector" else (4, 3, 5, 6)), generator=torch.manual_seed(2))


def learnt(net: nn.Module, rows: Tensor) -> dict[str, Tensor]:
    """Two forwards and backwards: gradients, state, and what is restored in training and outside of it."""
    for part in (rows, rows**2):
        net(part).pow(3).mean().backward()
    gradients = {f"{name} grad": p.grad for name, p in net.named_parameters() if p.grad is not None}
    state = {name: value.clone() for name, value in net.state_dict().items()}
    return {**gradients, **state, "training": net(rows).detach(), "evaluation": net.eval()(rows).detach()}


def one_of_two(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    found: dict[str, Any] = {}
    for name in LAYERS:
        net = network(name)
        share_statistics(net)
        share_statistics(net)  # again changes nothing
        found[name] = learnt(net, batch(name)[2 * rank : 2 * rank + 2])
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    folder = tmp_path_factory.mktemp("two")
    processes = [get_context("spawn").Process(target=one_of_two, args=(rank, str(folder))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_two_processes_have_the_statistics_of_the_whole_batch(
    two: list[dict[str, dict[str, Tensor]]], name: str
) -> None:
    whole = learnt(network(name), batch(name))
    first, second = (found[name] for found in two)
    assert first.keys() == whole.keys()
    for what, value in whole.items():
        if what.endswith("grad"):  # what DistributedDataParallel averages
            mine = (first[what] + second[what]) / 2
        elif what == "evaluation" and name == "no averages":  # each by the statistics of what it sees
            continue
        elif what in ("training", "evaluation"):
            mine = torch.cat([first[what], second[what]])
        else:
            assert torch.equal(first[what], second[what]), what
            mine = first[what]
        torch.testing.assert_close(mine, value, rtol=1e-5, atol=1e-6)


def test_other_networks_stay_what_they_are() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.GroupNorm(1, 3))
    share_statistics(net)
    assert [type(module) for module in net] == [nn.Conv2d, nn.GroupNorm]
