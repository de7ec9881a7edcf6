"""The ONNX file itself: what a reader of it sees, byte for byte, and what the writer refuses."""

import logging

import keras
import numpy as np
import onnx
import pytest
import tf2onnx.optimizer
import tf2onnx.tfonnx
from keras import layers
from onnx.reference import ReferenceEvaluator

from export import onnx as onnx_export
from export.lowering import source as sources
from export.lowering.onnx import OnnxTarget
from export.lowering.trace import Tracer
from tests.export.onnx_parity import (
    FEATURES,
    TOLERANCE,
    batches,
    chain,
    operators,
    randomised,
    worst_difference,
    written,
)
from zoo.errors import ExportError, Unsupported


def load(model, folder):
    return onnx.load(written(model, folder)[0])


def sizes(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def steps(proto):
    return [node.op_type for node in proto.graph.node]


def test_versions_metadata_and_names_are_what_a_runtime_looks_for(tmp_path):
    x = keras.Input((None, FEATURES), name="frames")
    model = keras.Model(x, layers.Dense(2, name="scores")(layers.LSTM(4)(x)), name="tiny")
    proto = load(model, tmp_path)
    assert (proto.opset_import[0].version, len(proto.opset_import), proto.ir_version) == (17, 1, 8)
    assert (proto.producer_name, proto.graph.name, proto.doc_string) == ("recurrent-zoo", "tiny", "Keras model 'tiny'.")
    assert {item.key: item.value for item in proto.metadata_props} == {
        "recurrent_zoo": '{"name": "test"}',
        "recurrent_zoo.operators": "LSTM",
    }
    assert [(value.name, sizes(value)) for value in proto.graph.input] == [("frames", ["batch", "time", FEATURES])]
    assert [(value.name, sizes(value)) for value in proto.graph.output] == [("scores", ["batch", 2])]


def test_stacked_bidirectional_graph_has_no_node_too_many(tmp_path):
    model = chain(
        layers.Bidirectional(layers.LSTM(4, return_sequences=True, name="lstm")),
        layers.Bidirectional(layers.GRU(4, return_sequences=True)),
        layers.Dense(2),
    )
    assert steps(load(model, tmp_path)) == [
        *("Transpose", "LSTM", "Transpose", "Reshape"),
        *("GRU", "Transpose", "Reshape"),
        *("MatMul", "Add"),
    ]


def test_stacked_layers_stay_time_major_between_them(tmp_path):
    model = chain(layers.GRU(4, return_sequences=True), layers.LSTM(4, return_sequences=True), layers.SimpleRNN(3))
    assert steps(load(model, tmp_path)) == ["Transpose", "GRU", "Squeeze", "LSTM", "Squeeze", "RNN", "Squeeze"]


def test_only_outputs_that_are_read_are_made(tmp_path):
    (node,) = [
        node for node in load(chain(layers.LSTM(4, name="encoder")), tmp_path).graph.node if node.op_type == "LSTM"
    ]
    assert node.name == "encoder"
    assert list(node.input) == ["Transpose", "encoder_W", "encoder_R", "encoder_B"]
    assert list(node.output) == ["", "encoder_Y_h"]


def test_states_from_another_layer_enter_without_a_detour(tmp_path):
    x, y = keras.Input((None, FEATURES), name="x"), keras.Input((None, 2), name="y")
    _, *states = layers.LSTM(4, return_state=True)(x)
    proto = load(keras.Model([x, y], layers.LSTM(4)(y, initial_state=states)), tmp_path)
    assert steps(proto) == ["Transpose", "Transpose", "LSTM", "LSTM", "Squeeze"]
    assert [sizes(value)[1] for value in proto.graph.input] == ["x_time", "y_time"]


def test_activation_constants_are_written_out(tmp_path):
    model = chain(layers.GRU(4, activation="leaky_relu", recurrent_activation="hard_sigmoid"))
    (node,) = [node for node in load(model, tmp_path).graph.node if node.op_type == "GRU"]
    found = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    assert found["activations"] == [b"HardSigmoid", b"LeakyRelu"]
    np.testing.assert_allclose(found["activation_alpha"], [1 / 6, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found["activation_beta"], [0.5])


def test_an_output_may_be_an_input_or_another_output(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = layers.LSTM(4)(x)
    model = randomised(keras.Model(x, {"first": y, "second": y, "same": layers.Identity()(x)}))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert operators(tmp_path) == {"Transpose": 1, "LSTM": 1, "Squeeze": 1, "Identity": 2}


def test_where_keeps_infinities_out(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    model = keras.Model(x, keras.ops.where(x > 0, keras.ops.log(x), 0.0))
    x = np.array([[[-1.0, 0.0, 1.0]]], "float32")
    assert worst_difference(model, tmp_path, [x]) < TOLERANCE


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.LSTM(4, return_sequences=True, return_state=True),
        lambda: layers.GRU(4, return_sequences=True),
        lambda: layers.GRU(4, reset_after=False),
        lambda: layers.SimpleRNN(4),
    ],
    ids=["lstm", "gru", "gru reset before", "simple rnn"],
)
def test_reference_evaluator_agrees_with_keras(make, tmp_path):
    model = chain(make())
    path, source, _ = written(model, tmp_path)
    evaluator = ReferenceEvaluator(str(path))
    for x in batches():
        expected = keras.tree.flatten(model(x))
        got = evaluator.run(None, {source.signature.input_names[0]: x})
        for theirs, ours in zip(expected, got, strict=True):
            np.testing.assert_allclose(ours, np.asarray(theirs), atol=TOLERANCE)


def test_export_leaves_the_model_tf2onnx_and_logging_as_they_were(tmp_path, capfd):
    model = chain(layers.Masking(), layers.LSTM(4, dtype="mixed_float16"), layers.Dense(2))
    x = next(batches())
    before, config, rewriter = model(x).numpy(), model.get_config(), tf2onnx.tfonnx.rewriter_lstm_tf2
    levels = logging.getLogger("tf2onnx").level, logging.getLogger().level
    written(model, tmp_path)
    assert np.array_equal(model(x), before)
    assert model.get_config() == config
    assert tf2onnx.tfonnx.rewriter_lstm_tf2 is rewriter
    assert (logging.getLogger("tf2onnx").level, logging.getLogger().level) == levels
    assert capfd.readouterr() == ("", "")


def test_an_optimizer_of_tf2onnx_that_raises_is_done_without(tmp_path, monkeypatch):
    broken = []
    monkeypatch.setitem(tf2onnx.optimizer._optimizers, "fold_constants", lambda: broken.append(1) or broken[9])
    assert worst_difference(chain(layers.LSTM(4), layers.Dense(2)), tmp_path, batches()) < TOLERANCE
    assert len(broken) > 1


def test_an_operator_onnx_lacks_is_named(tmp_path):
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, keras.ops.erfinv(layers.LSTM(4)(x)), name="odd")
    with pytest.raises(Unsupported) as caught:
        written(model, tmp_path)
    assert str(caught.value) == (
        "Model 'odd' uses TensorFlow operators that ONNX does not have: Erfinv. "
        "Replace the layer that makes them, or compute them outside the model."
    )
    assert not (tmp_path / "model.onnx").exists()


class Forgetful(OnnxTarget):
    def handlers(self):
        return {}


def test_a_marker_that_is_left_is_never_written(tmp_path):
    source = sources.read(keras.Sequential([keras.Input((None, FEATURES)), layers.LSTM(4)], name="lost"))
    with pytest.raises(ExportError) as caught:
        onnx_export.write(source, tmp_path / "model.onnx", "{}", tracer=Tracer(Forgetful()))
    assert str(caught.value) == (
        "Model 'lost' has a recurrent layer that did not become an ONNX node. "
        "This is a fault of the exporter: report it."
    )
    assert not (tmp_path / "model.onnx").exists()


def test_a_loop_is_noted_with_its_reason(tmp_path):
    noted = written(chain(layers.LSTM(4, activation="silu", name="swish")), tmp_path)[2]
    assert noted.operators["Loop"] == 1
    assert noted.notes == [
        "Layer 'swish' runs cell LSTMCell as a loop: no native operator computes it. "
        "Use LSTM, GRU or SimpleRNN cells with activations the operators know for native speed."
    ]
