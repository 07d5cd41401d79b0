"""BRN's published weights: the files of two repositories of its authors, and what they print for them. Data alone."""

from __future__ import annotations

from typing import Any

from derainbench import PublishedScore, Weights

#: Four stages (ICASSP): tag, training set, folder below logs/, options, sha256. Of ``real`` nobody says what it was
#: trained on.
# fmt: off
_FOUR_STAGES: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
    ("rain100h", "rain100h", "BRN/R100H", {},
     "1101130423a75b93babed1f97e0e26cdd108e7edad0930e26dbe0fc9bb704565"),
    ("rain100h", "rain100h", "BRN-RX/R100H", {"hears": "image"},
     "452ce4789ab904ab68f95b5377b808764c9b5c5ffe98e0ad480fb53bc64f041f"),
    ("rain100h", "rain100h", "BRN-XR/R100H", {"hears": "rain"},
     "12e5671b33aa4d7770f0289559f53332b99471057d84d86089b8a0fa67ac0a56"),
    ("rain100h", "rain100h", "CRN/R100H", {"hears": "none"},
     "ee4866fd5a9548783dc8791085841ba35c070059fbd668c4b2bd347e99af7e06"),
    ("rain100l", "rain100l", "BRN/R100L", {},
     "9046833601a5095ff994f216679de06545ce240d40487473d6432c375a5ea802"),
    ("rain100l", "rain100l", "BRN-RX/R100L", {"hears": "image"},
     "df846c808c017e38362cd7fe0b00e7ee0af59465e1273bb0edb6f37227c40453"),
    ("rain100l", "rain100l", "BRN-XR/R100L", {"hears": "rain"},
     "5bd0d9c7ad1449b48270c76bda78c4a3a63a8a96a27ca7e35216c760861ce269"),
    ("rain100l", "rain100l", "CRN/R100L", {"hears": "none"},
     "a5f27a107c7d413b5d094adc49cdb6142b359d4b97cf18c0545a8134d11e7419"),
    ("real", "unstated", "real", {},
     "a5784b6a4a19704d22648072987c9e2b87b2bdf9ab51d91c1490bea7af40d016"),
)
#: Eight stages (TIP): tag, training set, folder below logs/, options, sha256. ``generalization`` is another training on
#: Rain200L, for photographs.
_EIGHT_STAGES: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
    ("rain200h", "rain200h", "RainHeavy/BRN", {"stages": 8},
     "8663ddfb16af5065016f707863af12f45a006ff0f2c88639e85ebc05ff7c75fd"),
    ("rain200l", "rain200l", "RainLight/BRN", {"stages": 8},
     "7683c2227b4b8c12cb039d2643b329a7ec4b2e6bb03ff4ef9d16a308a2527dc5"),
    ("generalization", "rain200l", "generalization_model/BRN", {"stages": 8},
     "7f9040c72c9ea128eae0cd8e862d40e576b5f5ed8e294a814b7d76b5b3fa8cba"),
    ("rain1400", "rain1400", "Rain1400/BRN", {"stages": 8},
     "11b4d2d77a75f081196f2ed77447b1b1b401bedd92543272217391f7ec56c3a2"),
)
# fmt: on

#: What the authors print, under ``y``, by folder and test set. Rain12's are of the models of Rain100L.
_SCORES: dict[str, dict[str, tuple[float, float]]] = {
    "BRN/R100H": {"rain100h": (29.58, 0.902)},
    "BRN-RX/R100H": {"rain100h": (29.16, 0.898)},
    "BRN-XR/R100H": {"rain100h": (29.50, 0.901)},
    "CRN/R100H": {"rain100h": (29.10, 0.897)},
    "BRN/R100L": {"rain100l": (37.82, 0.981), "rain12": (36.70, 0.959)},
    "BRN-RX/R100L": {"rain100l": (37.40, 0.979), "rain12": (36.54, 0.959)},
    "BRN-XR/R100L": {"rain100l": (37.65, 0.980), "rain12": (36.63, 0.959)},
    "CRN/R100L": {"rain100l": (37.52, 0.980), "rain12": (36.58, 0.959)},
    "RainHeavy/BRN": {"rain200h": (30.27, 0.917)},
    "RainLight/BRN": {"rain200l": (38.86, 0.985)},
    "generalization_model/BRN": {"spa-real": (35.34, 0.945)},
    "Rain1400/BRN": {"rain1400": (32.75, 0.948)},
}


def _published(folder: str) -> tuple[PublishedScore, ...]:
    printed = _SCORES.get(folder, {}).items()
    return tuple(PublishedScore(dataset, "y", *scores, "the authors' README") for dataset, scores in printed)


WEIGHTS = tuple(
    Weights(
        tag=tag,
        trained_on=trained_on,
        source=f"{repository} (logs/{folder}/net_latest.pth)",
        sha256=sha256,
        licence="none stated",
        options=options,
        quantisation="truncate",  # np.uint8(255 * out)
        published=_published(folder),
    )
    for repository, files in (
        ("https://github.com/shangwei5/BRN", _FOUR_STAGES),
        ("https://github.com/csdwren/RecDerain", _EIGHT_STAGES),
    )
    for tag, trained_on, folder, options, sha256 in files
)
