"""Writer of answer files."""

import pytest


@pytest.fixture
def write_answers(tmp_path):
    def to_file(*lines, name="jatos_results_1.txt"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return to_file
