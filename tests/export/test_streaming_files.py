"""Streaming files in their runtimes: random chunks through ONNX Runtime, fixed ones through LiteRT and TFLite Micro."""

import itertools

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import export
from export import onnx, tflite
from export.executors import open_artifact
from export.lowering.source import read
from export.lowering.streaming import streaming_source
from tests.export.streaming_models import MASKED, MODELS, B, D, H, frames, model_of, random_lengths, tokens
from tests.tiers import some
from zoo.layers import GRU, LSTM


class Stream:
    """A file behind `run({name: array}) -> {name: array}`, its states in our hands."""

    def __init__(self, signature, run, batch):
        self.signature, self._run = signature, run
        self.states = {s.input: np.zeros([size or batch for size in s.shape], s.dtype) for s in signature.states}

    def push(self, chunk):
        results = self._run({self.signature.inputs[0].name: chunk, **self.states})
        self.states = {state.input: results[state.output] for state in self.signature.states}
        return results[self.signature.output_names[0]]

    def run(self, x, lengths):
        parts = [self.push(x[:, start:end]) for start, end in itertools.pairwise(np.cumsum([0, *lengths]))]
        return np.concatenate(parts, 1) if len(self.signature.outputs[0].axes) > 2 else parts[-1]


def onnx_stream(model, path, batch=B):
    source = streaming_source(read(model))
    written = onnx.write(source, path, "{}")
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    stream = Stream(source.signature, lambda feeds: dict(zip(names, session.run(names, feeds), strict=True)), batch)
    assert [value.name for value in session.get_inputs()] == list(source.signature.input_names)
    assert tuple(names) == source.signature.output_names
    return stream, written


def litert_stream(model, path, chunk):
    source = streaming_source(read(model), chunk)
    written = tflite.write(source, path, "{}")
    runner = Interpreter(str(path)).get_signature_runner()
    return Stream(source.signature, lambda feeds: runner(**feeds), 1), written


def assert_close(got, want):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stack", some(MODELS.values(), 3), ids=MODELS)
def test_an_onnx_file_takes_chunks_of_any_length(stack, tmp_path):
    model, x = model_of(*stack()), frames(37)
    stream, _ = onnx_stream(model, tmp_path / "model.onnx")
    for seed in range(3):
        stream.states = {name: np.zeros_like(value) for name, value in stream.states.items()}
        assert_close(stream.run(x, random_lengths(37, seed)), model(x))


@pytest.mark.parametrize("layer", MASKED.values(), ids=MASKED)
def test_an_onnx_file_keeps_masks_across_chunks(layer, tmp_path):
    model = model_of(layers.Embedding(5, D, mask_zero=True), layer(), shape=(None,), dtype="int32")
    x = tokens(31)
    x[0, :4], x[1, 20:] = 0, 0
    stream, _ = onnx_stream(model, tmp_path / "model.onnx")
    assert_close(stream.run(x, random_lengths(31, 0)), model(x))


def test_recurrent_layers_stay_one_native_node_each(tmp_path):
    model = model_of(LSTM(H, return_sequences=True), GRU(H, return_sequences=True), layers.SimpleRNN(H))
    _, written = onnx_stream(model, tmp_path / "model.onnx")
    assert {name: written.operators.get(name, 0) for name in ("LSTM", "GRU", "RNN", "Loop", "Scan")} == {
        "LSTM": 1, "GRU": 1, "RNN": 1, "Loop": 0, "Scan": 0,
    }  # fmt: skip


def test_an_onnx_stream_of_ten_thousand_steps_does_not_drift(tmp_path):
    model = model_of(layers.Conv1D(H, 3, padding="causal", strides=2), LSTM(H, return_sequences=True), GRU(H))
    stream, _ = onnx_stream(model, tmp_path / "model.onnx")
    x = frames(10_000)
    got = stream.run(x, random_lengths(10_000, 0, longest=97))
    assert_close(got, model.predict(x, verbose=0))


def test_an_onnx_stream_refuses_rows_at_different_phases(tmp_path):
    stream, _ = onnx_stream(model_of(layers.MaxPooling1D(3, name="pool"), LSTM(H)), tmp_path / "model.onnx")
    stream.push(frames(2))
    stream.states["pool_phase"][1] = 0
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="out of data bounds"):
        stream.push(frames(2))


