"""`LSTM` and `GRU` are drop-in for Keras', and say which rule a path breaks."""

import keras
import numpy as np
import pytest

from tests import oracle
from zoo.cells import GRUCell, LSTMCell
from zoo.errors import InvalidInput, PathNotEligible
from zoo.layers import GRU, LSTM, Bidirectional, paths

# Keras writes variables with np.array(variable), and TensorFlow's __array__ lacks NumPy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

B, T, D, H = 2, 5, 3, 4
PAIRS = pytest.mark.parametrize(("ours", "keras_layer"), [(LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU)])
OURS = pytest.mark.parametrize("ours", [LSTM, GRU])


def sequences(seed=0):
    return np.random.default_rng(seed).standard_normal((B, T, D)).astype("float32")


def values(result):
    return [np.asarray(value) for value in keras.tree.flatten(result)]


def same(got, want):
    got, want = values(got), values(want)
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


def twins(ours, keras_layer, **arguments):
    """One of each with the same weights, biases away from zero."""
    pair = ours(H, **arguments), keras_layer(H, **arguments)
    for layer in pair:
        layer.build((B, T, D))
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal(weight.shape) for weight in pair[1].weights]
    for layer in pair:
        layer.set_weights(weights)
    return pair


CONFIGURATIONS = [
    {},
    {"return_sequences": True, "return_state": True},
    {"go_backwards": True, "return_sequences": True},
    {"use_bias": False},
    {"unroll": True, "return_state": True},
    {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
    {"activation": None},
    {"zero_output_for_mask": True, "return_sequences": True},
    {"dtype": "float64"},
]


@PAIRS
@pytest.mark.parametrize("arguments", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("path", ["auto", "cell"])
def test_a_configuration_answers_as_keras_does(ours, keras_layer, arguments, path):
    mine, theirs = twins(ours, keras_layer, **arguments)
    mine = _on_path(mine, path)
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 0]], bool)
    same(mine(sequences()), theirs(sequences()))
    same(mine(sequences(), mask=mask), theirs(sequences(), mask=mask))


def _on_path(layer, path):
    copy = type(layer).from_config({**layer.get_config(), "path": path})
    copy.build((B, T, D))
    copy.set_weights(layer.get_weights())
    return copy


@PAIRS
def test_a_stateful_layer_carries_and_resets_its_state_as_keras_does(ours, keras_layer):
    mine, theirs = twins(ours, keras_layer, stateful=True)
    first = values(mine(sequences(0)))
    same(first, theirs(sequences(0)))
    second = values(mine(sequences(0)))
    same(second, theirs(sequences(0)))
    assert np.abs(first[0] - second[0]).max() > 1e-3
    mine.reset_state()
    same(mine(sequences(0)), first)


@PAIRS
def test_weight_names_order_and_shapes_are_those_of_keras(ours, keras_layer):
    for use_bias in (True, False):
        mine, theirs = (kind(H, use_bias=use_bias, name="layer") for kind in (ours, keras_layer))
        for layer in (mine, theirs):
            layer.build((None, None, D))
        assert [(w.path, w.shape) for w in mine.weights] == [(w.path, w.shape) for w in theirs.weights]
        names = [w.path for w in mine.weights]
        cell = "lstm_cell" if ours is LSTM else "gru_cell"
        assert names[:2] == [f"layer/{cell}/kernel", f"layer/{cell}/recurrent_kernel"]


@PAIRS
def test_untrained_weights_follow_the_same_initialisers(ours, keras_layer):
    mine, theirs = (kind(H, bias_initializer="ones", kernel_initializer="zeros") for kind in (ours, keras_layer))
    for layer in (mine, theirs):
        layer.build((B, T, D))
    same(mine.weights[0].value, theirs.weights[0].value), same(mine.weights[2].value, theirs.weights[2].value)


def test_the_forget_gate_starts_at_one_unless_told_otherwise():
    for unit_forget_bias, forget in ((True, 1), (False, 0)):
        layer = LSTM(H, unit_forget_bias=unit_forget_bias)
        layer.build((B, T, D))
        np.testing.assert_array_equal(np.asarray(layer.weights[2]), [0] * H + [forget] * H + [0] * 2 * H)


