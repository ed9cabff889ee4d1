import io
import tarfile

import pytest
from imagenet_files import tar

from convrnn_data import ConvRNNError, prepare
from convrnn_data.imagenet.sources import find_source, list_images

WANTED = {"n02690373", "n02085782"}


def test_a_tar_truncated_anywhere_is_an_error(class_tars, tmp_path):
    whole = (class_tars / "n02690373.tar").read_bytes()
    end = whole.rstrip(b"\0")  # The last byte of the last image, before padding and end marker.
    for length in (1, 511, 512, 700, 4096, len(end) // 2, len(end) - 1, (len(end) + 511) // 512 * 512):
        (tmp_path / "n02690373.tar").write_bytes(whole[:length])
        with pytest.raises(ConvRNNError, match=r"is truncated|is not a tar|is damaged"):
            list_images(find_source(tmp_path), WANTED)


def test_a_flipped_header_is_an_error(class_tars, tmp_path):
    data = bytearray((class_tars / "n02690373.tar").read_bytes())
    data[130] ^= 1
    (tmp_path / "n02690373.tar").write_bytes(data)
    with pytest.raises(ConvRNNError, match=r"is damaged: no tar header at the beginning|is not a tar"):
        list_images(find_source(tmp_path), WANTED)


def test_one_class_tar_alone_is_refused(class_tars):
    with pytest.raises(ConvRNNError, match=r"must hold <wnid>\.tar files .* got 'n02690373_8\.JPEG'"):
        find_source(class_tars / "n02690373.tar")


ALL = {"images": "all", "val": 0.3, "workers": 1}


def test_a_webdataset_shard_is_identified(tmp_path):
    (tmp_path / "shard.tar").write_bytes(tar([("n02690373_1.jpg", b"x"), ("n02690373_1.cls", b"0")]))
    with pytest.raises(ConvRNNError, match="looks like a webdataset shard: give the ImageNet"):
        find_source(tmp_path / "shard.tar")


def test_two_folders_of_classes_in_a_tar_are_refused(class_folders, tmp_path):
    files = [(f"{above}/n02690373/n02690373_1.JPEG", b"x") for above in ("a", "b")]
    (tmp_path / "x.tar").write_bytes(tar(files))
    with pytest.raises(ConvRNNError, match=r"holds 2 folders of classes .'a', 'b'.: exactly one of them"):
        prepare(tmp_path / "x.tar", tmp_path / "set", **ALL)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("name", ["n02690373_2.JPEG", "n" * 120 + ".JPEG"])
@pytest.mark.parametrize("whole", [True, False])
def test_images_that_are_links_in_a_tar_are_an_error(kind, name, whole, tmp_path, make_jpeg):
    """A tar of links contains the data once or not at all, so images would be lost silently."""
    path = tmp_path / ("imagenet.tar" if whole else "n02690373.tar")
    above = "train/n02690373/" if whole else ""
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(f"{above}n02690373_1.JPEG")
        entry.size = len(make_jpeg(1))
        archive.addfile(entry, io.BytesIO(make_jpeg(1)))
        for linked in (f"{above}._x.JPEG", f"{above}notes", f"{above}{name}"):
            link = tarfile.TarInfo(linked)
            link.type, link.linkname = kind, f"{above}n02690373_1.JPEG"
            archive.addfile(link)
    with pytest.raises(ConvRNNError, match=rf"holds 1 image\(s\) as links: .*{name}.*--dereference"):
        prepare(path if whole else tmp_path, tmp_path / "set", **ALL)
