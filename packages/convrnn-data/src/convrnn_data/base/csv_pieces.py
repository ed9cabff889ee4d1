"""CSV tables written in pieces, with words for truth and for missing values that R and pandas recognise."""

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import pandas as pd


def append_csv(piece: "pd.DataFrame", file: TextIO, *, header: bool) -> None:
    r"""Append rows to a CSV: TRUE and FALSE in columns of truth values, NA for missing values, \n line endings.

    Args:
        piece: Rows.
        file: Text file, opened with newline="".
        header: Whether to write the names of the columns first.
    """
    truth = piece.select_dtypes(["bool", "boolean"]).columns
    words = {str(name): piece[name].map({True: "TRUE", False: "FALSE"}) for name in truth}
    piece.assign(**words).to_csv(file, index=False, header=header, na_rep="NA", lineterminator="\n")
