import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_data import ConvRNNError, open_set, prepare, verify
from convrnn_data.base.checksummed_json import seal, unseal


@pytest.fixture(scope="module")
def whole(class_folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "set"
    prepare(class_folders, out, images="all", val=0.2, shard_size=30, workers=1)
    return out


@pytest.fixture
def own(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "set")


def problems(path):
    """Return the problems that verify reports; for a damaged manifest, the error."""
    try:
        return verify(path).problems
    except ConvRNNError as error:
        return (str(error),)


def test_an_intact_set_has_no_problems(whole):
    found = verify(whole)
    files = [path for path in whole.rglob("*") if path.is_file()]
    assert (found.problems, found.files) == ((), len(files))
    assert found.bytes == sum(path.stat().st_size for path in files)


FILES = (
    "train/000000.tar",
    "train/000001.json",
    "val/000000.tar",
    "split.json",
    "manifest.json",
    "rejected.csv",
    "README.md",
)


def test_sets_of_earlier_versions_may_lack_a_card(whole, tmp_path):
    old = Path(shutil.copytree(whole, tmp_path / "old"))
    manifest = unseal(old / "manifest.json")
    del manifest["files"]["README.md"]
    (old / "manifest.json").write_bytes(seal(manifest, indent=1))
    (old / "README.md").write_text("# another card")
    assert problems(old) == ()
    (old / "README.md").unlink()
    assert problems(old) == ()
    assert len(open_set(old).table("train")) == len(open_set(whole).table("train"))


@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
@settings(max_examples=120, deadline=None)
def test_any_flipped_bit_is_named(whole, name, place, bit):
    path = whole / name
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[int(place * len(data))] ^= 1 << bit
    try:
        path.write_bytes(flipped)
        found = problems(whole)
    finally:
        path.write_bytes(data)
    assert len(found) == 1
    assert str(path) in found[0]


@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True))
@settings(max_examples=80, deadline=None)
def test_any_truncation_is_named(whole, name, place):
    path = whole / name
    data = path.read_bytes()
    try:
        path.write_bytes(data[: int(place * len(data))])
        found = problems(whole)
    finally:
        path.write_bytes(data)
    assert len(found) == 1
    assert str(path) in found[0]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(own, name):
    (own / name).unlink()
    found = problems(own)
    if name == "manifest.json":
        assert "is not a prepared set: it has no manifest.json" in found[0]
    else:
        assert found == (f"{own / name} is missing",)


@pytest.mark.parametrize(
    "name", ["train/000009.tar", "note.txt", "other/x.json", "train/.000000.tar.host.1.tmp"]
)
def test_a_foreign_file_is_named(own, name):
    (own / name).parent.mkdir(exist_ok=True)
    (own / name).write_text("x")
    assert problems(own) == (f"{own / name} does not belong to the set",)


def test_two_swapped_shards_are_named(own):
    first, second, aside = (own / "train" / name for name in ("000000.tar", "000001.tar", "aside"))
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert [problem.split()[0] for problem in problems(own)] == [str(first), str(second)]


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_verify_does_not_complete_a_damaged_set(class_folders, tmp_path, damage):
    out = tmp_path / "set"
    prepare(class_folders, out, images="all", task="1/1", workers=1)
    path = out / "train" / "000000.tar"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[5000] ^= 1
    else:
        del data[-1]
    path.write_bytes(data)
    found = verify(out)
    assert (len(found.problems), found.completed) == (1, False)
    assert str(path) in found.problems[0]
    assert not (out / "manifest.json").exists()
