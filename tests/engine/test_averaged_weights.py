"""The moving average of the weights: its recursion, and that it takes their place and gives it back."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import nn

from derainbench.engine.averaged_weights import average_of


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def weights(of: nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in of.parameters()])


def step(of: nn.Module) -> None:
    with torch.no_grad():
        for weight in of.parameters():
            weight.add_(torch.randn_like(weight))


def test_the_average_is_that_of_the_recursion() -> None:
    net = network()
    average, expected = average_of(net, 0.9), weights(net).double()
    for _ in range(20):
        step(net)
        average.update()
        expected = 0.9 * expected + 0.1 * weights(net).double()
    with average.in_place():
        torch.testing.assert_close(weights(net).double(), expected, atol=1e-6, rtol=0)


def test_the_weights_come_back_to_the_bit_whatever_happens() -> None:
    net = network()
    average = average_of(net, 0.5)
    step(net)
    average.update()
    before, kept = weights(net), torch.cat([value.flatten() for value in average.state_dict().values()])
    with suppress(ZeroDivisionError), average.in_place():
        assert torch.equal(weights(net), kept)
        raise ZeroDivisionError
    assert torch.equal(weights(net), before)
    assert torch.equal(torch.cat([value.flatten() for value in average.state_dict().values()]), kept)


def test_it_goes_on_from_what_was_kept() -> None:
    net, other = network(), network()
    average = average_of(net, 0.5)
    step(net)
    average.update()
    again = average_of(other, 0.5)
    again.load_state_dict(average.state_dict())
    with average.in_place(), again.in_place():
        assert torch.equal(weights(net), weights(other))


def test_without_a_decay_the_weights_are_their_own() -> None:
    net = network()
    average, before = average_of(net, None), weights(net)
    average.update()
    with average.in_place():
        assert torch.equal(weights(net), before)
    assert average.state_dict() == {}
