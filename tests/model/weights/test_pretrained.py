"""Downloads from a local server, and all errors on the way."""

import errno
import gc
import hashlib
import logging
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pooch
import pytest

from convrnn_model import ConvRNNError, b_net, bl_net, fetch_weights, inspect_weights
from convrnn_model.weights import pretrained
from convrnn_model.weights.pretrained import PRETRAINED, source_url

# pooch leaves closing failed connections to the garbage collector, of which Python warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]


def write_structure(model, path):
    """Write a file with the names and shapes of a network's weights but no data, which takes kilobytes."""
    with h5py.File(path, "w") as file:
        layers = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            names = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, layer.weights, strict=True):
                group.create_dataset(name, tuple(variable.shape), np.float32)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Directory of a mirror."""
    folder = tmp_path_factory.mktemp("mirror")
    write_structure(bl_net((128, 128, 3), 1000), folder / "bl_imagenet.h5")
    write_structure(bl_net((128, 128, 3), 565), folder / "bl_ecoset.h5")
    write_structure(b_net((128, 128, 3), 1000), folder / "b_imagenet.h5")
    write_structure(b_net((128, 128, 3), 1000, width=0.5), folder / "narrow.h5")
    write_structure(bl_net((128, 128, 3), 1000, 3), folder / "three_steps.h5")
    (folder / "page.h5").write_text("<html>Log in first</html>")
    return folder


@pytest.fixture
def server(published):
    """A server of these files, which lists requests in `server.requests`.

    It truncates the first `server.truncates` responses. With `server.stalls` it sends half of each file, then nothing.
    """
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests.append(self.path)
            path = published / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if server.stalls:
                data = data[: len(data) // 2]
            if server.truncates:
                server.truncates -= 1
                data = data[: len(data) // 2]
            self.wfile.write(data)
            if server.stalls:
                released.wait()

        def log_message(self, *_):
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.truncates, server.stalls = [], 0, False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module", autouse=True)
def connections():
    """Collect connections before the next module, which does not expect their warnings."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def environment(server, monkeypatch, tmp_path):
    """The server as mirror, a separate cache, and no delay between attempts."""
    for name in [name for name in os.environ if name.startswith("CONVRNN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CONVRNN_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("CONVRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


@pytest.mark.parametrize("name", PRETRAINED)
def test_files_are_downloaded_once_and_recorded(name, server, tmp_path, published):
    path = fetch_weights(name)
    assert path == tmp_path / "cache" / f"{name}.h5"
    assert path.read_bytes() == (published / f"{name}.h5").read_bytes()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (path.parent / f"{name}.h5.sha256").read_text() == f"{sha256}  {name}.h5\n"
    assert fetch_weights(name) == path
    assert server.requests == [f"/{name}.h5"]
    info = inspect_weights(path)
    assert (info.variant, info.classes) == (PRETRAINED[name].variant, PRETRAINED[name].classes)
    assert sorted(os.listdir(path.parent)) == [f"{name}.h5", f"{name}.h5.sha256"]


def test_argument_precedes_variable(tmp_path):
    assert fetch_weights("b_imagenet", cache=tmp_path / "own").parent == tmp_path / "own"


def test_truncated_responses_are_retried(server, published):
    server.truncates = 2
    path = fetch_weights("b_imagenet")
    assert path.read_bytes() == (published / "b_imagenet.h5").read_bytes()
    assert len(server.requests) == 3


def test_a_stalled_download_times_out(server, monkeypatch):
    server.stalls = True
    monkeypatch.setattr(pretrained, "TIMEOUT", 0.2)
    with pytest.raises(ConvRNNError, match="Read timed out"):
        fetch_weights("b_imagenet")


@pytest.mark.parametrize("url", ["https://a.org/b.h5", "ftp://a.org/b.h5"])
def test_every_protocol_has_a_timeout(url):
    downloader = pooch.downloaders.choose_downloader(url)
    pretrained._set_timeout(downloader)
    assert 30 in (getattr(downloader, "timeout", None), getattr(downloader, "kwargs", {}).get("timeout"))


def test_failed_downloads_leave_no_file_and_name_the_cache(server, tmp_path):
    server.truncates = 99
    with pytest.raises(ConvRNNError, match=r"save the file as .*b_imagenet\.h5 yourself"):
        fetch_weights("b_imagenet")
    assert len(server.requests) == 3
    assert os.listdir(tmp_path / "cache") == []


def test_offline(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVRNN_MIRROR", "http://127.0.0.1:9")  # the discard port, on which no server listens
    with pytest.raises(ConvRNNError) as caught:
        fetch_weights("bl_imagenet")
    message = str(caught.value)
    assert "http://127.0.0.1:9/bl_imagenet.h5" in message
    assert str(tmp_path / "cache" / "bl_imagenet.h5") in message
    assert "CONVRNN_MIRROR" in message


def test_manually_copied_files_are_used_and_recorded(server, published, tmp_path):
    (tmp_path / "cache").mkdir()
    copied = tmp_path / "cache" / "b_imagenet.h5"
    copied.write_bytes((published / "b_imagenet.h5").read_bytes())
    assert fetch_weights("b_imagenet") == copied
    assert server.requests == []
    assert copied.with_name("b_imagenet.h5.sha256").exists()


@pytest.mark.parametrize(
    ("wanted", "sent", "says"),
    [
        # The file that circulates under this name.
        (
            "bl_imagenet",
            "bl_ecoset",
            r"is not bl_imagenet: it must be bl_net with 1000 .*got bl_net with 565 classes \(ecoset\)",
        ),
        ("bl_imagenet", "b_imagenet", "got b_net with 1000 classes"),
        ("bl_imagenet", "three_steps", "got .* 3 time steps"),
        ("b_imagenet", "narrow", r"got .* filters \(48, 64"),
        ("b_imagenet", "page", "is not b_imagenet: .* is a web page"),
        ("b_imagenet", "nothing", "404"),
    ],
)
def test_content_that_differs_from_the_name(wanted, sent, says, server, monkeypatch, tmp_path):
    url = f"http://127.0.0.1:{server.server_port}/{sent}.h5"
    monkeypatch.setenv(f"CONVRNN_URL_{wanted.upper()}", url)
    with pytest.raises(ConvRNNError, match=says) as caught:
        fetch_weights(wanted)
    assert url in str(caught.value)
    assert os.listdir(tmp_path / "cache") == []


def test_wrong_copied_files_are_reported_and_kept(published, tmp_path):
    (tmp_path / "cache").mkdir()
    copied = tmp_path / "cache" / "bl_imagenet.h5"
    copied.write_bytes((published / "bl_ecoset.h5").read_bytes())
    with pytest.raises(
        ConvRNNError, match=r"bl_imagenet\.h5 is not bl_imagenet: .*got bl_net with 565 classes"
    ):
        fetch_weights("bl_imagenet")
    assert os.listdir(tmp_path / "cache") == ["bl_imagenet.h5"]


def test_file_that_changed_since_first_use(tmp_path):
    path = fetch_weights("b_imagenet")
    with h5py.File(path, "r+") as file:
        file["ReadoutDense/ReadoutDense/bias:0"][0] = 1
    with pytest.raises(
        ConvRNNError, match=r"sha256 must be [0-9a-f]{64}, as in .*b_imagenet\.h5\.sha256, got [0-9a-f]{64}"
    ):
        fetch_weights("b_imagenet")
    path.unlink()
    fetch_weights("b_imagenet")


def test_downloads_that_differ_from_the_record_are_removed(published, tmp_path):
    fetch_weights("b_imagenet").unlink()
    record = tmp_path / "cache" / "b_imagenet.h5.sha256"
    record.write_text(f"{'0' * 64}  b_imagenet.h5\n")
    with pytest.raises(ConvRNNError, match="its sha256 must be 0000"):
        fetch_weights("b_imagenet")
    assert os.listdir(tmp_path / "cache") == [record.name]


@pytest.mark.parametrize("text", ["", "garbage\n", "\x00\xff"])
def test_corrupt_records(text, tmp_path):
    path = fetch_weights("b_imagenet")
    path.with_name("b_imagenet.h5.sha256").write_bytes(text.encode("latin1"))
    with pytest.raises(ConvRNNError, match="delete the record"):
        fetch_weights("b_imagenet")


def test_progress_is_reported_and_nothing_printed(capfd, published):
    calls = []
    fetch_weights("b_imagenet", report=lambda *call: calls.append(call))
    size = (published / "b_imagenet.h5").stat().st_size
    assert calls[-1] == ("b_imagenet", size, size)
    assert all(0 <= done <= total == size for _, done, total in calls)
    assert capfd.readouterr() == ("", "")
    assert pooch.get_logger().level == logging.NOTSET


def test_source_urls(monkeypatch):
    monkeypatch.delenv("CONVRNN_MIRROR")
    urls = [source_url(entry) for entry in PRETRAINED.values()]
    assert urls == [f"https://osf.io/download/{key}/" for key in ("7jrvm", "9td5p", "bxw65")]
    monkeypatch.setenv("CONVRNN_MIRROR", "https://example.org/weights/")
    assert source_url(PRETRAINED["bl_ecoset"]) == "https://example.org/weights/bl_ecoset.h5"
    monkeypatch.setenv("CONVRNN_URL_BL_ECOSET", "https://example.org/e.h5")
    assert source_url(PRETRAINED["bl_ecoset"]) == "https://example.org/e.h5"


@pytest.mark.parametrize("url", ["gopher://example.org", "no url at all"])
def test_invalid_mirrors(url, monkeypatch):
    monkeypatch.setenv("CONVRNN_MIRROR", url)
    with pytest.raises(ConvRNNError, match="cannot download b_imagenet from"):
        fetch_weights("b_imagenet")


def test_unknown_name():
    with pytest.raises(ConvRNNError, match="choose one of bl_imagenet, bl_ecoset, b_imagenet"):
        fetch_weights("resnet50")


def test_cache_in_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvRNNError, match=r"cannot write .*A part of the path is a file"):
        fetch_weights("b_imagenet", cache=tmp_path / "file" / "cache")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free space"), (errno.EACCES, "permissions"), (errno.EMFILE, "ulimit -n")],
)
def test_cache_that_cannot_be_written(number, remedy, tmp_path, monkeypatch):
    class Failing:
        def __init__(self, **_):
            pass

        def fetch(self, *_, **__):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(pooch, "create", Failing)
    with pytest.raises(ConvRNNError, match=f"cannot write .*: {os.strerror(number)}.*{remedy}"):
        fetch_weights("b_imagenet", cache=tmp_path)
