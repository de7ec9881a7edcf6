"""Integer recurrences by themselves: a marker in a file made by hand, against NumPy, in LiteRT and TFLite Micro."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from export import tflite_loops
from export.lowering.recurrence import Recurrence
from export.tflite_graph import Graph, Kind
from tests import oracle

T, D, H = 30, 4, 6
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
KINDS = [("lstm", False), ("gru", True), ("gru", False), ("simple_rnn", False)]
FLOAT = schema.TensorType.FLOAT32


def recurrence(kind, reset_after=False, scale=0.6, seed=0):
    random, gates = np.random.default_rng(seed), GATES[kind]
    shapes = (D, gates * H), (H, gates * H), (2, gates * H) if reset_after else (gates * H,)
    weights = [(random.standard_normal(shape) * scale).astype("float32") for shape in shapes]
    return Recurrence("memory", kind, *weights, "tanh", "sigmoid", reset_after, False, False)


def marked(steps=T, batch=1):
    """A file of one operator: x [B, T, D] -> marker -> sequence [B, T, H], all float."""
    model = schema.ModelT()
    model.version, model.operatorCodes, model.buffers, model.signatureDefs = 3, [], [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.name, graph.tensors, graph.operators, graph.inputs, graph.outputs = b"main", [], [], [], []
    model.subgraphs = [graph]
    main = Graph(model, 0)
    x, y = main.tensor(Kind([batch, steps, D], FLOAT)), main.tensor(Kind([batch, steps, H], FLOAT))
    main.inputs, main.outputs = [x], [y]
    main.custom("marker", x, y)
    return main.packed()


def integers(item, xs, **sizes):
    return tflite_loops.replace(marked(**sizes), {"marker": (item, tflite_loops.ranges(item, xs))})


def in_litert(content, x):
    interpreter = Interpreter(model_content=content, num_threads=1)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, x)
    answers = []
    for _ in range(2):
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy())
    np.testing.assert_array_equal(*answers)
    return answers[0]


def frames(batch=1, steps=T, seed=1):
    return np.random.default_rng(seed).standard_normal((batch, steps, D)).astype("float32")


def wanted(item, x):
    weights, h = oracle.Weights(item.kernel, item.recurrent_kernel, item.bias), np.zeros((len(x), H))
    if item.kind == "lstm":
        return oracle.lstm(x, h, h, weights).sequence
    if item.kind == "gru":
        return oracle.gru(x, h, weights, item.reset_after).sequence
    return oracle.simple_rnn(x, h, weights).sequence


@pytest.mark.parametrize(("kind", "reset_after"), KINDS)
def test_every_kind_is_within_the_error_of_its_int8_weights(kind, reset_after):
    item, x = recurrence(kind, reset_after), frames()
    error = in_litert(integers(item, [x]), x) - wanted(item, x)
    assert 0 < np.sqrt(np.mean(error**2)) < 0.006


@pytest.mark.parametrize(("kind", "reset_after"), KINDS)
def test_tflite_micro_agrees_with_litert(kind, reset_after):
    micro = pytest.importorskip("tflite_micro", reason="tflite-micro has wheels for Linux on x86-64 only").runtime
    item, x = recurrence(kind, reset_after), frames()
    content = integers(item, [x])
    interpreter = micro.Interpreter.from_bytes(content)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_output(0), in_litert(content, x), atol=2e-3)


def test_a_file_of_free_time_takes_any_number_of_steps():
    item = recurrence("gru", reset_after=True)
    content = integers(item, [frames()], steps=None)
    for steps in (1, 3, 50):
        x = np.clip(frames(steps=steps), -2, 2)
        np.testing.assert_allclose(in_litert(content, x), wanted(item, x), atol=0.02)


def test_rows_of_a_batch_do_not_meet():
    item, x = recurrence("lstm"), frames(batch=3)
    together = in_litert(integers(item, [x], batch=3), x)
    np.testing.assert_allclose(together, wanted(item, x), atol=0.02)


def test_a_state_that_moves_slowly_moves_at_all():
    """An update gate near 1 changes h by less than an int8 step at a time."""
    item = recurrence("gru", scale=0.0)
    item.bias[:H], item.bias[2 * H :] = 6.0, 2.0
    x = np.zeros((1, 400, D), "float32")
    got = in_litert(integers(item, [x], steps=400), x)
    assert wanted(item, x)[0, 1, 0] - wanted(item, x)[0, 0, 0] < 1 / 256
    np.testing.assert_allclose(got, wanted(item, x), atol=0.03)


def test_a_large_cell_state_stays_inside_its_range():
    item = recurrence("lstm", scale=0.0)
    item.bias[:] = np.repeat([8.0, 8.0, 8.0, 8.0], H)
    x = np.zeros((1, T, D), "float32")
    found = tflite_loops.ranges(item, [x])
    assert 29 < found.cell < 30
    np.testing.assert_allclose(in_litert(integers(item, [x]), x), wanted(item, x), atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "expressed"),
    [
        ({}, True),
        ({"activation": "relu"}, False),
        ({"recurrent_activation": "hard_sigmoid"}, False),
        ({"returns_states": True}, False),
        ({"peepholes": np.zeros((3, H))}, False),
    ],
)
def test_what_integers_compute(changes, expressed):
    item = Recurrence(**{**vars(recurrence("lstm")), **changes})
    assert tflite_loops.expresses(item) is expressed
