import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_data.shards.tarwalk import walk

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)),
    min_size=1,
    max_size=140,
)


@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6), st.sampled_from([0, 1, 2]))
@settings(max_examples=60, deadline=None)
def test_walking_finds_the_files_written_by_tarfile(tmp_path_factory, files, form):
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
