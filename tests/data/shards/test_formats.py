import pytest
from pydantic import ValidationError

from convrnn_data import CATEGORIES
from convrnn_data.shards.formats import Manifest, PlanFile, SetIdentity, ShardIndex, differences, origins

PLAN = {
    "format": 1,
    "kind": "imagenet",
    "plan": "a",
    "settings": {"seed": 0},
    "shards": {"train/000000": 2},
    "rejected": [],
}
MANIFEST = {
    **PLAN,
    "counts": {"train": {**dict.fromkeys(CATEGORIES, 0), "car": 2}},
    "rejected": 0,
    "files": {"train/000000.tar": {"bytes": 3, "sha256": "0"}, "README.md": {"bytes": 1, "sha256": "0"}},
}
SAMPLES = {
    "keys": ["a", "b"],
    "offsets": [0, 10],
    "sizes": [5, 5],
    "labels": [0, 15],
    "widths": [1, 2],
    "heights": [1, 2],
}
INDEX = {
    "plan": "a",
    "count": 2,
    "bytes": 15,
    "sha256 of the tar": "0",
    "samples": SAMPLES,
    "rejected": [["x", "bad"]],
}


@pytest.mark.parametrize(("model", "body"), [(PlanFile, PLAN), (Manifest, MANIFEST), (ShardIndex, INDEX)])
def test_documents_survive_a_round_trip(model, body):
    written = model.model_validate(body).model_dump(exclude_unset=True, by_alias=True)
    assert written == body
    if model is ShardIndex:
        assert list(written) == list(body)


def test_entries_of_later_versions_are_ignored():
    assert Manifest.model_validate({**MANIFEST, "later": 1}) == Manifest.model_validate(MANIFEST)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"counts": {"train": {"car": 1}}},
        {"counts": {"../x": MANIFEST["counts"]["train"]}},
        {"shards": {"../x/000000": 1}},
        {"files": {"../../etc/passwd": {"bytes": 1, "sha256": "0"}}},
        {"near_duplicates": {"left_out": 1}},
        {"origins": {"train": {"somewhere": 1}}},
    ],
)
def test_invalid_manifests_are_refused(change):
    with pytest.raises(ValidationError):
        Manifest.model_validate({**MANIFEST, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"keys": ["a", "a.b"]},
        {"keys": ["a"]},
        {"labels": [0, 16]},
        {"labels": [0, True]},
        {"sizes": [5, 6]},
        {"offsets": [0, 2**63]},
        {"widths": [1, 2**31]},
    ],
)
def test_invalid_columns_are_refused(change):
    with pytest.raises(ValidationError):
        ShardIndex.model_validate({**INDEX, "samples": {**SAMPLES, **change}})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ""),
        ({"kind": "human"}, "kind must be imagenet, got human"),
        ({"plan": "b", "settings": {"seed": 1}}, "seed must be 0, got 1"),
        ({"plan": "b", "shards": {"train/000000": 3}}, "it must have 2 images, got 3"),
        ({"plan": "b"}, "the images have changed"),
    ],
)
def test_differences_between_plans_are_named(change, expected):
    old = SetIdentity.model_validate(PLAN)
    assert differences(old, PlanFile.model_validate({**PLAN, **change})) == expected


def test_origins_are_counted_by_key():
    keys = ["n02690373_1", "ILSVRC2012_val_00000001", "n02690373_2"]
    assert origins(keys) == {"training": 2, "validation": 1}
