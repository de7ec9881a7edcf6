"""The data sets of the forecasters, the autoencoder and the pixel readers."""

import gzip
import hashlib
import zipfile

import numpy as np
import pytest

from tests.real_data import needs_data
from zoo import datasets
from zoo.datasets import ecg5000, ett, mnist, pm25, tables
from zoo.datasets.tables import Table
from zoo.errors import UntrustedFile
from zoo.features import air


def ett_rows(months):
    """Ten rows a month of 30 days, each holding its own number in every column."""
    return np.repeat(np.arange(10.0 * months)[:, None] * 10, 7, 1)


def test_windows_of_ett_hold_rows_that_follow_each_other():
    splits = ett.windows(ett_rows(20), "etth1", 12, 10)
    for part, first, last in ((splits.train, 0, 120), (splits.validation, 24, 160), (splits.test, 64, 200)):
        assert part.x.shape[1:] == (96, 7) and part.y.shape[1:] == (12, 7)
        assert len(part.x) == len(part.y) == last - first - 96 - 12 + 1
        raw = part.y * ett.DEVIATION["etth1"] + ett.MEAN["etth1"]
        for window, target, start in zip(part.x, raw, range(first, last), strict=False):
            np.testing.assert_allclose(window[:, 0], 10 * np.arange(start, start + 96))
            np.testing.assert_allclose(target[:, 3], 10 * np.arange(start + 96, start + 108), rtol=1e-5)


def test_targets_of_ett_never_leave_their_part():
    splits = ett.windows(ett_rows(20), "etth1", 12, 10)
    raw = [part.y[:, :, 0] * ett.DEVIATION["etth1"][0] + ett.MEAN["etth1"][0] for part in vars(splits).values()]
    assert [round(float(values.max())) for values in raw] == [1190, 1590, 1990]
    assert [round(float(values.min())) for values in raw] == [960, 1200, 1600]


@needs_data
@pytest.mark.parametrize("table", ["etth1", "ettm1"])
def test_ett_has_the_usual_parts_and_the_scale_of_its_training_rows(table):
    splits = datasets.get(f"{table}_96").load()
    day = ett.ROWS_A_DAY[table]
    assert len(splits.train) == 360 * day - 96 - 96 + 1
    assert len(splits.validation) == len(splits.test) == 120 * day - 96 + 1
    rows = np.concatenate([splits.train.x[:: ett.LOOK_BACK].reshape(-1, 7), splits.train.x[-1]]).astype("float64")
    assert rows.mean(0) == pytest.approx(ett.MEAN[table], rel=0.01)
    header, *cells = tables.read(ett.TABLES[table])
    assert tuple(header[1:]) == ett.COLUMNS
    values = np.array([row[1:] for row in cells[: 360 * day]], "float64")
    np.testing.assert_allclose(values.mean(0), ett.MEAN[table], atol=1e-6)
    np.testing.assert_allclose(values.std(0), ett.DEVIATION[table], atol=1e-6)


@needs_data
def test_the_longest_horizon_of_ett_takes_no_copy():
    y = datasets.get("etth1_720").load().train.y
    assert y.shape == (7825, 720, 7) and not y.flags.owndata


def test_windows_of_pm25_follow_the_years():
    features = np.arange(60 * 15, dtype="float32").reshape(60, 15)
    hours = np.repeat(features, 10, 0)  # 600 hours, 200 a part
    splits = pm25.windows(hours, np.repeat([2012, 2013, 2014], 200))
    assert [len(part) for part in vars(splits).values()] == [200 - 96 - 24 + 1, 200 - 24 + 1, 200 - 24 + 1]
    np.testing.assert_array_equal(splits.validation.x[0], hours[104:200])
    np.testing.assert_array_equal(splits.validation.y[0], hours[200:224, 0])
    np.testing.assert_array_equal(splits.test.y[-1], hours[576:600, 0])


@needs_data
def test_pm25_tests_on_2014_and_marks_what_was_not_measured():
    splits = datasets.get("pm25").load()
    assert [len(part) for part in vars(splits).values()] == [26_185, 8_737, 8_737]
    test = np.concatenate([splits.test.y[::24].ravel(), splits.test.y[-1]])
    assert (test == air.MISSING).any() and test[test != air.MISSING].min() >= 0
    assert splits.train.x.shape[1:] == (pm25.LOOK_BACK, len(air.FEATURES))


def beats():
    rng = np.random.default_rng(0)
    classes = np.repeat([1, 2, 4], [50, 30, 10])
    x = rng.normal(size=(90, 140, 1)).astype("float32")
    return datasets.Split(x, (classes != 1).astype("int32"), classes.astype("int32"))