@PAIRS
def test_weights_saved_from_keras_load_into_ours(ours, keras_layer, tmp_path):
    models = []
    for kind in (keras_layer, ours):
        inputs = keras.Input((T, D))
        models.append(keras.Model(inputs, kind(H, name="layer")(inputs)))
    models[0].save_weights(tmp_path / "theirs.weights.h5")
    models[1].load_weights(tmp_path / "theirs.weights.h5")
    same(models[1](sequences()), models[0](sequences()))


@OURS
@pytest.mark.parametrize("path", ["auto", "cell", "fused", "cudnn"])
def test_the_configuration_survives_serialisation(ours, path):
    layer = ours(
        H, path=path, dropout=0.25, recurrent_dropout=0.5, seed=7, return_sequences=True, bias_regularizer="l2",
        name="layer",
    )  # fmt: skip
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(copy) is ours
    assert copy.get_config() == layer.get_config()
    assert (copy.execution_path, copy.cell.dropout, copy.cell.recurrent_dropout) == (path, 0.25, 0.5)


@OURS
def test_every_keras_configuration_key_is_kept(ours):
    theirs = keras.layers.LSTM if ours is LSTM else keras.layers.GRU
    assert ours(H).get_config().keys() == theirs(H).get_config().keys() | {"path"}


@OURS
def test_a_model_survives_the_keras_file(ours, tmp_path):
    inputs = keras.Input((None, D))
    hidden = Bidirectional(ours(H, return_sequences=True, path="cell"), name="both")(inputs)
    model = keras.Model(inputs, ours(H, go_backwards=True)(hidden))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(copy.get_layer("both")) is Bidirectional
    assert copy.get_layer("both").forward_layer.execution_path == "cell"
    np.testing.assert_array_equal(copy(sequences()), model(sequences()))


@PAIRS
@pytest.mark.parametrize("wrapper", [Bidirectional, keras.layers.Bidirectional])
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "ave", "mul", None])
def test_bidirectional_wraps_ours_as_keras_wraps_its_own(ours, keras_layer, wrapper, merge_mode):
    pair = [
        wrap(kind(H, return_sequences=True, return_state=True), merge_mode=merge_mode)
        for wrap, kind in ((wrapper, ours), (keras.layers.Bidirectional, keras_layer))
    ]
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 0]], bool)
    for layer in pair:
        layer.build((B, T, D))
    pair[0].set_weights(pair[1].get_weights())
    assert isinstance(pair[0].backward_layer, ours)
    same(pair[0](sequences()), pair[1](sequences()))
    same(pair[0](sequences(), mask=mask), pair[1](sequences(), mask=mask))


@OURS
def test_the_layer_holds_our_cell_alone(ours):
    layer = ours(H)
    assert type(layer.cell) is (LSTMCell if ours is LSTM else GRUCell)
    assert [type(inner) for inner in layer._flatten_layers(include_self=False)] == [type(layer.cell)]


@OURS
def test_a_frozen_layer_has_no_trainable_weights(ours):
    layer = ours(H, trainable=False)
    layer.build((B, T, D))
    assert (len(layer.weights), layer.trainable_weights) == (3, [])


@OURS
def test_training_a_model_lowers_the_loss(ours):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((T, D)), ours(H), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = sequences(), np.array([[1.0], [-1.0]])
    history = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_mixed_precision_computes_in_half_and_keeps_its_weights_in_full():
    layer = LSTM(H, dtype="mixed_float16", return_sequences=True)
    output = layer(sequences())
    assert (output.dtype, layer.weights[0].dtype) == ("float16", "float32")
    w = oracle.Weights(*(np.asarray(v, "float64") for v in layer.get_weights()))
    zeros = np.zeros((B, H))
    np.testing.assert_allclose(output, oracle.lstm(sequences().astype("f8"), zeros, zeros, w).sequence, atol=5e-3)


def test_an_unknown_path_raises():
    with pytest.raises(PathNotEligible) as error:
        LSTM(H, path="fast")
    assert str(error.value) == "Unknown path 'fast'; use one of 'auto', 'cell', 'fused', 'cudnn'."


