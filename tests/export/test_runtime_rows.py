"""Several threads: a batch in parts that run side by side gives the answer of the whole, or is never parted."""

import keras
import numpy as np
import pytest

import export
from export import runtime
from export.runtime import onnx as executors
from zoo.errors import InvalidInput

RNG = np.random.default_rng(0)
X = np.ones((16, 6, 3), "float32")


def gru():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((None, 3), name="x"), keras.layers.GRU(5, return_sequences=True, name="y")]
    return keras.Sequential(layers, name="rows")


@pytest.fixture
def parts(monkeypatch):
    """The sizes of the parts that went their own way."""
    sizes, start = [], executors._Waiting.__init__

    def counted(self, session, outputs, arrays):
        sizes.append(len(arrays["x"]))
        start(self, session, outputs, arrays)

    monkeypatch.setattr(executors._Waiting, "__init__", counted)
    return sizes


@pytest.fixture
def file(tmp_path):
    return export.to_onnx(gru(), tmp_path / "rows.onnx", check=False).path


@pytest.mark.parametrize(("rows", "threads", "sizes"), [(8, 2, [4]), (9, 2, [5]), (13, 3, [5, 4])])
def test_a_batch_in_parts_gives_the_answer_of_keras_in_order(file, parts, rows, threads, sizes):
    x = RNG.standard_normal((rows, 6, 3)).astype("float32")
    executor = runtime.load(file, threads=threads)
    for _ in range(2):
        np.testing.assert_allclose(executor.run({"x": x})["y"], gru()(x), atol=1e-5)
    assert parts == 2 * sizes


@pytest.mark.parametrize(("rows", "threads"), [(7, 2), (11, 3), (64, 1), (64, None)])
def test_small_batches_and_a_single_thread_run_whole(file, parts, rows, threads):
    x = RNG.standard_normal((rows, 6, 3)).astype("float32")
    np.testing.assert_allclose(runtime.load(file, threads=threads).run({"x": x})["y"], gru()(x), atol=1e-5)
    assert parts == []


def test_rows_that_depend_on_one_another_are_parted_once_and_never_again(tmp_path, parts):
    x = keras.Input((None, 3), name="x")
    h = keras.layers.GRU(5, return_sequences=True)(x)
    model = keras.Model(x, h - keras.ops.mean(h, axis=0, keepdims=True), name="centred")
    executor = runtime.load(export.to_onnx(model, tmp_path / "centred.onnx", check=False).path, threads=2)
    values = RNG.standard_normal((8, 6, 3)).astype("float32")
    for _ in range(3):
        (got,) = executor.run({"x": values}).values()
        np.testing.assert_allclose(got, model(values), atol=1e-5)
    assert parts == [4]


def test_what_onnx_runtime_parts_itself_runs_whole(tmp_path, parts):
    model = keras.Sequential([keras.Input((None, 3), name="x"), keras.layers.LSTM(5, name="y")], name="lstm")
    runtime.load(export.to_onnx(model, tmp_path / "lstm.onnx", check=False).path, threads=2).run({"x": X})
    assert parts == []


def test_a_quantised_file_that_computes_in_float_is_parted(tmp_path, parts):
    model = keras.Sequential([keras.Input((None, 3), name="x"), keras.layers.GRU(32, name="y")], name="stored")
    file = export.to_onnx(model, tmp_path / "stored.onnx", quantize="dynamic", check=False).path
    x = RNG.standard_normal((16, 6, 3)).astype("float32")
    whole, parted = (runtime.load(file, threads=threads).run({"x": x})["y"] for threads in (1, 2))
    np.testing.assert_allclose(parted, whole, atol=1e-6)
    assert parts == [8]


def test_a_quantised_file_measures_the_range_of_the_whole_batch(tmp_path, parts):
    layers = [keras.Input((None, 3), name="x"), keras.layers.GRU(32), keras.layers.Dense(32, name="y")]
    file = export.to_onnx(keras.Sequential(layers), tmp_path / "ranged.onnx", quantize="dynamic", check=False).path
    runtime.load(file, threads=2).run({"x": X})
    assert parts == []


def test_a_part_that_fails_is_one_line(file, monkeypatch):
    executor = runtime.load(file, threads=2)
    monkeypatch.setattr(executors._Waiting, "_finish", lambda self, *_: fail(self))

    def fail(waiting):
        waiting._error = "no memory left\nat some place"
        waiting._done.set()

    with pytest.raises(InvalidInput) as error:
        executor.run({"x": np.ones((8, 6, 3), "float32")})
    assert str(error.value) == f"{file} did not run on these inputs: no memory left"
