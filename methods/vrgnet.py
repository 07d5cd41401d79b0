"""The derainer of VRGNet: From Rain Generation to Rain Removal (Wang et al., CVPR 2021)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from derainbench import Method, Paper, Weights

from .prenet import PRENET, WIDTH, PReNet, State, conv3x3
from .prenet import official_names as prenets_names


class VariationalPReNet(PReNet):
    """PReNet whose last stage has a convolution of its own, for a mean and a logarithm of a variance; 170,697
    parameters.

    The restored image is the mean. Its authors draw images around it in training; here nothing depends on the variance,
    which is in the weights for the sake of their files. They train the network together with a generator of rain, which
    is not here: recipes train it alone, as PReNet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last = conv3x3(WIDTH, 6)

    @property
    def proposal(self) -> str:
        """Of trainings made here: the authors' needs their generator."""
        return "trained here it is without the generator of rain that its authors train beside it, as PReNet is"

    def estimates(self, rainy: Tensor) -> list[Tensor]:
        """Every stage's estimate, first to last."""
        assert self.recurrence is not None
        state: State | None = None
        estimate, estimates = rainy, []
        head = self._head(rainy)
        weight, bias = (parameter[:3] for parameter in self.last.parameters())
        for stage in range(1, self.stages + 1):
            x, state = self.recurrence(head(estimate).relu_(), state)
            for unit in self.units:
                x = unit(x)
            change = self.tail(x) if stage < self.stages else F.conv2d(x, weight, bias, padding=1)
            estimate = change + rainy
            estimates.append(estimate)
        return estimates


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters."""
    module, _, part = name.rpartition(".")
    names = (f"convfinal.0.{part}",) if module == "last" else prenets_names(name)
    return tuple(f"derainet.{each}" for each in names)


VRGNET = Method(
    name="vrgnet",
    title="VRGNet's PReNet",
    network=VariationalPReNet,
    recipe=PRENET.recipe,
    recipe_on=PRENET.recipe_on,
    quick=PRENET.quick,
    paper=Paper(
        title="From Rain Generation to Rain Removal",
        authors="Hong Wang, Zongsheng Yue, Qi Xie, Qian Zhao, Yefeng Zheng and Deyu Meng",
        venue="CVPR",
        year=2021,
        url="https://arxiv.org/abs/2008.03580",
        bibtex="""@inproceedings{wang2021from,
  title     = {From Rain Generation to Rain Removal},
  author    = {Wang, Hong and Yue, Zongsheng and Xie, Qi and Zhao, Qian and Zheng, Yefeng and Meng, Deyu},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {14791--14801},
  year      = {2021}
}""",
    ),
    weights=tuple(
        Weights(
            tag=tag,
            trained_on=trained_on,
            source=f"https://github.com/hongwang01/VRGNet ({file})",
            sha256=sha256,
            licence="none stated",
        )
        for tag, trained_on, file, sha256 in (
            (
                "rain100h",
                "rain100h",
                "for_syn/syn100hmodels/DerainNet_state_700.pt",
                "444da542538a6667f2a3f834ba9d91e1de8e1a1e47e0ec98657270ba0dff6a9a",
            ),
            (
                "rain100l",
                "rain100l",
                "for_syn/syn100lmodels/DerainNet_state_700.pt",
                "767bf9c96a755a0eb1a6bea4713ba3555134e8e0ee8f4681d80f89f870286837",
            ),
            (
                "rain1400",
                "rain1400",
                "for_syn/syn1400models/DerainNet_state_700.pt",
                "0e6235c59e8afa1996e9dd1858a1a8995af8e36754e3d42a712ced01201ea5b8",
            ),
            (
                "spa",
                "spa-real",
                "for_spa/spamodels/DerainNet_state_800.pt",
                "d571fdafb796cc90e9f9a18e380c449d1e66f537e066e498ba63f83e6079594c",
            ),
        )
    ),
    official_names=official_names,
)