GATE_RULES = [
    (LSTM, {"activation": "relu"}, "activation must be tanh, not relu"),
    (GRU, {"activation": None}, "activation must be tanh, not linear"),
    (LSTM, {"recurrent_activation": "hard_sigmoid"}, "recurrent_activation must be sigmoid, not hard_sigmoid"),
    (GRU, {"recurrent_dropout": 0.5}, "recurrent_dropout must be 0, not 0.5"),
    (LSTM, {"unroll": True}, "unroll must be False"),
]
CUDNN_RULES = [
    *GATE_RULES,
    (GRU, {"use_bias": False}, "use_bias must be True"),
    (GRU, {"reset_after": False}, "reset_after must be True"),
    (LSTM, {"dtype": "mixed_bfloat16"}, "the compute dtype must be float16 or float32, not bfloat16"),
]


def refusal(path, rule):
    return f"Layer 'layer' cannot run path={path!r}: {rule}. Change that, or use path='auto' or path='cell'."


@pytest.mark.parametrize(("ours", "arguments", "rule"), CUDNN_RULES)
def test_cudnn_names_the_rule_that_failed(monkeypatch, ours, arguments, rule):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    with pytest.raises(PathNotEligible) as error:
        ours(H, path="cudnn", name="layer", **arguments).build((B, T, D))
    assert str(error.value) == refusal("cudnn", rule)


@pytest.mark.parametrize(("ours", "arguments", "rule"), GATE_RULES)
def test_fused_names_the_rule_that_failed(ours, arguments, rule):
    with pytest.raises(PathNotEligible) as error:
        ours(H, path="fused", name="layer", **arguments).build((B, T, D))
    assert str(error.value) == refusal("fused", rule)


def test_fused_refuses_a_cell_of_other_equations_a_gpu_and_another_backend(monkeypatch):
    class OwnCell(LSTMCell):
        def call(self, inputs, states, training=False):
            return super().call(2 * inputs, states, training)

    layer = LSTM(H, path="fused", name="layer")
    layer.cell = OwnCell(H)
    assert paths.broken_rule("fused", layer) == "the cell must be LSTMCell or GRUCell, not OwnCell"
    layer = LSTM(H)
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    assert paths.broken_rule("fused", layer) == "a GPU is visible, and the kernels are for the CPU"
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert paths.broken_rule("fused", layer) == "the backend must be tensorflow, not torch"


EXPLANATIONS = [
    ({}, "cudnn: no, no GPU is visible to the tensorflow backend; fused: yes; cell: yes; auto runs fused"),
    (
        {"recurrent_dropout": 0.2},
        "cudnn: no, recurrent_dropout must be 0, not 0.2 and no GPU is visible to the tensorflow backend; "
        "fused: no, recurrent_dropout must be 0, not 0.2; cell: yes; auto runs cell",
    ),
    (
        {"use_bias": False, "path": "cudnn"},
        "cudnn: no, use_bias must be True and no GPU is visible to the tensorflow backend; fused: yes; cell: yes; "
        "cudnn runs nothing: it raises",
    ),
]


@OURS
@pytest.mark.parametrize(("arguments", "text"), EXPLANATIONS)
def test_the_paths_are_explained(monkeypatch, ours, arguments, text):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: False)
    assert str(ours(H, **arguments).explain_path((None, None, D))) == text


def test_the_explanation_on_a_gpu_is_cudnn(monkeypatch):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    explanation = LSTM(H).explain_path((B, T, D))
    assert (explanation.asked, explanation.runs) == ("auto", "cudnn")
    assert [verdict.path for verdict in explanation.verdicts if not verdict.broken] == ["cudnn", "cell"]


@pytest.mark.parametrize("shape", [(B, T), (B, 0, D)])
def test_the_paths_of_what_is_no_batch_of_sequences_are_not_explained(shape):
    with pytest.raises(InvalidInput) as error:
        LSTM(H).explain_path(shape)
    assert str(error.value) == (
        f"Batch shape {list(shape)} is not one of sequences: give [batch, steps, features], each 1 or more, "
        "or None where it is free."
    )


