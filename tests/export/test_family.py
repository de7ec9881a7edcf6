"""The LSTM family through the engine: native nodes, streaming, and what keeps a cell from its operator."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx.reference import ReferenceEvaluator

import export
from export.lowering.describe import describe
from export.lowering.recurrence import Recurrence, Steps
from tests import oracle_family as oracle
from tests.cells.family import FAMILY
from tests.export.onnx_parity import chain, recurrent_operators, worst_difference, written
from tests.export.streaming_models import B, H, frames, model_of
from tests.export.test_streaming import Stream
from tests.export.test_streaming_files import litert_stream, onnx_stream
from tests.tiers import some
from zoo import cells, layers
from zoo.errors import Unsupported

pytestmark = pytest.mark.usefixtures("small_probes")
MEMBERS = pytest.mark.parametrize("member", FAMILY.values(), ids=FAMILY)
CHUNKS = (1, 5, 2, 9, 1)
STEPS = sum(CHUNKS)


def layer_of(member, **options):
    return member.layer(H, **member.arguments, **options)


def weights_of(layer):
    return {weight.name: np.asarray(weight, "f8") for weight in layer.trainable_weights}


def node(path, kind):
    (found,) = [item for item in onnx.load(path).graph.node if item.op_type == kind]
    return found


def test_peepholes_go_into_the_p_of_one_onnx_node(tmp_path):
    model = chain(layers.PeepholeLSTM(H))
    path, _, _ = written(model, tmp_path)
    assert len([name for name in node(path, "LSTM").input if name]) == 5
    x = frames(7)
    (got,) = ReferenceEvaluator(onnx.load(path)).run(None, {"input": x})
    zeros = (np.zeros((B, H)),) * 2
    want = oracle.over_time(oracle.peephole_lstm, x.astype("f8"), zeros, weights_of(model.layers[1])).sequence[:, -1]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_a_coupled_lstm_says_so_and_is_right_where_a_runtime_does_not_listen(tmp_path):
    """The reference evaluator of ONNX passes over `input_forget`; the weights say it too."""
    model = chain(layers.CoupledLSTM(H))
    path, _, _ = written(model, tmp_path)
    assert {item.name: item.i for item in node(path, "LSTM").attribute}["input_forget"] == 1
    x = frames(7)
    (got,) = ReferenceEvaluator(onnx.load(path)).run(None, {"input": x})
    zeros = (np.zeros((B, H)),) * 2
    want = oracle.over_time(oracle.coupled_lstm, x.astype("f8"), zeros, weights_of(model.layers[1])).sequence[:, -1]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    assert worst_difference(model, tmp_path, [x]) < 1e-6


@pytest.mark.parametrize(
    ("make", "operators"),
    [
        (lambda: layers.CoupledLSTM(H, recurrent_activation="hard_sigmoid"), {"LSTM": 1}),
        (lambda: layers.CoupledLSTM(H, recurrent_activation="tanh"), {"Loop": 1}),
        (lambda: layers.MinimalGated(H, activation="relu"), {"GRU": 1}),
        (lambda: layers.MinimalGated(H, recurrent_activation="softsign"), {"Loop": 1}),
        (lambda: layers.PeepholeLSTM(H, activation="gelu"), {"Loop": 1}),
        (lambda: layers.PeepholeLSTM(H, use_bias=False), {"LSTM": 1}),
        (lambda: layers.IndRNN(H, activation="tanh", use_bias=False), {"RNN": 1}),
    ],
)
def test_a_gate_decides_whether_there_is_an_operator(make, operators, tmp_path):
    model = chain(make())
    assert worst_difference(model, tmp_path, [frames(7)]) < 2e-5
    assert recurrent_operators(tmp_path) == operators


@keras.saving.register_keras_serializable(package="tests")
class DampedCell(cells.CoupledLSTMCell):
    """A subclass with a step of its own."""

    def step(self, x, states, training=False):
        h, (_, c) = super().step(x, states, training)
        return 0.5 * h, [0.5 * h, c]


def test_a_subclass_with_a_step_of_its_own_is_not_taken_for_its_base(tmp_path):
    layer = keras.layers.RNN(DampedCell(H))
    model = chain(layer)
    (item,) = describe(layer)
    assert isinstance(item, Steps)
    assert worst_difference(model, tmp_path, [frames(7)]) < 2e-5


def test_zoneout_without_rates_is_the_cell_inside():
    layer = keras.layers.RNN(cells.ZoneoutCell(keras.layers.GRUCell(H)))
    chain(layer)
    (item,) = describe(layer)
    assert isinstance(item, Recurrence) and item.kind == "gru"


@MEMBERS
@pytest.mark.parametrize("return_sequences", [True, False])
def test_chunks_are_one_pass(member, return_sequences):
    model, x = model_of(layer_of(member, return_sequences=return_sequences)), frames(STEPS)
    (got,) = Stream(model).run([x], CHUNKS)
    np.testing.assert_allclose(got, model(x), rtol=0, atol=2e-5)


@MEMBERS
def test_states_have_the_names_and_sizes_of_the_cell(member):
    model = model_of(layer_of(member, name="memory"))
    states = Stream(model).source.signature.states
    names = ("h", "c")[: len(member.sizes)]
    assert [(state.input, state.shape[1]) for state in states] == [
        (f"memory_{name}", size) for name, size in zip(names, layer_of(member).state_size, strict=True)
    ]


STREAMED = ("LayerNormLSTM", "PeepholeLSTM", "ProjectedLSTM", "MinGRU")


@pytest.mark.parametrize("name", STREAMED)
def test_an_onnx_file_streams_in_chunks_of_any_length(name, tmp_path):
    model, x = model_of(layer_of(FAMILY[name], return_sequences=True)), frames(STEPS)
    stream, _ = onnx_stream(model, tmp_path / "model.onnx")
    np.testing.assert_allclose(stream.run(x, CHUNKS), model(x), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", STREAMED)
def test_a_tflite_file_streams_in_chunks_of_one_length(name, tmp_path):
    model, x = model_of(layer_of(FAMILY[name], return_sequences=True)), frames(12, batch=1)
    stream, _ = litert_stream(model, tmp_path / "model.tflite", 3)
    np.testing.assert_allclose(stream.run(x, [3] * 4), model(x), rtol=0, atol=2e-5)


def test_zoneout_streams_with_its_blend():
    zoneout = layers.RNN(cells.ZoneoutCell(cells.LSTMCell(H), 0.2, 0.5), return_sequences=True)
    model, x = model_of(zoneout), frames(STEPS)
    (got,) = Stream(model).run([x], CHUNKS)
    np.testing.assert_allclose(got, model(x), rtol=0, atol=2e-5)


def test_a_cell_behind_strides_is_refused_for_chunks_that_may_be_empty():
    model = model_of(keras.layers.Conv1D(3, 2, strides=2, padding="causal"), layers.ProjectedLSTM(H, 2, name="inner"))
    with pytest.raises(Unsupported, match="strides before it leave some chunks without a step"):
        Stream(model)


@pytest.mark.parametrize(
    ("name", "policy"),
    some(
        [
            *((name, "mixed_float16") for name in FAMILY),
            *((name, policy) for name in ("PeepholeLSTM", "MinGRU") for policy in ("mixed_bfloat16", "float64")),
        ],
        3,
    ),
)
def test_a_model_of_another_precision_is_written_in_float32(name, policy, tmp_path):
    member = FAMILY[name]
    layer = layer_of(member, dtype=policy)
    model = chain(layer, dtype="float32")
    twin = chain(layer_of(member), dtype="float32")
    twin.set_weights([np.asarray(tf.cast(value, "float32")) for value in model.weights])
    assert worst_difference(model, tmp_path, [frames(7)], reference=twin) < 2e-5


@pytest.mark.parametrize("member", some(FAMILY.values(), 3), ids=FAMILY)
def test_a_saved_model_answers_as_keras_does(member, tmp_path):
    model = chain(keras.layers.Masking(), keras.layers.Bidirectional(layer_of(member)))
    artifact = export.to_saved_model(model, tmp_path / "saved_model")
    assert artifact.ok and artifact.max_abs_diff < 2e-5


@pytest.mark.parametrize("quantize", ["dynamic", "float16"])
@pytest.mark.parametrize("name", some(["CoupledLSTM", "LayerNormLSTM", "MinGRU"], 3))
def test_smaller_files_answer_nearly_the_same(name, quantize, tmp_path):
    artifact = export.to_tflite(chain(layer_of(FAMILY[name])), tmp_path / "model.tflite", quantize=quantize)
    assert artifact.ok
