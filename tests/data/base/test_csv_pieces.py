"""CSV tables in pieces."""

import io

import pandas as pd
import pytest

from convrnn_data.base.csv_pieces import append_csv


def test_words_for_truth_and_missing_values():
    table = pd.DataFrame(
        {
            "text": ["a,b", None, "é"],
            "truth": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "number": [0.1, float("nan"), 1e-7],
        }
    )
    file = io.StringIO(newline="")
    append_csv(table.iloc[:2], file, header=True)
    append_csv(table.iloc[2:], file, header=False)
    assert file.getvalue() == (
        'text,truth,maybe,count,number\n"a,b",TRUE,TRUE,1,0.1\nNA,FALSE,NA,NA,NA\né,TRUE,FALSE,3,1e-07\n'
    )
    file.seek(0)
    back = pd.read_csv(file).astype(table.dtypes)
    pd.testing.assert_frame_equal(back, table, check_exact=True)


@pytest.mark.parametrize("truth", [[True, True], [False, False]])
def test_a_column_of_one_value(truth):
    file = io.StringIO(newline="")
    append_csv(pd.DataFrame({"a": truth}), file, header=False)
    assert file.getvalue() == f"{str(truth[0]).upper()}\n" * 2
