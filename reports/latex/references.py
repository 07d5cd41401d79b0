"""What a report cites: the papers of methods and datasets, of the metric and the tests, and of published numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..content import Content
from ..tex.bibtex import Bibliography, bibliography

#: The publications behind what is computed here, by what templates call them.
OWN: Mapping[str, str] = MappingProxyType(
    {
        "ssim": """@article{wang2004image,
  title   = {Image Quality Assessment: From Error Visibility to Structural Similarity},
  author  = {Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.},
  journal = {IEEE Transactions on Image Processing},
  volume  = {13},
  number  = {4},
  pages   = {600--612},
  year    = {2004}
}""",
        "bootstrap": """@article{hall1988symmetric,
  title   = {On Symmetric Bootstrap Confidence Intervals},
  author  = {Hall, Peter},
  journal = {Journal of the Royal Statistical Society: Series B (Methodological)},
  volume  = {50},
  number  = {1},
  pages   = {35--45},
  year    = {1988}
}""",
        "wilcoxon": """@article{wilcoxon1945individual,
  title   = {Individual Comparisons by Ranking Methods},
  author  = {Wilcoxon, Frank},
  journal = {Biometrics Bulletin},
  volume  = {1},
  number  = {6},
  pages   = {80--83},
  year    = {1945}
}""",
        "holm": """@article{holm1979simple,
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  author  = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6},
  number  = {2},
  pages   = {65--70},
  year    = {1979}
}""",
        "friedman": """@article{friedman1937use,
  title   = {The Use of Ranks to Avoid the Assumption of Normality Implicit in the Analysis of Variance},
  author  = {Friedman, Milton},
  journal = {Journal of the American Statistical Association},
  volume  = {32},
  number  = {200},
  pages   = {675--701},
  year    = {1937}
}""",
        "nemenyi": """@phdthesis{nemenyi1963distribution,
  title  = {Distribution-Free Multiple Comparisons},
  author = {Nemenyi, Peter},
  school = {Princeton University},
  year   = {1963}
}""",
        "demsar": """@article{demsar2006statistical,
  title   = {Statistical Comparisons of Classifiers over Multiple Data Sets},
  author  = {Dem{\\v{s}}ar, Janez},
  journal = {Journal of Machine Learning Research},
  volume  = {7},
  pages   = {1--30},
  year    = {2006}
}""",
    }
)
#: Those of statistics, which a report without statistics does not cite.
_OF_STATISTICS = ("bootstrap", "wilcoxon", "holm", "friedman", "nemenyi", "demsar")


def cited(content: Content) -> Bibliography:
    """Everything that a report of ``content`` cites, in the order of the report."""
    given = ["" if method.paper is None else method.paper.bibtex for method in content.results.methods]
    given += [dataset.bibtex for dataset in content.results.datasets]
    given += [OWN["ssim"]] if content.tables else []
    given += [OWN[name] for name in _OF_STATISTICS] if content.statistics else []
    given += [source.bibtex for filled in content.paper for source in filled.table.sources.values()]
    given += [source.bibtex for each in content.joint for source in each.table.sources.values()]
    return bibliography(given)


def references_bib(content: Content) -> str:
    """``references.bib``: the entries behind every citation of ``tables.tex`` and ``report.tex``."""
    return "% Written by derainbench: what tables.tex and report.tex cite.\n\n" + cited(content).text
