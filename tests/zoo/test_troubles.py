"""The benchmarks of what is hard about recurrent networks, small: their rows, their data, their tools."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import zoo
from tests import oracle
from tests.tiers import some, thorough
from zoo import datasets
from zoo.benchmarks import (
    cost,
    gradient_flow,
    latency,
    long_sequences,
    memory,
    overfitting,
    process,
    small_data,
    tuning,
)
from zoo.cells import LSTMCell
from zoo.datasets import Split, Splits, copying
from zoo.loading import load
from zoo.tuning import Best, Trial

RNG = np.random.default_rng(0)


# ------------------------------------------------------------------------------------------- gradient flow


def test_the_gradient_that_flows_back_is_the_oracles(monkeypatch):
    lag, units = 5, 3
    cells = []

    def keep(units, lag, seed):
        cells.append(LSTMCell(units, dtype="float64"))
        return cells[0]

    monkeypatch.setitem(gradient_flow.CELLS, "LSTM", keep)
    found = gradient_flow.flow("LSTM", seed=0, lag=lag, units=units)
    w = oracle.Weights(*(np.array(weight) for weight in cells[0].get_weights()))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((gradient_flow.BATCH, lag + 1, gradient_flow.FEATURES))
    target, h = rng.standard_normal((gradient_flow.BATCH, units)), np.zeros((gradient_flow.BATCH, units))
    states = [(h, h)]
    for t in range(lag + 1):
        states.append(oracle.lstm_step(x[:, t], *states[-1], w))
    expected = [np.linalg.norm(target, axis=-1)]
    for back in range(1, lag + 1):
        start = lag + 1 - back  # the gradient of the last h with respect to h after `start` steps
        rest = oracle.lstm_gradients(
            x[:, start:], *states[start], w, np.zeros((len(x), back, units)), target, np.zeros_like(h)
        )
        expected.append(np.linalg.norm(rest.states[0], axis=-1))
    np.testing.assert_allclose(found, np.exp(np.log(expected).mean(-1)), rtol=1e-6)


def test_chrono_bias_lets_more_of_the_gradient_through():
    curves = {name: gradient_flow.flow(name, seed=0, lag=60, units=8) for name in gradient_flow.CELLS}
    reach = {name: curve[-1] / curve[0] for name, curve in curves.items()}
    assert max(reach, key=reach.get) == "LSTM, chrono bias"
    assert reach["LSTM, chrono bias"] > 1e3 * reach["LSTM"]


def test_gradient_flow_has_a_row_a_lag_and_a_picture(tmp_path):
    curves = {"GRU": np.geomspace(1, 1e-9, 501)}
    rows = gradient_flow.rows(curves)
    assert [row["lag"] for row in rows] == list(gradient_flow.LAGS)
    assert rows[0]["norm"] == "1" and rows[-1]["norm"] == "1e-09"
    assert gradient_flow.plot(curves, tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")


# ------------------------------------------------------------------------------------------ long sequences


@pytest.mark.parametrize(
    ("cell", "task"), some((cell, long_sequences.TASKS[place % 2]) for place, cell in enumerate(long_sequences.CELLS))
)
def test_a_long_sequence_is_a_row_with_its_error(cell, task):
    row = long_sequences.measure(cell, dataclasses.replace(task, length=6, updates=2, batch=4))
    assert (row["task"], row["length"], row["cell"], row["updates"]) == (task.name, 6, cell, 2)
    assert 0 <= float(row["error"]) < 3


@thorough
def test_long_sequences_go_on_with_the_rows_there_are_and_time_every_cell(monkeypatch, tmp_path):
    task = dataclasses.replace(long_sequences.TASKS[0], length=6, updates=1, batch=4)
    monkeypatch.setattr(long_sequences, "CELLS", {name: long_sequences.CELLS[name] for name in ("LSTM", "GRU")})
    monkeypatch.setattr(long_sequences, "ROUNDS", 2)
    known = long_sequences.measure("LSTM", task) | {"error": "0.125"}
    (tmp_path / "adding_6_0.json").write_text(json.dumps(known))
    rows = long_sequences.run(tmp_path, [task])
    assert [(row["cell"], row["us_per_step"] > 0) for row in rows] == [("LSTM", True), ("GRU", True)]
    assert rows[0]["error"] == "0.125" and json.loads((tmp_path / "adding_6_1.json").read_text())["cell"] == "GRU"


def test_copying_wants_the_symbols_after_the_signal():
    split = copying.generate(RNG, 4, blank=7)
    tokens = split.x.argmax(-1)
    assert (tokens == copying.SIGNAL).sum(1).tolist() == [1] * 4
    assert (tokens[:, 16] == copying.SIGNAL).all()  # ten steps before the end of 27
    np.testing.assert_array_equal(split.y[:, 17:], tokens[:, :10])
    assert (split.y[:, :17] == copying.BLANK).all()


@thorough
def test_each_way_trains_on_one_sequence_and_checkpointing_learns_what_keeping_every_step_does(monkeypatch):
    monkeypatch.setattr(memory, "PIECE", 8)
    found = {way: memory.train(way, steps=20, units=3, passes=2) for way in memory.WAYS}
    for run in found.values():
        assert len(run["losses"]) == len(run["seconds"]) == 2 and run["peak"] > 100
        assert all(np.isfinite(run["losses"]))
    np.testing.assert_allclose(*(found[way]["losses"] for way in ("LSTM", "LSTM, checkpointed")), rtol=1e-4)


@thorough
def test_memory_is_measured_in_a_process_of_its_own():
    row = memory.measure("LSTM, checkpointed", steps=30, units=3)
    assert (row["steps"], row["units"]) == (30, 3) and 200 < row["mib_before_training"] <= row["peak_mib"] < 2048


# ----------------------------------------------------------------------------------- few examples, many epochs


def people(examples=96, steps=4):
    """A data set like HAR: six activities, people 2 to 20."""
    y = (np.arange(examples) % 6).astype("int32")
    groups = np.array(small_data.LABELLED + small_data.SCORED)[np.arange(examples) // 6 % 9]
    x = RNG.normal(size=(examples, steps, 9)).astype("float32")
    split = Split(x, y, groups)
    return dataclasses.replace(datasets.get("har"), load=lambda: Splits(split, split, split))


def test_pretraining_sees_neither_the_people_nor_half_of_the_activities():
    seen, pool, scored = small_data.parts(people())
    assert seen.labels == small_data.PRETRAINED_ON
    assert np.unique(seen.load().train.y).tolist() == [0, 1, 2] and len(seen.load().train) == 48
    assert not set(pool.groups) & set(scored.groups)
    assert set(pool.groups) == set(small_data.LABELLED) and set(scored.groups) == set(small_data.SCORED)
    assert np.unique(pool.y).tolist() == list(range(6))


def test_a_draw_has_as_many_examples_of_each_class():
    _, pool, _ = small_data.parts(people())
    first, again, other = (small_data.draw(pool, 3, seed).load().train for seed in (0, 0, 1))
    assert np.bincount(first.y).tolist() == [3] * 6
    np.testing.assert_array_equal(first.x, again.x)
    assert np.abs(first.x - other.x).max() > 0


@thorough
def test_each_start_is_measured_and_drawn(tmp_path):
    seen, pool, scored = small_data.parts(people())
    source = small_data.pretrain(seen, tmp_path / "run", epochs=1)
    assert source.output_shape == (None, 3)
    rows = [small_data.measure(source, pool, scored, 2, start, 0, epochs=1) for start in small_data.STARTS]
    assert [row["start"] for row in rows] == list(small_data.STARTS)
    assert all(row["examples_scored"] == len(scored) and 0 <= row["accuracy"] <= 1 for row in rows)
    every = [{**row, "examples_per_class": count} for row in rows for count in small_data.PER_CLASS]
    assert small_data.plot(every, tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("remedy", some(overfitting.REMEDIES, 4))
def test_each_remedy_has_a_row_for_the_last_epoch_and_for_early_stopping(remedy):
    splits = people(24).load()
    last, stopped = overfitting.measure(remedy, splits, seed=0, epochs=2)
    assert (last["kept"], last["epoch"], stopped["kept"]) == ("last epoch", 2, "early stopping")
    assert last["gap"] == pytest.approx(last["train"] - last["test"])
    assert stopped["validation"] >= last["validation"]


def test_overfitting_trains_on_four_people():
    split = people().load().train
    chosen = overfitting.few_people(Splits(Split(split.x, split.y, split.y), split, split)).train
    assert set(chosen.groups) == {1, 3}  # of the subjects 1, 3, 6, 7 those that are there


# ------------------------------------------------------------------------------------------------ tuning, cost


def test_every_trial_is_a_row():
    trials = Trial(0, {"warmup": 0.1}, 0.5, 3, False), Trial(1, {"warmup": 0.12345}, 0.75, 2, True)
    rows = tuning.trials(Best(trials, trials[1], trials[0]), tuning.recipes.get("gru.har"), 3)
    assert [(row["trial"], row["best"], row["epochs"]) for row in rows] == [(0, False, 3), (1, True, 2)]
    assert json.loads(rows[1]["settings"]) == {"warmup": 0.123}


def test_the_states_of_a_stream_are_counted():
    assert cost.state_bytes(load("lstm.har")) == 4 * 2 * 64  # h and c
    assert cost.state_bytes(load("gru.har")) == 4 * 64
    both = keras.Sequential([keras.Input((None, 2)), keras.layers.Bidirectional(keras.layers.LSTM(3))])
    assert cost.state_bytes(both) == 4 * 2 * 2 * 3


def test_show_says_what_a_model_costs(zoo_command, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cost.measure, "__defaults__", (3,))
    monkeypatch.setattr(process, "apart", lambda function, arguments, threads: latency.rows(**arguments))
    found = json.loads(zoo_command("show", "gru.har", "--cost", "--json").out)
    assert found["parameters"] == 15961 and found["weight_bytes"] == 4 * 15961 and found["state_bytes"] == 256
    assert 0 < found["serving_mib_without_model"] < found["serving_mib"] < 500
    assert 0 < found["onnx_runtime_ms"] < found["keras_predict_ms"]
    monkeypatch.setattr(cost, "measure", lambda name: found)
    text = zoo_command("show", "gru.har", "--cost").out
    for part in ("15,961 (62 KiB in float32)", "multiply-adds", "256 B", "ONNX Runtime", "for 128 steps"):
        assert part in text


# ----------------------------------------------------------------------------------------------------- inspect


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "recording.npy"
    np.save(path, RNG.normal(0, 0.2, (200, 9)).astype("float32"))
    return path


def test_inspect_writes_a_picture_and_arrays(zoo_command, recording, tmp_path):
    out, arrays = tmp_path / "gates.png", tmp_path / "gates.npz"
    answer = zoo_command("inspect", "gru.har", recording, "--out", out, "--arrays", arrays, "--units", "4,2")
    assert answer.code == 0 and f"wrote {out}" in answer.out.replace("\n", "")
    assert "gru_1 (GRU), 2 units over 128 steps" in answer.out
    assert out.read_bytes().startswith(b"\x89PNG")
    with np.load(arrays) as file:
        assert file["units"].tolist() == [4, 2] and file["update_gate"].shape == (1, 128, 2)
        np.testing.assert_array_equal(file["inputs"][0], np.load(recording)[:128])


def test_inspect_takes_another_window_and_prints_facts(zoo_command, recording, tmp_path):
    arrays = tmp_path / "gates.npz"
    command = ("inspect", "bilstm.har", recording, "--example", 1, "--arrays", arrays, "--json")
    facts = json.loads(zoo_command(*command).out)
    assert (facts["layer"], facts["cell"], len(facts["units"])) == ("bidirectional_1", "LSTM", 64)
    assert len(facts["signals"]) == 12
    forget = next(item for item in facts["signals"] if item["signal"] == "forget_gate")
    with np.load(arrays) as file:
        np.testing.assert_array_equal(file["inputs"][0], np.load(recording)[64:192])
        assert forget["mean"] == pytest.approx(float(file["forget_gate"].mean()), rel=1e-5)
        assert forget["open"] == pytest.approx(float((file["forget_gate"] > 0.9).mean()), rel=1e-5)


def test_inspect_reads_a_prompt_character_by_character(zoo_command, tmp_path):
    arrays = tmp_path / "gates.npz"
    answer = zoo_command("inspect", "gru.shakespeare", "ROMEO:", "--arrays", arrays, "--units", "7")
    assert answer.code == 0 and "gru_1_inside (GRU), 1 units over 6 steps" in answer.out
    with np.load(arrays) as file:
        assert file["inputs"].tolist() == [zoo.pipeline("gru.shakespeare").tokens("ROMEO:")]


def test_inspect_takes_a_keras_file(zoo_command, tmp_path, recording):
    frames = keras.Input((None, 9))
    keras.Model(frames, keras.layers.GRU(3, name="mine")(frames)).save(tmp_path / "mine.keras")
    answer = zoo_command("inspect", tmp_path / "mine.keras", recording)
    assert answer.code == 0 and "mine (GRU), 3 units over 200 steps" in answer.out


def test_inspect_names_what_is_wrong(zoo_command, recording):
    answer = zoo_command("inspect", "gru.har", recording, "--units", "a")
    text = "zoo: --units 'a' must be whole numbers with commas between them, as in 0,3,17.\n"
    assert (answer.code, answer.err) == (2, text)
    answer = zoo_command("inspect", "gru.har", recording, "--example", 9)
    assert (answer.code, answer.err) == (2, "zoo: --example 9 is not there: the input has 3, counted from 0.\n")
    answer = zoo_command("inspect", "gru.har", recording, "--layer", "dense")
    assert answer.err == "zoo: Model 'gru.har' has no recurrent layer 'dense'; it has gru_1.\n"
