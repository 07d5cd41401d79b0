"""PReNet's published weights: the files of the authors' repository, and what they print for them. Data alone."""

from __future__ import annotations

from typing import Any

from derainbench import PublishedScore, Weights

#: The commits of the authors' repository in which the files were seen.
_FIRST = "c5ca7c21bb5e43e78d4027ff0dfa7c4c97995d58"
_RAIN1400 = "97b2f773e685191650c8059fc37e32446221287a"
_REAL = "1419d590a3ce0835ef4c773dbb87b224e9840e1d"

#: The files in the authors' repository: tag, training set, file, options, sha256, and commit, path and bytes there. The
#: repository does not say what the ablations and the real-rain generators were trained on.
# fmt: off
FILES: tuple[tuple[str, str, str, dict[str, Any], str, tuple[str, str, int]], ...] = (
    ("rain100h", "rain100h", "Rain100H_PReNet6.pth", {},
     "127c0098787c5272f1f8583f6c5202e7ef674f750cd145a1691912a6d9e96210",
     (_FIRST, "logs/Rain100H/PReNet6/net_latest.pth", 681694)),
    ("rain100h", "rain100h", "Rain100H_PReNet6_r.pth", {"shared": True},
     "ece8127c651cf49026d998fa36857cb9d462c92cf535b640a377fc025f765b5f",
     (_FIRST, "logs/Rain100H/PReNet6_r/net_latest.pth", 382755)),
    ("rain100h", "rain100h", "Rain100H_PRN6.pth", {"recurrence": "none"},
     "f1d56a7df0851eb087652663781d3f34c4c37a4c7ddd9a3f0802abbede1a06c2",
     (_FIRST, "logs/Rain100H/PRN6/net_latest.pth", 384596)),
    ("rain100h", "rain100h", "Rain100H_PRN6_r.pth", {"recurrence": "none", "shared": True},
     "99242ce096c9c617bd529a5e189797e8955a4b8611d355974c7c1c64a18b9074",
     (_FIRST, "logs/Rain100H/PRN6_r/net_latest.pth", 86047)),
    ("rain100l", "rain100l", "Rain100L_PReNet6.pth", {},
     "cb9b743bb33cf6e5c56ba45f8ade93add46266dea9fa582e1934dc5eed942333",
     (_FIRST, "logs/Rain100L/PReNet6/net_latest.pth", 681694)),
    ("rain100l", "rain100l", "Rain100L_PReNet6_r.pth", {"shared": True},
     "31dd4419cdb0f4da623d974747113d60e2c22803598c39dcf03d789f86a7f62b",
     (_FIRST, "logs/Rain100L/PReNet6_r/net_latest.pth", 382755)),
    ("rain100l", "rain100l", "Rain100L_PRN6.pth", {"recurrence": "none"},
     "ed4be5b78f76dcec5c781e1655dee48c2a90b56993de555945d72e31848aea99",
     (_FIRST, "logs/Rain100L/PRN6/net_latest.pth", 384596)),
    ("rain100l", "rain100l", "Rain100L_PRN6_r.pth", {"recurrence": "none", "shared": True},
     "87ee3b1c027b33e7e532a4881c3b077d100cf40c65dd2843690600e3023acee0",
     (_FIRST, "logs/Rain100L/PRN6_r/net_latest.pth", 86047)),
    ("rain1400", "rain1400", "Rain1400_PReNet6.pth", {},
     "d5744dc2e35d73187a3f34936b3413884d293277073ffb78b961a78e65337879",
     (_RAIN1400, "logs/Rain1400/PReNet6/net_latest.pth", 681694)),
    ("rain1400", "rain1400", "Rain1400_PReNet6_r.pth", {"shared": True},
     "c639c19b342d6ae977b7ff8a4b2fbeb24179510a6e57b8bf5ef32d6b071fc8d5",
     (_RAIN1400, "logs/Rain1400/PReNet6_r/net_latest.pth", 382755)),
    ("rain1400", "rain1400", "Rain1400_PRN6.pth", {"recurrence": "none"},
     "c6620860a51b54afec0c1eebe412f0f1ca00128100f5b23c13758605206a0bf2",
     (_RAIN1400, "logs/Rain1400/PRN6/net_latest.pth", 384596)),
    ("rain1400", "rain1400", "Rain1400_PRN6_r.pth", {"recurrence": "none", "shared": True},
     "c0f7f18f3d33e26f50af8c693494a03c2776c627140a1d8e0514edd53e9398fb",
     (_RAIN1400, "logs/Rain1400/PRN6_r/net_latest.pth", 86047)),
    ("ablation-lstm5", "unstated", "Ablation_PReNet5_LSTM.pth", {"residual": False, "stages": 5},
     "02a0a1c184a87bf816e341a092756666f52277b5d34d9e224ba6ae904d2e991e",
     (_FIRST, "logs/Ablation/PReNet5_LSTM/net_latest.pth", 681694)),
    ("ablation-lstm6", "unstated", "Ablation_PReNet6_LSTM.pth", {"residual": False},
     "b32541dfad6aa173c537dada8597475227e920fc9c8e1bbb80061363462bc14c",
     (_FIRST, "logs/Ablation/PReNet6_LSTM/net_latest.pth", 681694)),
    ("ablation-lstm7", "unstated", "Ablation_PReNet7_LSTM.pth", {"residual": False, "stages": 7},
     "c5971708f06fefcbd467588321958160806225bccb4415e9ca56073d68b8f812",
     (_FIRST, "logs/Ablation/PReNet7_LSTM/net_latest.pth", 681694)),
    ("ablation-recssim", "unstated", "Ablation_PReNet6_RecSSIM.pth", {"residual": False},
     "04ee235b6fed1798d48fbfd8b31f853d782fa6fdcae172f533979264a96ed7a4",
     (_FIRST, "logs/Ablation/PReNet6_RecSSIM/net_latest.pth", 681694)),
    ("ablation-gru", "unstated", "Ablation_PReNet6_GRU.pth", {"recurrence": "gru", "residual": False},
     "2c0ed5ec96fe54c83a474c597741843ae4e98f1aac019470ce51235ac3bf66ff",
     (_FIRST, "logs/Ablation/PReNet6_GRU/net_latest.pth", 607325)),
    ("ablation-x", "unstated", "Ablation_PReNet6_x.pth", {"sees": "estimate", "residual": False},
     "ae76d3dce017c181f6c541c4884d606315b4a09ca1d29757ca44c8688e845bfe",
     (_FIRST, "logs/Ablation/PReNet6_x/net_latest.pth", 678238)),
    ("real1", "unstated", "PReNet1.pth", {"stages": 4, "recurrence_at": "end", "residual": False},
     "eba0c0ed941565abce9c61ceb8b36ff5e1532320c20efc11843f5f7fc810f7bb",
     (_REAL, "logs/real/PReNet1.pth", 681694)),
    ("real2", "unstated", "PReNet2.pth", {"stages": 4, "recurrence_at": "end", "residual": False},
     "cbf6068474e64bf81ea8597fe1473cda19e7d0afadb3c81beb41f8dcc3751269",
     (_REAL, "logs/real/PReNet2.pth", 681694)),
)
# fmt: on