def test_an_autoencoder_trains_on_normal_beats_alone_and_sees_no_beat_twice():
    pool = beats()
    splits = ecg5000.split(pool)
    assert np.bincount(splits.train.y).tolist() == [30]
    assert np.bincount(splits.validation.y).tolist() == np.bincount(splits.test.y).tolist() == [10, 20]
    found = np.concatenate([part.x for part in vars(splits).values()])
    assert len(np.unique(found, axis=0)) == len(pool)
    np.testing.assert_array_equal(splits.test.x, ecg5000.split(pool).test.x)


@needs_data
def test_ecg5000_has_the_published_number_of_beats_a_class():
    splits = datasets.get("ecg5000").load()
    classes = np.concatenate([part.groups for part in vars(splits).values()])
    assert np.bincount(classes).tolist() == [0, 2919, 1767, 96, 194, 24]
    assert (splits.train.groups == 1).all()
    np.testing.assert_allclose(splits.test.x.mean(1), 0, atol=1e-3)


def test_the_archive_of_ecg5000_reads_like_the_mirror(tmp_path):
    table = np.array([[1, 0.5, -0.25], [4, 1.5, 2.0]], "float32")
    mirror, archive = tmp_path / "ECG5000_TRAIN.tsv.gz", tmp_path / "ECG5000.zip"
    mirror.write_bytes(gzip.compress(b"1\t0.5\t-0.25\n4\t1.5\t2.0\n"))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("ECG5000_TRAIN.ts", "#about\n@classLabel true 1 4\n@data\n0.5,-0.25:1\n1.5,2.0:4\n")
    np.testing.assert_array_equal(ecg5000._from_mirror(mirror), table)
    np.testing.assert_array_equal(ecg5000._from_upstream(archive, "TRAIN"), table)


def test_other_beats_are_refused(tmp_path, monkeypatch):
    mirror = tmp_path / "ECG5000_TRAIN.tsv.gz"
    mirror.write_bytes(gzip.compress(b"1\t0.5\n4\t1.5\n"))
    monkeypatch.setattr(ecg5000, "mirrored", lambda *_: mirror)
    digest = hashlib.sha256(np.array([[1, 0.5], [4, 1.5]], "float32").tobytes()).hexdigest()
    with pytest.raises(UntrustedFile) as error:
        ecg5000._beats("TRAIN")
    assert str(error.value) == (
        f"The beats of ECG5000_TRAIN have sha256 {digest}, expected {ecg5000.CONTENT['TRAIN']}: fetch again."
    )


@needs_data
def test_mnist_holds_out_the_last_training_images():
    splits = datasets.get("smnist").load()
    assert [len(part) for part in vars(splits).values()] == [55_000, 5_000, 10_000]
    pixels = np.concatenate([splits.train.x, splits.validation.x]) / 255
    assert pixels.mean() == pytest.approx(0.1307, abs=1e-4) and splits.test.x.max() == 255
    assert np.bincount(splits.test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert splits.validation.y[-3:].tolist() == [5, 6, 8]  # the last training labels


def test_an_idx_file_is_read_after_its_header(tmp_path, monkeypatch):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(bytes(8) + bytes([7, 2, 255])))
    monkeypatch.setitem(mnist.SHA256, "labels.gz", "")
    monkeypatch.setattr(mnist, "mirrored", lambda *_: path)
    assert mnist._bytes("labels.gz", 8).tolist() == [7, 2, 255]


ROWS = "a,b\n1,2\n3,4"
DIGEST = hashlib.sha256(ROWS.encode()).hexdigest()


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4", "a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n"])
def test_a_table_is_the_same_however_its_lines_end(tmp_path, monkeypatch, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    monkeypatch.setattr(tables, "mirrored", lambda *_: None)
    monkeypatch.setattr(tables, "download", lambda file: path)
    table = Table(("", "", ""), "https://example.org/table.csv", DIGEST)
    assert tables.read(table) == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_a_table_is_found_in_an_archive(tmp_path, monkeypatch):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("inner.csv", ROWS)
    monkeypatch.setattr(tables, "mirrored", lambda *_: None)
    monkeypatch.setattr(tables, "download", lambda file: path)
    assert tables.read(Table(("", "", ""), "https://example.org/archive.zip", DIGEST, "inner.csv"))[1] == ["1", "2"]
    with pytest.raises(UntrustedFile) as error:
        tables.read(Table(("", "", ""), "https://example.org/archive.zip", DIGEST, "other.csv"))
    assert str(error.value) == (
        f"{path} is not the archive that holds 'other.csv' "
        "(\"There is no item named 'other.csv' in the archive\"): fetch it again."
    )


def test_a_table_of_other_rows_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,3\n"))
    monkeypatch.setattr(tables, "mirrored", lambda *_: path)
    digest = hashlib.sha256(b"a,b\n1,3").hexdigest()
    with pytest.raises(UntrustedFile) as error:
        tables.read(Table(("", "", ""), "https://example.org/table.csv", DIGEST))
    assert str(error.value) == f"{path} holds rows with sha256 {digest}, expected {DIGEST}: fetch it again."
