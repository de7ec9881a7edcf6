"""Whatever path a layer trains on, it leaves as the same native operators, or as plain TensorFlow."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from export import to_onnx, to_saved_model
from zoo.layers import GRU, LSTM, Bidirectional

H, D = 4, 3
pytestmark = pytest.mark.usefixtures("small_probes")


def model_of(wrapper, layer_type, path):
    frames = keras.Input((None, D), name="frames")
    hidden = wrapper(layer_type(H, path=path, return_sequences=True), name="both")(frames)
    model = keras.Model(frames, keras.layers.Dense(2, name="scores")(layer_type(H, path=path)(hidden)))
    rng = np.random.default_rng(0)
    model.set_weights([0.5 * rng.standard_normal(weight.shape) for weight in model.weights])
    return model


@pytest.mark.parametrize("layer_type", [LSTM, GRU])
def test_our_bidirectional_becomes_the_nodes_of_keras_own(layer_type, tmp_path):
    written = [
        to_onnx(model_of(wrapper, layer_type, path), tmp_path / f"{path}.onnx")
        for wrapper, path in ((keras.layers.Bidirectional, "cell"), (Bidirectional, "fused"))
    ]
    assert all(artifact.ok for artifact in written)
    assert written[0].operators == written[1].operators
    assert written[1].operators[layer_type.__name__] == 2


def test_a_fused_layer_leaves_in_a_saved_model_without_a_compiled_function(tmp_path):
    model = model_of(Bidirectional, GRU, "fused")
    artifact = to_saved_model(model, tmp_path / "saved")
    assert artifact.ok
    assert model.get_layer("both").forward_layer.execution_path == "fused"
    graph = tf.saved_model.load(str(artifact.path)).signatures["serving_default"].graph.as_graph_def()
    functions = [graph.node, *(function.node_def for function in graph.library.function)]
    assert not any("_XlaMustCompile" in node.attr and node.attr["_XlaMustCompile"].b for f in functions for node in f)
    assert not any(function.attr["_XlaMustCompile"].b for function in graph.library.function)
