"""Our ONNX files elsewhere: the reference evaluator and OpenVINO agree, the checker passes, two exports are one file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import export
from export import runtime
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
    for arrays, want in zip(inputs, answers, strict=True):
        for got, name in zip(evaluator.run(None, arrays), evaluator.output_names, strict=True):
            np.testing.assert_allclose(got, want[name], rtol=0, atol=1e-5)


def test_openvino_agrees(file):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install openvino")
    path, inputs, answers = file
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for arrays, want in zip(inputs, answers, strict=True):
        got = {next(iter(output.names)): value for output, value in model(arrays).items()}
        for name, value in want.items():
            np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-5)


SCRIPT = """
import sys, export
from zoo.benchmarks.architectures import build
for name in sys.argv[2:]:
    export.to_onnx(build(name, 4), f"{sys.argv[1]}/{name}.onnx", check=False)
"""


def test_another_process_writes_the_same_bytes(tmp_path):
    names = ("sentiment_bilstm", "translator_attention", "video_conv_lstm")
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), *names], env=environment, check=True, cwd=tmp_path)
    for name in names:
        model = build(name, UNITS)
        written = [export.to_onnx(model, tmp_path / f"{name}_{n}.onnx", check=False).path.read_bytes() for n in (1, 2)]
        assert written == [(tmp_path / f"{name}.onnx").read_bytes()] * 2
