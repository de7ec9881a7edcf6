"""Our ONNX files elsewhere: the reference evaluator and OpenVINO agree, the checker passes, exports repeat."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import export
from export import runtime
from tests.tiers import thorough
from zoo.benchmarks.architectures import build, example

ROOT = Path(__file__).parents[2]
UNITS = 4
NAMES = (
    *("sentiment_bilstm", "translator_lstm", "translator_bigru", "ocr_crnn", "speech_deep", "autoencoder_lstm"),
    *("classifier_gru_attention", "forecaster_two_inputs", "mixed_cells", "video_conv_lstm"),
)


@pytest.fixture(scope="module", params=NAMES)
def file(request, tmp_path_factory):
    """A path, unpadded and padded input, and what ONNX Runtime makes of both; unchecked, as the file itself is judged
    by `test_architectures`."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    model = build(request.param, UNITS)
    export.to_onnx(model, path, check=False)
    executor = runtime.load(path)
    inputs = [example(model, 2, 6, padded) for padded in (False, True)]
    return path, inputs, [executor.run(arrays) for arrays in inputs]


def test_the_checker_finds_nothing(file):
    onnx.checker.check_model(file[0], full_check=True)


def test_the_reference_evaluator_agrees(file):
    path, inputs, answers = file
    evaluator = ReferenceEvaluator(str(path))
    for arrays, want in list(zip(inputs, answers, strict=True))[: 1 if lengths(path) else 2]:
        for got, name in zip(evaluator.run(None, arrays), evaluator.output_names, strict=True):
            np.testing.assert_allclose(got, want[name], rtol=0, atol=1e-5)


def lengths(path):
    """Whether a node has `sequence_lens`, which the reference evaluator takes and does not read."""
    return any(node.op_type in ("LSTM", "GRU", "RNN") and node.input[4:5] > [""] for node in onnx.load(path).graph.node)


def in_openvino(path, arrays, static):
    """{output name: array}; `static` gives every input the shape of its array before compilation."""
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install openvino")
    model = openvino.Core().read_model(str(path))
    if static:
        model.reshape({name: array.shape for name, array in arrays.items()})
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {next(iter(output.names)): value for output, value in compiled(arrays).items()}


def test_openvino_agrees(file):
    path, inputs, answers = file
    for arrays, want, padded in zip(inputs, answers, (False, True), strict=True):
        got = in_openvino(path, arrays, static=padded and lengths(path))
        for name, value in want.items():
            np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-5)


def test_openvino_still_forgets_sequence_lens_where_sizes_are_free(tmp_path):
    """The reason why padded input is compared at fixed sizes only: once this fails, compare it at free sizes, too."""
    model = build("sentiment_bilstm", UNITS)
    export.to_onnx(model, tmp_path / "model.onnx", check=False)
    arrays = example(model, 2, 6, padded=True)
    want = runtime.load(tmp_path / "model.onnx").run(arrays)
    got = in_openvino(tmp_path / "model.onnx", arrays, static=False)
    assert max(np.abs(got[name] - value).max() for name, value in want.items()) > 1e-4


SCRIPT = """
import sys, export
for name in sys.argv[2:]:
    export.to_onnx(f"{sys.argv[1]}/{name}.keras", f"{sys.argv[1]}/{name}.onnx", check=False)
"""


@thorough
def test_another_process_writes_the_same_bytes(tmp_path):
    models = {name: build(name, UNITS) for name in ("sentiment_bilstm", "video_conv_lstm")}
    frames = keras.Input((None, 3), name="frames")
    looped = keras.layers.GRU(3, activation="silu", return_sequences=True)(keras.layers.Masking()(frames))
    models["loop"] = keras.Model(frames, keras.layers.Dense(2)(looped))
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), *models], env=environment, check=True, cwd=tmp_path)
    for name in models:
        here = export.to_onnx(tmp_path / f"{name}.keras", tmp_path / "here" / f"{name}.onnx", check=False).path
        assert here.read_bytes() == (tmp_path / f"{name}.onnx").read_bytes()
