"""Looking inside a model: every gate and state against the NumPy oracle."""

import json

import keras
import numpy as np
import pytest

import zoo
from tests import oracle
from zoo import layers
from zoo.errors import InvalidInput
from zoo.inspection import inspect, picture
from zoo.layers import GRU, LSTM, PeepholeLSTM

UNITS, STEPS = 3, 7
X = np.random.default_rng(0).normal(size=(2, STEPS, 4)).astype("float32")


def model_of(*layers, masked=False):
    x = frames = keras.Input((None, 4), name="frames")
    x = keras.layers.Masking(0.0)(x) if masked else x
    for layer in layers:
        x = layer(x)
    model = keras.Model(frames, x, name="little")
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.6, weight.shape))
    return model


def weights_of(cell):
    return oracle.Weights(*(np.array(weight, "float64") for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)))


def lstm_signals(x, w):
    """Every signal [B, T, H] of an LSTM from zero states, by the oracle's own step."""
    h = c = np.zeros((len(x), w.units))
    names = ("input_gate", "forget_gate", "candidate", "output_gate", "cell_state", "hidden_state")
    steps = []
    for t in range(x.shape[1]):
        gates = oracle._lstm_gates(x[:, t], h, w)
        h, c = oracle.lstm_step(x[:, t], h, c, w)
        steps.append((*gates, c, h))
    return {name: np.stack(values, 1) for name, values in zip(names, zip(*steps, strict=True), strict=True)}


def gru_signals(x, w, reset_after):
    h, steps = np.zeros((len(x), w.units)), []
    for t in range(x.shape[1]):
        z, r, n, _ = oracle._gru_gates(x[:, t], h, w, reset_after)
        h = oracle.gru_step(x[:, t], h, w, reset_after)
        steps.append((z, r, n, h))
    names = ("update_gate", "reset_gate", "candidate", "hidden_state")
    return {name: np.stack(values, 1) for name, values in zip(names, zip(*steps, strict=True), strict=True)}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", [LSTM, keras.layers.LSTM])
def test_every_signal_of_an_lstm_is_the_oracles(kind):
    layer = kind(UNITS)
    found = inspect(model_of(layer), X)
    assert (found.layer, found.cell, found.units) == (layer.name, "LSTM", (0, 1, 2))
    assert_close(found.signals, lstm_signals(X.astype("float64"), weights_of(layer.cell)))
    np.testing.assert_array_equal(found.inputs, X)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("kind", [GRU, keras.layers.GRU])
def test_every_signal_of_a_gru_is_the_oracles(kind, reset_after):
    layer = kind(UNITS, reset_after=reset_after)
    found = inspect(model_of(layer), X)
    assert_close(found.signals, gru_signals(X.astype("float64"), weights_of(layer.cell), reset_after))


def test_a_layer_without_bias_has_its_signals_too():
    layer = GRU(UNITS, use_bias=False)
    model = model_of(layer)
    w = oracle.Weights(*(np.array(weight, "float64") for weight in (layer.cell.kernel, layer.cell.recurrent_kernel)))
    assert_close(inspect(model, X).signals, gru_signals(X.astype("float64"), w, True))


def test_the_second_direction_is_in_the_order_of_the_input():
    layer = keras.layers.Bidirectional(LSTM(UNITS, return_sequences=True))
    model = model_of(layer)
    found = inspect(model, X)
    x = X.astype("float64")
    assert_close(found.signals, lstm_signals(x, weights_of(layer.forward_layer.cell)))
    backward = lstm_signals(x[:, ::-1], weights_of(layer.backward_layer.cell))
    assert_close(found.backward, {name: values[:, ::-1] for name, values in backward.items()})
    both = np.concatenate([found["hidden_state"], found.backward["hidden_state"]], -1)
    np.testing.assert_allclose(both, model.predict(X, verbose=0), atol=1e-5)


def test_a_layer_of_a_stack_is_chosen_by_its_name():
    layers = LSTM(UNITS, return_sequences=True, name="low"), GRU(2, name="high")
    model = model_of(*layers)
    assert inspect(model, X).layer == "low"
    found = inspect(model, X, layer="high")
    low = lstm_signals(X.astype("float64"), weights_of(layers[0].cell))["hidden_state"]
    assert_close(found.signals, gru_signals(low, weights_of(layers[1].cell), True))