#: What the authors print for the final models, under ``y``, by test set: their README's tables.
SCORES: dict[str, dict[str, tuple[float, float]]] = {
    "rain100h": {
        "PReNet6": (29.46, 0.899),
        "PReNet6_r": (28.98, 0.892),
        "PRN6": (28.07, 0.884),
        "PRN6_r": (27.43, 0.874),
    },
    "rain100l": {
        "PReNet6": (37.48, 0.979),
        "PReNet6_r": (37.10, 0.977),
        "PRN6": (36.99, 0.977),
        "PRN6_r": (36.11, 0.973),
    },
    "rain12": {
        "PReNet6": (36.66, 0.961),
        "PReNet6_r": (36.69, 0.962),
        "PRN6": (36.62, 0.952),
        "PRN6_r": (36.16, 0.961),
    },
    "rain1400": {
        "PReNet6": (32.60, 0.946),
        "PReNet6_r": (32.44, 0.944),
        "PRN6": (31.69, 0.941),
        "PRN6_r": (31.31, 0.937),
    },
}
#: Test sets besides a tag's own that the authors test its models on.
ALSO_TESTED_ON = {"rain100l": ("rain12",)}

_RECDERAIN = "RecDerain's README"

#: PReNet as the authors trained it for a later paper of theirs, on the larger sets that replaced Rain100H and Rain100L.
RECDERAIN = tuple(
    Weights(
        tag=tag,
        trained_on=tag,
        source=f"https://github.com/csdwren/RecDerain (logs/{folder}/PReNet/net_latest.pth)",
        sha256=sha256,
        licence="none stated",
        quantisation="truncate",  # np.uint8(255 * out)
        published=tuple(PublishedScore(dataset, "y", *scores, _RECDERAIN) for dataset, scores in printed.items()),
    )
    for tag, folder, sha256, printed in (
        (
            "rain200h",
            "RainHeavy",
            "cef889ca3daba79c6e96c7f13ecfd8cf823e105b8acf63efa8296b5020c27bed",
            {"rain200h": (29.36, 0.903)},
        ),
        (
            "rain200l",
            "RainLight",
            "a1df2965e2e99081371210c678f63d95de95c40d87f556deb491dd064cb59a27",
            {"rain200l": (37.93, 0.983), "spa-real": (35.00, 0.941)},
        ),
    )
)
