import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_data import ConvRNNError
from convrnn_data.base.checksummed_json import seal, unseal, unseal_as
from convrnn_data.base.schema import Count, Document

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


class Box(Document):
    name: str
    count: Count


@given(st.dictionaries(st.text(), JSON, min_size=1), st.sampled_from([None, 0, 1]))
def test_sealed_content_is_read_back(tmp_path_factory, body, indent):
    path = tmp_path_factory.mktemp("sealed") / "x.json"
    path.write_bytes(seal(body, indent))
    assert unseal(path) == body


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data.replace(b"a", b"b"), lambda _: b"{}"]
)
def test_changed_files_are_damaged(change, tmp_path):
    (tmp_path / "x.json").write_bytes(change(seal({"name": "a"})))
    with pytest.raises(ConvRNNError, match="is damaged: its sha256 does not match its content"):
        unseal(tmp_path / "x.json")


def test_content_is_read_as_a_model(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(seal({"name": "a", "count": 3, "more": None}))
    assert unseal_as(path, Box) == Box(name="a", count=3)
    path.write_bytes(seal({"name": "a", "count": -1}))
    with pytest.raises(
        ConvRNNError, match=r"version's format: count must be .*, got -1\. Make the set again"
    ):
        unseal_as(path, Box)