def test_chosen_units_are_those_columns():
    model = model_of(LSTM(UNITS))
    whole, part = inspect(model, X), inspect(model, X, units=[2, 0])
    assert part.units == (2, 0)
    for name, values in whole.signals.items():
        np.testing.assert_array_equal(part[name], values[..., [2, 0]])


def test_a_masked_step_keeps_what_the_step_before_it_had():
    x = X.copy()
    x[0, 4:] = 0
    layer = LSTM(UNITS)
    found = inspect(model_of(layer, masked=True), x)
    np.testing.assert_array_equal(found.mask, x.any(-1))
    expected = lstm_signals(X.astype("float64"), weights_of(layer.cell))["cell_state"]
    np.testing.assert_allclose(found["cell_state"][0, :4], expected[0, :4], atol=1e-5)
    np.testing.assert_allclose(found["cell_state"][0, 4:], np.repeat(expected[0, 3:4], 3, 0), atol=1e-5)
    np.testing.assert_allclose(found["cell_state"][1], expected[1], atol=1e-5)


def test_one_example_needs_no_batch():
    model = model_of(GRU(UNITS))
    np.testing.assert_allclose(inspect(model, X[1])["update_gate"], inspect(model, X)["update_gate"][1:], atol=1e-6)


def test_a_cell_of_other_gates_shows_its_states():
    layer = PeepholeLSTM(UNITS, return_sequences=True)
    model = model_of(layer)
    found = inspect(model, X)
    assert list(found.signals) == ["cell_state", "hidden_state"]
    np.testing.assert_allclose(found["hidden_state"], model.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    "kind",
    [keras.layers.SimpleRNN, layers.IndRNN, layers.LayerNormGRU, layers.MinGRU, layers.MinLSTM, layers.MinimalGated],
)
def test_a_cell_of_one_state_shows_its_hidden_state(kind):
    model = model_of(kind(UNITS, return_sequences=True))
    found = inspect(model, X)
    assert list(found.signals) == ["hidden_state"]
    np.testing.assert_allclose(found["hidden_state"], model.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize(("units", "projection"), [(5, 2), (2, 5)])
def test_states_of_two_widths_are_whole(units, projection, tmp_path):
    model = model_of(layers.ProjectedLSTM(units, projection_units=projection, return_sequences=True))
    found = inspect(model, X)
    assert found["cell_state"].shape == (2, STEPS, units)
    np.testing.assert_allclose(found["hidden_state"], model.predict(X, verbose=0), atol=1e-5)
    assert found.plot(tmp_path / "states.png").stat().st_size
    with pytest.raises(InvalidInput) as error:
        inspect(model, X, units=[2])
    assert str(error.value).endswith(" has no unit 2: choose from 0 to 1.")


def test_a_stateful_layer_starts_from_its_states_and_keeps_them():
    x = keras.Input(batch_shape=(2, None, 4))
    layer = LSTM(UNITS, stateful=True, return_sequences=True)
    model = keras.Model(x, layer(x))
    model.predict(X, verbose=0)
    before = [state.numpy() for state in layer.states]
    found = inspect(model, X)
    for state, value in zip(layer.states, before, strict=True):
        np.testing.assert_array_equal(state.numpy(), value)
    np.testing.assert_allclose(found["hidden_state"], model.predict(X, verbose=0), atol=1e-5)


def test_several_cells_and_models_without_inputs_are_refused():
    several = model_of(keras.layers.RNN([keras.layers.GRUCell(2), keras.layers.GRUCell(3)], name="several"))
    for model, text in (
        (several, "Layer 'several' has 2 cells: `inspect` looks into one. Give each its own layer."),
        (
            keras.Sequential([LSTM(2)], name="unbuilt"),
            "Model 'unbuilt' has no inputs of its own: build it, or wrap it as keras.Model(x, y).",
        ),
    ):
        with pytest.raises(InvalidInput) as error:
            inspect(model, X)
        assert str(error.value) == text


@pytest.mark.filterwarnings("error")
def test_an_example_that_is_masked_throughout_can_be_drawn(tmp_path):
    x = X.copy()
    x[1] = 0
    found = inspect(model_of(LSTM(8), masked=True), x)
    assert found.plot(tmp_path / "states.png", example=1).stat().st_size


def test_masked_steps_are_neither_counted_nor_lost(tmp_path, zoo_command):
    x = X.copy()
    x[:, :4] = 0
    model = model_of(LSTM(UNITS), masked=True)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x[:1])
    found = inspect(model, x[:1])
    ran = zoo_command("inspect", tmp_path / "model.keras", tmp_path / "x.npy", "--arrays", tmp_path / "a.npz", "--json")
    gate = next(row for row in json.loads(ran.out)["signals"] if row["signal"] == "input_gate")
    assert gate["mean"] == pytest.approx(float(found["input_gate"][:, 4:].mean()), abs=1e-6)
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["mask"], x[:1].any(-1))


