"""The download of EEGMAT, from a server on this machine: whole, damaged, cut off, gone, gone on with."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eegemo_utils.datasets import eegmat
from eegemo_utils.trials import DatasetError


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, remembers what was asked for, and cuts off files named in `cut`."""

    asked: list[str] = []
    cut: set[str] = set()

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        self.asked.append(name)
        if name not in self.cut:
            return super().do_GET()
        content = open(self.translate_path(self.path), "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, *_args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A release of two people on 127.0.0.1: its folder, and the handler."""
    folder = tmp_path / "server" / "1.0.0"
    eegmat.write(eegmat.simulate(2, rest_seconds=2, arithmetic_seconds=1), folder)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS.txt").write_text("\n".join([*sums, ""]))
    handler = type("Fresh", (Handler,), {"asked": [], "cut": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder.parent)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(eegmat, "URL", f"http://127.0.0.1:{running.server_port}/1.0.0/")
        monkeypatch.setattr(eegmat, "SUMS_SHA256",
                            hashlib.sha256((folder / "SHA256SUMS.txt").read_bytes()).hexdigest())
        monkeypatch.setattr(eegmat, "RETRIES", 0)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder, handler
        running.shutdown()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_address_is_physionet_s():
    assert eegmat.URL == "https://physionet.org/files/eegmat/1.0.0/"
    assert len(eegmat.SUMS_SHA256) == 64


def test_one_person_is_downloaded_once(server, tmp_path):
    folder, handler = server
    root = tmp_path / "neu ß 日本"
    paths = eegmat.fetch(root, ["Subject01"])
    assert [path.name for path in paths] == ["subject-info.csv", "Subject01_1.edf", "Subject01_2.edf"]
    assert names(root) == ["SHA256SUMS.txt", "Subject01_1.edf", "Subject01_2.edf", "subject-info.csv"]
    assert (root / "Subject01_2.edf").read_bytes() == (folder / "Subject01_2.edf").read_bytes()
    assert list(eegmat.read(root).table["subject"]) == ["Subject01"] * 2
    handler.asked.clear()
    eegmat.fetch(root, ["Subject01"])
    assert handler.asked == []  # all there, all whole
    eegmat.fetch(root, ["Subject00"])
    assert handler.asked == ["Subject00_1.edf", "Subject00_2.edf"]


@pytest.mark.parametrize("break_it", ["wrong", "truncated", "cut", "gone", "wrong sums"])
def test_what_is_not_the_release_is_refused_and_leaves_nothing(server, tmp_path, break_it):
    folder, handler = server
    path = folder / ("SHA256SUMS.txt" if break_it == "wrong sums" else "Subject01_2.edf")
    whole = path.read_bytes()
    if break_it == "cut":
        handler.cut.add(path.name)
    elif break_it == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-1000] if break_it == "truncated" else whole[:-1] + b"!")
    root = tmp_path / "new"
    with pytest.raises(DatasetError, match=f"{path.name}: could not be downloaded from http://127.*Try again later"):
        eegmat.fetch(root, ["Subject01"])
    assert path.name not in names(root) and not [name for name in names(root) if "tmp" in name]
    handler.cut.clear()
    path.write_bytes(whole)
    eegmat.fetch(root, ["Subject01"])  # goes on where it stopped
    assert (root / path.name).read_bytes() == whole


def test_a_damaged_file_is_replaced(server, tmp_path):
    folder, _ = server
    eegmat.fetch(tmp_path / "new", ["Subject01"])
    (tmp_path / "new" / "Subject01_1.edf").write_bytes(b"damaged")
    eegmat.fetch(tmp_path / "new", ["Subject01"])
    assert (tmp_path / "new" / "Subject01_1.edf").read_bytes() == (folder / "Subject01_1.edf").read_bytes()


def test_nobody_is_asked_for_people_who_are_not_there(server, tmp_path):
    for subjects, message in ((["Subject36"], "no files of Subject36; there are Subject00, Subject01"), ([], "empty")):
        with pytest.raises(DatasetError, match=f"EEGMAT: .*{message}"):
            eegmat.fetch(tmp_path / "new", subjects)
    assert server[1].asked == []


def test_an_unreachable_server_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(eegmat, "URL", "http://127.0.0.1:9/")
    monkeypatch.setattr(eegmat, "RETRIES", 0)
    with pytest.raises(DatasetError, match="SHA256SUMS.txt: could not be downloaded from http://127.0.0.1:9/SHA"):
        eegmat.fetch(tmp_path / "new")
