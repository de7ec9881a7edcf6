"""Thirty-three architectures end to end: ONNX without a loop, TFLite of built-in operators, the numbers of Keras."""

import re

import keras
import numpy as np
import pytest

import export
from export.executors import open_artifact
from export.lowering.trace import flat_layers
from zoo.benchmarks.architectures import ARCHITECTURES, build, example

UNITS = 4
pytestmark = pytest.mark.usefixtures("small_probes")
BUILT_IN_ONLY = {  # what has no fused TFLite LSTM, and why
    "states handed over": ("translator_lstm", "translator_attention"),
    "GRUs": (
        *("sentiment_stacked_bigru", "text_bigru_pooled", "activity_gru", "language_gru", "translator_bigru"),
        *("translator_additive_attention", "classifier_gru_attention", "speech_deep", "speech_keyword_gru"),
        *("forecaster_repeat", "forecaster_causal_gru"),
    ),
    "a cell of its own": ("video_conv_lstm",),
    "a fixed length so short that steps written out are faster": ("autoencoder_lstm",),
}
WITHOUT_FUSED = {name for names in BUILT_IN_ONLY.values() for name in names}
FORMATS = ("onnx", "tflite")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request, tmp_path_factory, small_probes):
    """A model, its files, {format: artifact}, and what Keras answers to unpadded and to padded input of three rows:
    [(inputs, outputs)]."""
    model = build(request.param, UNITS)
    files = {item.format: item for item in export.export(model, FORMATS, out=tmp_path_factory.mktemp("files"))}
    return model, files, [_answer(model, example(model, 3, 8, padded)) for padded in (False, True)]


def _answer(model, inputs):
    for layer in flat_layers(model):
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()
    tensors = keras.tree.map_structure(lambda tensor: inputs[tensor.name], model._inputs_struct)
    return inputs, [keras.ops.convert_to_numpy(value) for value in keras.tree.flatten(model(tensors, training=False))]


def run(executor, inputs):
    rows = len(next(iter(inputs.values()))) if executor.signature.inputs[0].shape[0] == 1 else 1
    parts = [executor.run(part) for part in _split(inputs, rows)]
    return [np.concatenate([part[name] for part in parts]) for name in executor.signature.output_names]


def _split(inputs, parts):
    pieces = {name: np.split(array, parts) for name, array in inputs.items()}
    return [{name: pieces[name][place] for name in pieces} for place in range(parts)]


@pytest.mark.parametrize("format", FORMATS)
def test_an_architecture_is_native_and_right_call_after_call(architecture, format):
    model, files, answers = architecture
    artifact = files[format]
    executor = open_artifact(artifact.path)
    for inputs, want in answers:
        for _ in range(2):
            for mine, theirs in zip(run(executor, inputs), want, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)
    names = artifact.operators.keys()
    assert artifact.ok and not [name for name in names if re.match("Flex|CUSTOM|Loop|Scan|If", name)]
    if format == "tflite":
        assert ("UNIDIRECTIONAL_SEQUENCE_LSTM" in names) == (model.name not in WITHOUT_FUSED)
    elif model.name != "video_conv_lstm":  # whose cell no ONNX operator has: its steps are written out
        assert {"LSTM", "GRU", "RNN"} & names


def test_there_are_thirty_three_architectures():
    assert len(ARCHITECTURES) == 33
    assert ARCHITECTURES.keys() >= WITHOUT_FUSED
