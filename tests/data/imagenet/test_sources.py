import io
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_data import ConvRNNError
from convrnn_data.imagenet.sources import find_source, list_images
from convrnn_data.shards.tarwalk import walk

WANTED = {"n02690373", "n02085782"}


@pytest.mark.parametrize(
    ("form", "kind"),
    [("class_folders", "class folders"), ("class_tars", "class tars"), ("tar_of_tars", "tar of tars")],
)
def test_every_form_is_found_by_looking(form, kind, request):
    source = find_source(request.getfixturevalue(form))
    listing = list_images(source, WANTED)
    assert source.kind == kind
    assert [one.container.synset for one in listing.classes] == sorted(WANTED)
    assert [one.names.tolist()[0] for one in listing.classes] == [b"n02085782_1.JPEG", b"n02690373_1.JPEG"]
    assert listing.images == 126
    assert "21 synsets, 126 images (a part of ImageNet's 1,000 and 1,281,167)" in listing.summary


def test_the_official_tar_is_found_in_its_folder(tar_of_tars):
    assert find_source(tar_of_tars.parent).kind == "tar of tars"


def test_class_folders_need_no_train_above_them(class_folders):
    assert find_source(class_folders / "train").kind == "class folders"


def test_images_lie_where_the_listing_says(tar_of_tars, class_folders):
    listing = list_images(find_source(tar_of_tars), WANTED)
    with open(tar_of_tars, "rb") as file:
        for one in listing.classes:
            for name, offset, size in zip(one.names.tolist(), one.offsets, one.sizes, strict=True):
                file.seek(offset)
                original = class_folders / "train" / one.container.synset / name.decode()
                assert file.read(size) == original.read_bytes()


def test_half_an_extraction_is_refused(class_tars, tmp_path):
    (tmp_path / "n02690373").mkdir()
    (tmp_path / "n02085782.tar").write_bytes((class_tars / "n02085782.tar").read_bytes())
    with pytest.raises(ConvRNNError, match="1 class folders and 1 class tars"):
        find_source(tmp_path)


def test_a_pipe_among_images_is_not_opened(own_folders):
    """Opening one waits until somebody writes into it."""
    os.mkfifo(own_folders / "train" / "n02690373" / "n02690373_1.png")
    with pytest.raises(ConvRNNError, match=r"n02690373_1\.png is named like an image but is not a regular file"):
        list_images(find_source(own_folders), WANTED)


def test_a_file_that_is_no_image_is_foreign(own_folders):
    (own_folders / "train" / "n02690373" / "notes.txt").write_text("x")
    listing = list_images(find_source(own_folders), WANTED)
    assert [one.foreign for one in listing.classes if one.foreign] == [
        (("notes.txt", "not the name of an image (.JPEG, .jpg, .png, .webp)"),)
    ]


def test_a_tar_that_is_cut_anywhere_is_an_error(class_tars, tmp_path):
    whole = (class_tars / "n02690373.tar").read_bytes()
    end = whole.rstrip(b"\0")  # The last image's last byte; after it padding and the end mark.
    for length in (1, 511, 512, 700, 4096, len(end) // 2, len(end) - 1, (len(end) + 511) // 512 * 512):
        (tmp_path / "n02690373.tar").write_bytes(whole[:length])
        with pytest.raises(ConvRNNError, match=r"cut|no tar|damaged"):
            list_images(find_source(tmp_path), WANTED)


def test_a_flipped_header_is_an_error(class_tars, tmp_path):
    data = bytearray((class_tars / "n02690373.tar").read_bytes())
    data[130] ^= 1
    (tmp_path / "n02690373.tar").write_bytes(data)
    with pytest.raises(ConvRNNError, match="is damaged: no tar header at the beginning|is not a tar"):
        list_images(find_source(tmp_path), WANTED)


def test_one_class_tar_alone_is_refused(class_tars):
    with pytest.raises(ConvRNNError, match=r"must hold <wnid>\.tar files .* got 'n02690373_8\.JPEG'"):
        find_source(class_tars / "n02690373.tar")


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)),
    min_size=1,
    max_size=140,
)


@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6), st.sampled_from([0, 1, 2]))
@settings(max_examples=60, deadline=None)
def test_walking_finds_what_tarfile_wrote(tmp_path_factory, files, form):
    path = tmp_path_factory.mktemp("walk") / "a.tar"
    form = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)[form]
    if form == tarfile.USTAR_FORMAT:
        files = {name: data for name, data in files.items() if len(name.encode()) <= 100}
    with tarfile.open(path, "w", format=form) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1.5
            tar.addfile(entry, io.BytesIO(data))
    data = path.read_bytes()
    with open(path, "rb") as file:
        found = {
            entry.name: data[entry.offset : entry.offset + entry.size] for entry in walk(file.fileno(), path)
        }
    assert found == files
