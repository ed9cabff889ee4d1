"""BibTeX of the papers and the software behind a report, from `references.bib`."""

from importlib import resources
from importlib.metadata import version

SPOERER, SATBENCH = "spoerer2020recurrent", "subramanian2025benchmarking"
GEIRHOS_2018, GEIRHOS_2020 = "geirhos2018generalisation", "geirhos2020beyond"
SOFTWARE = "convrnn"


def bibtex(*, recurrent: bool, human: bool) -> str:
    """Return the entries of what a report uses.

    Args:
        recurrent: Cite the networks and response times of Spoerer et al. (2020).
        human: Cite the experiments of SATBench, and error consistency.
    """
    used = {SPOERER: recurrent, SATBENCH: human, GEIRHOS_2018: True, GEIRHOS_2020: human, SOFTWARE: True}
    return "\n\n".join(text for key, text in _entries().items() if used[key]) + "\n"


def _entries() -> dict[str, str]:
    """Read the entries, by key, with the version of the software."""
    text = (
        resources.files("convrnn_experiments.report").joinpath("references.bib").read_text(encoding="utf-8")
    )
    entries = text.replace("VERSION", version("convrnn-experiments")).strip().split("\n\n")
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in entries}
