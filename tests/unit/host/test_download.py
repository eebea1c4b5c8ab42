"""Weights from the web: whole and checked, or a reason in words; never waited for in vain. The web is a server of the test's."""

import hashlib
import http.server
import threading

import pytest

from snaploop_host.training.download import DownloadError, download


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """A proxy of the machine's knows nothing of the test's server; and fetching is what is tested here."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("SNAPLOOP_OFFLINE")


@pytest.fixture
def site():
    """A web server: `site.files` by name; a name that begins with "slow" is never answered."""
    done = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rpartition("/")[-1].split("&")[0]
            if name.startswith("slow"):
                done.wait(180)
                return
            content = server.files.get(name)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            """Not in a test's output."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = {}
    server.address = f"http://127.0.0.1:{server.server_port}/models?id=v1/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    done.set()
    server.shutdown()
    server.server_close()


def test_weights_arrive_whole_or_not_at_all(site, tmp_path):
    content = b"weights" * 20000
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pt"
    site.files = {name: content, "net-00000000.pt": content}
    folder = tmp_path / "weights"
    assert download(f"{site.address}{name}&src=0", folder) == folder / name
    assert (folder / name).read_bytes() == content
    for wrong, words in (
        ("net-00000000.pt", r"what 127\.0\.0\.1:\d+ sent is not net-00000000\.pt: its SHA-256 begins with"),
        ("none-12345678.pt", r"answers 404 for none-12345678\.pt"),
        ("slow-12345678.pt", "does not answer"),
    ):
        with pytest.raises(DownloadError, match=words) as refused:
            download(f"{site.address}{wrong}&src=0", folder, stalled_s=0.5 if wrong.startswith("slow") else 15)
        assert refused.value.file == wrong
    assert [file.name for file in folder.iterdir()] == [name]


def test_a_file_whose_name_says_nothing_is_checked_by_the_given_sha256(site, tmp_path):
    site.files = {"yolo.pt": b"weights"}
    digest = hashlib.sha256(b"weights").hexdigest()
    assert download(f"{site.address}yolo.pt", tmp_path, digest).read_bytes() == b"weights"
    with pytest.raises(DownloadError, match=r"is not yolo\.pt: its SHA-256 begins with"):
        download(f"{site.address}yolo.pt", tmp_path / "other", "0" * 64)
    with pytest.raises(DownloadError, match=r"is not yolo\.pt"):  # nobody says what it should be
        download(f"{site.address}yolo.pt", tmp_path / "other")
    assert not list((tmp_path / "other").iterdir())


def test_nothing_is_fetched_offline(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPLOOP_OFFLINE", "1")
    site.files = {"yolo.pt": b"weights"}
    with pytest.raises(DownloadError, match="SNAPLOOP_OFFLINE is set"):
        download(f"{site.address}yolo.pt", tmp_path, hashlib.sha256(b"weights").hexdigest())


def test_no_network_and_no_folder_are_said(tmp_path):
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9 cannot be reached \("):
        download("http://127.0.0.1:9/net-12345678.pt", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="could not be fetched"):
        download("http://127.0.0.1:9/net-12345678.pt", tmp_path / "file")
