"""`path="fused"`: value and gradient against the NumPy oracle and the cell, in every way TensorFlow runs it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import oracle
from tests.tiers import some
from zoo.layers import GRU, LSTM, Bidirectional, fused

B, T, D, H = 5, 6, 3, 4
KINDS = {"lstm": (LSTM, {}), "gru": (GRU, {}), "gru before": (GRU, {"reset_after": False})}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
MASK = np.array([[1] * 6, [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1], [0] * 6], bool)


def built(kind, seed=0, **arguments):
    layer_type, more = KINDS[kind]
    layer = layer_type(H, **{"path": "fused", **more, **arguments})
    layer.build((None, None, D))
    rng = np.random.default_rng(seed)
    layer.set_weights([0.5 * rng.standard_normal(weight.shape) for weight in layer.weights])
    return layer


def data(kind, seed=1):
    """x, states, and what the outputs are weighed with: the gradient that comes from above."""
    rng, count = np.random.default_rng(seed), 2 if kind == "lstm" else 1
    shapes = [(B, T, D), *[(B, H)] * count, (B, T, H), *[(B, H)] * count]
    values = [rng.standard_normal(shape).astype("float32") for shape in shapes]
    return values[0], values[1 : 1 + count], values[1 + count], values[2 + count :]


def differentiate(layer, x, states, d_output, d_states, mask=None, wrap=lambda function: function, training=False):
    """Outputs and final states, then the gradients of x, the states and the weights."""
    variables = [variable.value for variable in layer.trainable_variables]

    def run(x, *states):
        with tf.GradientTape() as tape:
            tape.watch((x, states))
            output, *finals = layer(x, initial_state=list(states), mask=mask, training=training)
            parts = zip((output, *finals), (d_output, *d_states), strict=True)
            loss = tf.add_n([tf.reduce_sum(tf.cast(part, tf.float32) * d) for part, d in parts])
        return [output, *finals], tape.gradient(loss, [x, *states, *variables])

    given = [tf.constant(value) for value in (x, *states)]
    return [np.asarray(value, "float64") for value in tf.nest.flatten(wrap(run)(*given))]


def expected(kind, layer, x, states, d_output, d_states):
    """The same from the oracle, in float64."""
    w = oracle.Weights(*(np.asarray(weight, "float64") for weight in layer.get_weights()))
    x, states, d_output, d_states = tf.nest.map_structure(
        lambda a: a.astype("float64"), (x, states, d_output, d_states)
    )
    if kind == "lstm":
        run = oracle.lstm(x, *states, w)
        gradients = oracle.lstm_gradients(x, *states, w, d_output, *d_states)
    else:
        after = kind == "gru"
        run = oracle.gru(x, states[0], w, after)
        gradients = oracle.gru_gradients(x, states[0], w, d_output, d_states[0], after)
    sums = gradients.x, *gradients.states, gradients.kernel, gradients.recurrent_kernel, gradients.bias
    return [run.sequence, *run.states, *sums]


def same(got, want, tolerance=1e-5):
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


def free(function):
    """A graph in which batch and time are known only at run time."""
    return lambda *given: tf.function(
        function,
        input_signature=[tf.TensorSpec([None] * (value.shape.rank - 1) + value.shape[-1:]) for value in given],
        autograph=False,
    )(*given)


WAYS = {
    "eager": lambda function: function,
    "graph": tf.function(autograph=False),
    "graph of free sizes": free,
    "XLA": tf.function(autograph=False, jit_compile=True),
}


@pytest.mark.parametrize(
    ("kind", "way"), [*((kind, "eager") for kind in KINDS), *(("lstm", way) for way in WAYS if way != "eager"),
                      ("gru", "graph of free sizes"), ("gru", "XLA")]
)  # fmt: skip
def test_values_and_every_gradient_match_the_oracle(kind, way):
    layer = built(kind, return_sequences=True, return_state=True)
    given = data(kind)
    same(differentiate(layer, *given, wrap=WAYS[way]), expected(kind, layer, *given))


@pytest.mark.parametrize(
    ("kind", "zero"), some([("lstm", True), ("lstm", False), ("gru before", False), ("gru", True)])
)
def test_a_mask_of_any_pattern_gives_what_the_cell_gives_in_value_and_gradient(kind, zero):
    x, states, d_output, d_states = data(kind)
    results = []
    for path in ("cell", "fused"):
        layer = built(kind, return_sequences=True, return_state=True, path=path, zero_output_for_mask=zero)
        given = (layer, x, states, d_output, d_states, tf.constant(MASK))
        results.append(differentiate(*given, wrap=WAYS["graph"]))
    same(results[1], results[0])


@pytest.mark.parametrize(
    ("kind", "arguments"),
    some(
        [
            *(("lstm", {}), ("lstm", {"use_bias": False}), ("gru", {"go_backwards": True})),
            *(("gru", {"use_bias": False}), ("lstm", {"dtype": "float64"})),
            *(("gru before", {"use_bias": False}), ("gru before", {"go_backwards": True})),
        ]
    ),
    ids=str,
)
def test_the_last_output_alone_gives_what_the_cell_gives_in_value_and_gradient(kind, arguments):
    x, states, d_output, d_states = data(kind)
    results = []
    for path in ("cell", "fused"):
        layer = built(kind, return_state=True, path=path, **arguments)
        given = (layer, x, states, d_output[:, 0], d_states, tf.constant(MASK))
        results.append(differentiate(*given, wrap=WAYS["graph"]))
    same(results[1], results[0])


def test_the_oracle_agrees_where_a_masked_row_starts_from_zeros():
    """Masked steps against NumPy itself, not the cell."""
    layer, (x, *_) = built("lstm", return_sequences=True), data("lstm")
    w = oracle.Weights(*(np.asarray(weight, "float64") for weight in layer.get_weights()))
    want = oracle.lstm(x.astype("float64"), *(np.zeros((B, H)),) * 2, w, MASK).sequence
    np.testing.assert_allclose(layer(x, mask=tf.constant(MASK)), want, atol=1e-5)


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_float16", 5e-3), ("mixed_bfloat16", 4e-2)])
@EVERY_KIND
def test_mixed_precision_keeps_to_the_float32_answer(kind, policy, tolerance):
    given = data(kind)
    half, full = (built(kind, return_sequences=True, return_state=True, dtype=dtype) for dtype in (policy, "float32"))
    assert half(given[0])[0].dtype == half.compute_dtype != "float32"
    got, want = (differentiate(layer, *given, wrap=WAYS["graph"]) for layer in (half, full))
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("shards", [1, 3])
def test_any_number_of_rows_is_cut_in_any_number_of_shards(monkeypatch, rows, shards):
    monkeypatch.setattr(fused, "_shards", lambda: shards)
    x = np.random.default_rng(0).standard_normal((rows, T, D)).astype("float32")
    fast, cell = (built("gru", path=path) for path in ("fused", "cell"))
    graph = tf.function(fast, input_signature=[tf.TensorSpec([None, None, D])], autograph=False)
    np.testing.assert_allclose(graph(x), cell(x), atol=1e-5)


def test_directions_side_by_side_are_cut_in_fewer_shards(monkeypatch):
    monkeypatch.setattr(fused.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    with fused.side_by_side(2):
        assert fused._shards() == 2
    assert fused._shards() == 4


@pytest.mark.parametrize(
    ("size", "rounded"), [(1, 8), (8, 8), (9, 16), (32, 32), (33, 40), (100, 112), (128, 128), (1000, 1024)]
)
def test_a_length_known_only_at_run_time_is_rounded_up(size, rounded):
    assert int(fused._rounded(tf.constant(size), fused.SHORTEST)) == rounded


def test_a_size_known_beforehand_is_taken_as_it_is():
    assert fused._rounded(100, fused.SHORTEST) == 100


def test_dropout_drops_the_same_inputs_at_every_step():
    keras.utils.set_random_seed(3)  # with which some rows lose their input and some do not
    layer = built("lstm", return_sequences=True, dropout=0.5)
    layer.cell.kernel.assign(np.ones((D, 4 * H)))
    x = np.zeros((B, T, D), "float32")
    x[..., 0] = 1  # of each row one input is left, which is dropped in the whole row or in none of it
    dropped = np.asarray(layer(x, training=True))
    alive, dead = np.asarray(layer(2 * x)), np.asarray(layer(0 * x))
    rows = [np.allclose(row, on, atol=1e-6) for row, on in zip(dropped, alive, strict=True)]
    assert 0 < sum(rows) < B
    for row, on, off, kept in zip(dropped, alive, dead, rows, strict=True):
        np.testing.assert_allclose(row, on if kept else off, atol=1e-6)


@EVERY_KIND
def test_a_stateful_layer_carries_its_state_as_the_cell_does(kind):
    x = np.random.default_rng(0).standard_normal((B, 2 * T, D)).astype("float32")
    layer_type, more = KINDS[kind]
    stateful = layer_type(H, path="fused", stateful=True, **more)
    stateful.build((B, T, D))
    whole = built(kind, path="cell")
    stateful.set_weights(whole.get_weights())
    stateful(x[:, :T])
    np.testing.assert_allclose(stateful(x[:, T:]), whole(x), atol=1e-5)


def test_fit_with_auto_learns_the_same_weights_as_fit_with_the_cell():
    x, y = np.random.default_rng(0).standard_normal((7, T, D)).astype("float32"), np.ones((7, 2 * H), "float32")
    learnt = []
    for path in ("auto", "cell"):
        frames = keras.Input((None, D))
        model = keras.Model(frames, Bidirectional(GRU(H, path=path))(keras.layers.Masking()(frames)))
        rng = np.random.default_rng(1)
        model.set_weights([0.5 * rng.standard_normal(weight.shape) for weight in model.weights])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        learnt.append(model.get_weights())
    same(*learnt)


def test_a_graph_holds_no_function_but_the_compiled_ones():
    """Around those XLA would take all that goes in for constants, and compile anew at every step of `fit`."""
    graph = _graph(built("lstm", path="auto"), training=True)
    called = {node.attr["f"].func.name for node in graph.node if "PartitionedCall" in node.op}
    assert called and all(name.startswith("__inference__forward_") for name in called), called


def test_outside_training_auto_runs_operators_that_any_runtime_has():
    graph = _graph(built("gru", path="auto"), training=False)
    assert "TensorListStack" in {node.op for node in graph.node}
    assert not [node.op for node in graph.node if "PartitionedCall" in node.op]


def _graph(layer, training):
    function = tf.function(lambda x: layer(x, training=training), autograph=False)
    return function.get_concrete_function(tf.TensorSpec([None, None, D])).graph.as_graph_def()
