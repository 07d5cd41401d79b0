"""Networks, losses and metrics on a device that is not there: where one of their tensors stays behind, they fail.

So they do where they make float64 of float32 there: MPS, Apple's, has none.

Tensors without values, on an accelerator that torch lets Python pretend to be. Gradients cannot be pretended; those are
in tests/gpu, for machines with a GPU.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch.utils import backend_registration

PRETEND = """
import inspect
import sys
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
from derainbench.metrics.losses import LOSSES, get_loss
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.metrics.scores import score_all
from derainbench.plugins.method import Batch, Derainer
from derainbench.plugins.registry import discover

_setup_privateuseone_for_python_backend("pretended")

class Whole(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, batch, loss):
        return self.network.training_loss(batch, loss)

class Stray(Derainer):
    def forward(self, rainy):
        return rainy + torch.ones(1, 3, 1, 1)

class NoDoubles(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor) and each.device.type == "pretended":
                assert each.dtype not in (torch.float64, torch.complex128), f"{function} gives {each.dtype}"
        return result

class Double(Derainer):
    def forward(self, rainy):
        return (rainy.double() * 0.5).float()

def check(network):
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), NoDoubles():
        values = {name: value.to("pretended:0") for name, value in network.state_dict().items()}
        rainy, clean = (torch.rand(1, 3, 32, 32).to("pretended:0") for _ in range(2))
        restored = functional_call(network, values, (rainy,))
        assert restored.device.type == "pretended", restored.device
        layers = {name: torch.zeros(1, 1, 32, 32).to("pretended:0") for name in network.needed_layers}
        inside = {f"network.{name}": value for name, value in values.items()}
        for loss in (inspect.unwrap(get_loss(name)) for name in LOSSES):  # unwrapped: autocast knows real devices only
            told = functional_call(Whole(network), inside, (Batch(rainy, clean, layers), loss))
            assert told.device.type == "pretended", told.device
        for scores in score_all(restored.clamp(0, 1), clean, list(PROTOCOLS)).values():
            assert {value.device.type for value in scores.values()} == {"pretended"}

name = sys.argv[1]
own = {"stray": Stray, "double": Double}
check(own[name]() if name in own else discover().variant(name).build())
"""

NAMES = (
    "prenet",
    "rescan",
    "spanet",
    "nasnet[blocks=2]",
    "identity",
    "jorder",
    "jorder[network=paper,width=8,recurrences=2]",
    "jordere[blocks=1,width=8]",
    "dgnl",
    "ddn",
    "didmdn[classifier_side=56]",
    "deraindrop[width=8]",
    "dafnet[narrower=16]",
    "drn",
    "drsformer[width=8,blocks=1-1-1-1]",
    "nerdrain[width=8,blocks=1-1-1,hidden=8]",
    "brn[width=8]",
    "brn[supervised=both,width=8]",
)

there = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason=f"torch {torch.__version__} lets nobody pretend to be an accelerator",
)


def pretended(name: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: torch is told of a device once and for all."""
    return subprocess.run([sys.executable, "-c", PRETEND, name], capture_output=True, text=True, check=False)


@there
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_tensor_stays_behind(name: str) -> None:
    done = pretended(name)
    assert done.returncode == 0, done.stderr


@there
@pytest.mark.slow
@pytest.mark.parametrize(("fault", "said"), [("stray", "device"), ("double", "gives torch.float64")])
def test_a_tensor_that_does_and_float64_on_the_device_are_found(fault: str, said: str) -> None:
    done = pretended(fault)
    assert done.returncode == 1
    assert said in done.stderr
