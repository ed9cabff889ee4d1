import hashlib
import io
import json
import tarfile

from convrnn_data import prepare

ALL = {"images": "all", "val": 0, "workers": 1}


def test_the_tars_are_plain_ustar(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", **ALL)
    path = tmp_path / "set" / "train" / "000000.tar"
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        assert {(m.type, m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
            (tarfile.REGTYPE, 0, 0, 0, "", "", 0o644)
        }
        assert not any(m.pax_headers for m in members)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as again:
            for member in members:
                again.addfile(member, tar.extractfile(member))
    assert out.getvalue() == path.read_bytes()  # identical to the output of tarfile


def test_the_index_locates_the_images(class_folders, tmp_path):
    prepare(class_folders, tmp_path / "set", **ALL)
    shard = tmp_path / "set" / "train" / "000000.tar"
    index, data = json.loads(shard.with_suffix(".json").read_text()), shard.read_bytes()
    assert index["sha256 of the tar"] == hashlib.sha256(data).hexdigest()
    columns = index["samples"]
    for key, offset, size in zip(columns["keys"], columns["offsets"], columns["sizes"], strict=True):
        original = class_folders / "train" / key.split("_")[0] / f"{key}.JPEG"
        assert data[offset : offset + size] == original.read_bytes()