FIXED = {
    "lstm": (lambda: [LSTM(H, return_sequences=True)], 1),
    "lstm, four steps": (lambda: [LSTM(H, return_sequences=True)], 4),
    "lstm, thirty steps": (lambda: [LSTM(H)], 30),
    "gru": (lambda: [GRU(H, return_sequences=True), GRU(H, reset_after=False), layers.Dense(2)], 3),
    "simple rnn": (lambda: [layers.SimpleRNN(H, return_sequences=True)], 2),
    "stacked cells": (lambda: [layers.RNN([layers.LSTMCell(H), layers.GRUCell(D)], return_sequences=True)], 2),
    "causal, dilated": (lambda: [layers.Conv1D(H, 4, padding="causal", dilation_rate=3), GRU(H)], 5),
    "strides": (
        lambda: [
            layers.Conv1D(H, 3, padding="causal", strides=2), layers.MaxPooling1D(3), LSTM(H, return_sequences=True),
        ],
        12,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stack", "chunk"), FIXED.values(), ids=FIXED)
def test_a_tflite_file_takes_chunks_of_one_length_with_plain_operators(stack, chunk, tmp_path):
    model, x = model_of(*stack()), frames(6 * chunk, batch=1)
    stream, written = litert_stream(model, tmp_path / "model.tflite", chunk)
    assert_close(stream.run(x, [chunk] * 6), model(x))
    assert not [name for name in written.operators if "SEQUENCE" in name or name.startswith("Flex")]


@pytest.mark.parametrize(("format", "chunk"), [("onnx", 5), ("saved_model", 5), ("tflite", 2)])
def test_a_forecast_of_several_steps_replaces_the_one_before(format, chunk, tmp_path):
    """Its second axis is the hours ahead, not the steps of the stream: the engine's check joins nothing along it."""
    model = model_of(LSTM(H), layers.Dense(8), layers.Reshape((4, 2)), shape=(10, D))
    (artifact,) = export.export(model, format, out=tmp_path, streaming=True, chunk=chunk)
    executor, x = open_artifact(artifact.path), frames(10, batch=1)
    stream = executor.stream(batch=1)
    answers = [stream.push(x[:, start : start + chunk]) for start in range(0, 10, chunk)]
    assert (artifact.ok, executor.signature.outputs[0].axes) == (True, ("batch", "axis1", "feature"))
    assert_close(answers[-1], model(x))


@pytest.mark.parametrize("layer", MASKED.values(), ids=MASKED)
def test_a_tflite_file_keeps_masks_across_chunks(layer, tmp_path):
    model = model_of(layers.Embedding(5, D, mask_zero=True), layer(), shape=(None,), dtype="int32")
    x = tokens(28, batch=1)
    x[0, :5] = 0
    stream, _ = litert_stream(model, tmp_path / "model.tflite", 4)
    assert_close(stream.run(x, [4] * 7), model(x))


@pytest.mark.parametrize("layer", [LSTM, GRU])
def test_one_step_at_a_time_runs_in_tflite_micro(layer, tmp_path):
    micro = pytest.importorskip("tflite_micro", reason="tflite-micro has wheels for Linux on x86-64 only").runtime
    model, x = model_of(layers.Dense(D), layer(H, return_sequences=True)), frames(20, batch=1)
    path = tmp_path / "model.tflite"
    stream, _ = litert_stream(model, path, 1)
    reference = Interpreter(str(path))
    signature = reference.get_signature_list()["serving_default"]
    places = {kind: _places(reference, kind) for kind in ("input", "output")}
    interpreter = micro.Interpreter.from_file(str(path))

    def run(feeds):
        for name, array in feeds.items():
            interpreter.set_input(array, places["input"][name])
        interpreter.invoke()
        return {name: interpreter.get_output(places["output"][name]) for name in signature["outputs"]}

    small = Stream(stream.signature, run, 1)
    assert_close(small.run(x, [1] * 20), model(x))


def _places(interpreter, kind):
    """Signature name -> place among the inputs or outputs of the file."""
    details = interpreter.get_input_details() if kind == "input" else interpreter.get_output_details()
    order = [item["index"] for item in details]
    runner = interpreter.get_signature_runner()
    named = runner.get_input_details() if kind == "input" else runner.get_output_details()
    return {name: order.index(item["index"]) for name, item in named.items()}