def test_the_model_is_as_it_was():
    layer = LSTM(UNITS)
    model = model_of(layer)
    before, weights = model.predict(X, verbose=0), model.get_weights()
    inspect(model, X)
    assert "call" not in layer.__dict__
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_pretrained_model_goes_by_its_name():
    x = np.random.default_rng(0).normal(0, 0.2, (20, 9)).astype("float32")
    found = zoo.inspect("gru.har", x, units=[5])
    assert found.layer == "gru_1" and found["reset_gate"].shape == (1, 20, 1)
    last = zoo.load("gru.har").get_layer("gru_1").output.shape[-1]
    assert zoo.inspect("gru.har", x).units == tuple(range(last))


# ------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_written_in_each_format(tmp_path, suffix):
    path = inspect(model_of(LSTM(UNITS)), X).plot(tmp_path / f"gates{suffix}")
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


def drawn(found, tmp_path, monkeypatch, **options):
    """The matplotlib figure of an inspection."""
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    found.plot(tmp_path / "gates.png", **options)
    return figures[0]


def test_few_units_are_lines_that_hold_the_values(tmp_path, monkeypatch):
    found = inspect(model_of(GRU(UNITS)), X)
    figure = drawn(found, tmp_path, monkeypatch, example=1)
    panels = figure.axes[: 1 + len(found.signals)]
    assert [panel.get_ylabel().replace("\n", "_") for panel in panels] == ["input", *found.signals]
    for panel, values in zip(panels[1:], found.signals.values(), strict=True):
        curves = np.stack([line.get_ydata() for line in panel.lines[:UNITS]], -1)
        np.testing.assert_allclose(curves, values[1], atol=1e-6)


def test_many_units_are_a_map_with_the_same_values_in_another_order(tmp_path, monkeypatch):
    found = inspect(model_of(GRU(picture.LINES + 2)), X)
    figure = drawn(found, tmp_path, monkeypatch)
    image = figure.axes[1].images[0].get_array()
    expected = found["update_gate"][0].T
    assert image.shape == expected.shape
    np.testing.assert_allclose(np.sort(image, 0), np.sort(expected, 0), atol=1e-6)


def test_words_stand_over_their_steps_and_masked_steps_are_left_out(tmp_path, monkeypatch):
    x = X.copy()
    x[0, 5:] = 0
    found = inspect(model_of(LSTM(UNITS), masked=True), x)
    words = ["a", "very", "good", "film", "!", "", ""]
    figure = drawn(found, tmp_path, monkeypatch, words=words)
    assert [text.get_text() for text in figure.axes[0].texts] == words
    assert [text.get_position()[0] for text in figure.axes[0].texts] == [step + 0.5 for step in range(STEPS)]
    assert np.isnan(figure.axes[1].lines[0].get_ydata()[5:]).all()


@pytest.mark.parametrize(("words", "named"), [(["to", *"be or!"], "word"), ([*"to be", "", ""], "character")])
def test_the_axis_says_whether_words_or_characters_are_read(tmp_path, monkeypatch, words, named):
    figure = drawn(inspect(model_of(GRU(UNITS)), X), tmp_path, monkeypatch, words=words)
    assert figure.axes[-1].get_xlabel() == named


@pytest.mark.parametrize(("rate", "named"), [(8000.0, "seconds"), (None, "sample")])
def test_a_wave_has_its_unit_and_its_axis_seconds_where_the_rate_is_known(tmp_path, monkeypatch, rate, named):
    frames = keras.Input((None, 1))
    found = inspect(keras.Model(frames, GRU(UNITS)(frames)), X[..., :1])
    figure = drawn(found, tmp_path, monkeypatch, sample_rate=rate, unit="full scale")
    assert figure.axes[-1].get_xlabel() == named
    assert figure.get_suptitle().endswith("\ninput in full scale")


