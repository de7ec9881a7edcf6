import hashlib

import numpy as np
import pytest

from tests.real_data import needs_data
from zoo import datasets
from zoo.datasets import adding, base, har
from zoo.errors import DataMissing, UnknownName, UntrustedFile


@needs_data
def test_har_has_the_official_subjects_in_the_official_parts():
    splits = datasets.get("har").load()
    assert (len(splits.train) + len(splits.validation), len(splits.test)) == (7352, 2947)
    groups = [set(split.groups.tolist()) for split in (splits.train, splits.validation, splits.test)]
    assert groups[1] == set(har.VALIDATION_SUBJECTS)
    assert groups[2] == {2, 4, 9, 10, 12, 13, 18, 20, 24}
    assert not groups[0] & groups[1] and not groups[0] & groups[2]
    assert np.bincount(splits.test.y).tolist() == [496, 471, 420, 491, 532, 537]
    assert splits.test.x.dtype == np.float32 and splits.test.x.shape[1:] == (128, len(har.CHANNELS))


@needs_data
def test_gravity_is_about_one_g_when_someone_lies_down():
    splits = datasets.get("har").load()
    lying = splits.train.x[splits.train.y == har.LABELS.index("laying")]
    np.testing.assert_allclose(np.linalg.norm(lying[..., 6:], axis=-1).mean(), 1.0, atol=0.02)


def test_the_adding_problem_marks_one_step_of_each_half():
    split = adding.generate(np.random.default_rng(1), 500)
    marks = split.x[..., 1]
    assert (marks[:, :50].sum(1) == 1).all() and (marks[:, 50:].sum(1) == 1).all()
    assert abs(np.mean((split.y - 1) ** 2) - 1 / 6) < 0.02  # the error of always answering 1


def test_the_adding_problem_is_the_same_every_time():
    np.testing.assert_array_equal(adding.load().test.x, adding.load().test.x)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(UnknownName) as error:
        datasets.get("hat")
    names = ", ".join(datasets.names())
    assert str(error.value) == f"Unknown data set 'hat'. Did you mean 'har'? The data sets are {names}."


def test_an_incomplete_mirror_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    with pytest.raises(DataMissing) as error:
        har.load()
    path = tmp_path / "har" / "uci_har_inertial.npz"
    assert str(error.value) == (
        f"$ZOO_DATA is {str(tmp_path)!r}, but {path} does not exist. Complete the mirror, or unset ZOO_DATA."
    )


def test_an_altered_mirror_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    path = tmp_path / "har" / "uci_har_inertial.npz"
    path.parent.mkdir()
    path.write_bytes(b"not the data")
    with pytest.raises(UntrustedFile) as error:
        har.load()
    digest = hashlib.sha256(b"not the data").hexdigest()
    assert str(error.value) == f"{path} has sha256 {digest}, expected {har.MIRROR[2]}: delete it and fetch it again."


def test_a_download_that_is_not_the_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("ZOO_DATA", raising=False)
    published = tmp_path / "published.zip"
    published.write_bytes(b"something else")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = _serve(tmp_path)
    try:
        file = base.RemoteFile(f"http://127.0.0.1:{server.server_port}/published.zip", "0" * 64)
        with pytest.raises(UntrustedFile, match=r"^http://127\.0\.0\.1:\d+/published\.zip is not the file"):
            base.download(file)
        good = hashlib.sha256(published.read_bytes()).hexdigest()
        found = base.download(base.RemoteFile(file.url, good))
        assert found.read_bytes() == b"something else"
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataMissing, match=r"^Cannot download http://127\.0\.0\.1:9/file\.zip \(.*\)\. Set ZOO_DATA to"):
        base.download(base.RemoteFile("http://127.0.0.1:9/file.zip", "0" * 64))


def _serve(folder):
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