EVERY_PATH = pytest.mark.parametrize("path", ["auto", "cell", "fused"])


@OURS
@EVERY_PATH
def test_no_units_and_a_dropout_that_is_no_rate_are_refused(ours, path):
    with pytest.raises(ValueError, match=r"invalid value for argument `units`, expected a positive integer, got 0"):
        ours(0, path=path)
    with pytest.raises(ValueError, match=r"^dropout=7.0 is not a dropout rate: give a number from 0 up to, not incl"):
        ours(H, path=path, dropout=7.0)


@OURS
@EVERY_PATH
def test_input_that_does_not_fit_is_refused(ours, path):
    layer, x = ours(H, path=path, name="layer"), sequences()
    with pytest.raises(InvalidInput) as error:
        layer(x[:, :0])
    assert "Layer 'layer' was given a sequence of 0 steps: give at least 1." in str(error.value)
    with pytest.raises(InvalidInput) as error:
        layer(x, mask=np.ones((B, T - 1), bool))
    assert "was given a mask of shape [2, 4]: a sequence of shape [2, 5, 3] takes one of shape [2, 5]." in str(
        error.value
    )
    with pytest.raises(InvalidInput) as error:
        layer(x, initial_state=[np.zeros((B + 1, H), "f")] * len(layer.state_size))
    given, wanted = (", ".join([f"[{size}, 4]"] * len(layer.state_size)) for size in (3, 2))
    assert f"was given states of shapes {given}: it takes {wanted}." in str(error.value)


@OURS
def test_cudnn_without_a_gpu_says_so(monkeypatch, ours):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: False)
    with pytest.raises(PathNotEligible) as error:
        ours(H, path="cudnn", name="layer")(sequences())
    assert str(error.value) == (
        "Layer 'layer' cannot run path='cudnn': no GPU is visible to the tensorflow backend. "
        "Change that, or use path='auto' or path='cell'."
    )


@OURS
@pytest.mark.parametrize("nested", [False, True])
def test_cudnn_refuses_a_mask_that_is_not_right_padded(monkeypatch, ours, nested):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    layer = ours(H, path="cudnn", name="layer")
    layer.build((B, T, D))
    mask = keras.ops.convert_to_tensor(np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], bool))
    with pytest.raises(PathNotEligible) as error:
        layer.inner_loop(sequences(), [np.zeros((B, H), "f")] * 2, [mask, None] if nested else mask)
    assert str(error.value) == (
        "Layer 'layer' cannot run path='cudnn': the mask must be right-padded (True up to the length, "
        "False after it) in every row. Change that, or use path='auto' or path='cell'."
    )


def test_cudnn_refuses_any_mask_where_keras_has_no_masked_cudnn(monkeypatch):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(PathNotEligible) as error:
        LSTM(H, path="cudnn", name="layer").inner_loop(sequences(), [], np.ones((B, T), bool))
    assert str(error.value) == refusal("cudnn", "cuDNN takes no mask on the torch backend")


def test_a_gru_on_jax_has_no_cudnn(monkeypatch):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert paths.broken_rule("cudnn", GRU(H)) == "Keras has no cuDNN GRU on the jax backend"
    assert paths.broken_rule("cudnn", LSTM(H)) is None


@pytest.mark.skipif(paths.gpu_is_there(), reason="needs a machine without a GPU")
def test_cudnn_never_falls_back_in_silence(monkeypatch):
    """A cuDNN layer that passes every rule reaches Keras with `use_cudnn=True`, which raises where cuDNN is missing."""
    monkeypatch.setattr(paths, "gpu_is_there", lambda: True)
    with pytest.raises(ValueError, match="use_cudnn=True was specified, but cuDNN is not supported"):
        LSTM(H, path="cudnn")(sequences())


@pytest.mark.parametrize(
    ("mask", "expected"),
    [([[1, 1, 0], [1, 1, 1]], True), ([[0, 0, 0]], True), ([[0, 1, 1]], False), ([[1, 0, 1]], False)],
)
def test_right_padding_is_recognised(mask, expected):
    assert paths.right_padded(np.array(mask, bool)) is expected