def test_both_directions_stand_side_by_side(tmp_path, monkeypatch):
    found = inspect(model_of(keras.layers.Bidirectional(GRU(UNITS))), X)
    figure = drawn(found, tmp_path, monkeypatch, sample_rate=50.0)
    titles = [panel.get_title() for panel in figure.axes if panel.get_title()]
    assert titles == ["forward, reads left to right", "backward, reads right to left"]
    assert {panel.get_xlabel() for panel in figure.axes if panel.get_xlabel()} == {"seconds"}


# -------------------------------------------------------------------------------------------------- errors


def fails(call, text):
    with pytest.raises(InvalidInput) as error:
        call()
    assert str(error.value) == text


def test_what_cannot_be_looked_into_is_named(tmp_path):
    stack = model_of(LSTM(UNITS, return_sequences=True, name="low"), GRU(2, name="high"))
    fails(lambda: inspect(stack, X, layer="top"), "Model 'little' has no recurrent layer 'top'; it has low, high.")
    fails(lambda: inspect(stack, X, units=[3]), "Layer 'low' has no unit 3: choose from 0 to 2.")
    fails(lambda: inspect(stack, X, units=[]), "Layer 'low' has no unit at all: choose from 0 to 2.")
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)], name="plain")
    fails(lambda: inspect(plain, X[:, 0]), "Model 'plain' has no recurrent layer to look into.")
    wrong = "Model 'little' takes frames [any, any, 4]; this input has shape [2, 7, 2]."
    fails(lambda: inspect(stack, X[..., :2]), wrong)
    found = inspect(stack, X)
    fails(
        lambda: found["forget"],
        "Layer 'low' has no signal 'forget'; "
        "it has input_gate, forget_gate, output_gate, candidate, cell_state, hidden_state.",
    )
    path = tmp_path / "gates.jpeg"
    fails(lambda: found.plot(path), f"{path} names no picture: end it in .png, .svg, .pdf.")
    text = "example=2 is not there: the input has 2, counted from 0."
    fails(lambda: found.plot(tmp_path / "gates.png", example=2), text)
    text = "2 words do not fit an input of 7 steps."
    fails(lambda: found.plot(tmp_path / "gates.png", words=["a", "b"]), text)


def test_a_layer_that_runs_twice_is_refused():
    frames, shared = keras.Input((None, 4)), GRU(UNITS, name="shared")
    twins = keras.Model(frames, shared(frames) + shared(-frames))
    fails(lambda: inspect(twins, X), "Layer 'shared' ran 2 times; `inspect` looks into one run.")


def test_a_model_of_two_inputs_is_refused():
    inputs = keras.Input((None, 4)), keras.Input((1,))
    model = keras.Model(inputs, GRU(UNITS)(inputs[0]) + inputs[1], name="two")
    fails(lambda: inspect(model, X), "Model 'two' has 2 inputs; `inspect` runs models of one.")


def test_many_features_are_rows_each_over_its_own_range(tmp_path, monkeypatch):
    frames = keras.Input((None, 13))
    x = np.arange(2 * 7 * 13, dtype="float32").reshape(2, 7, 13)
    x[:, :, 3] = 5  # one that never changes
    figure = drawn(inspect(keras.Model(frames, GRU(UNITS)(frames)), x), tmp_path, monkeypatch, unit="many units")
    (image,) = figure.axes[0].get_images()
    rows = np.asarray(image.get_array())
    np.testing.assert_allclose(rows[0], np.linspace(0, 1, 7), atol=1e-6)
    assert not rows[3].any() and figure.axes[0].get_ylabel() == "input,\n13 features"
    assert "many units" not in figure.get_suptitle()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("x.txt", "--arrays 'x.txt' must end in .npz."),
        ("nowhere/x.npz", "--arrays: there is no folder 'nowhere'."),
    ],
)
def test_arrays_that_could_not_be_written_are_refused_at_once(zoo_command, path, message):
    answer = zoo_command("inspect", "gru.har", "lost.npy", "--arrays", path)
    assert (answer.code, answer.err) == (2, f"zoo: {message}\n")
