"""The benchmarks of the layers: what they compare is the same computation, and what cannot be measured is said."""

import csv
import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests import oracle
from tests.tiers import thorough
from zoo.benchmarks import cudnn, layers, results, timing
from zoo.benchmarks.training_steps import STEPS, Point, problem
from zoo.errors import ParityError
from zoo.layers import paths

POINT = Point(3, 4, 5, 6)
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")


def expected_loss(cell):
    x, weights = (tree.astype("float64") if hasattr(tree, "astype") else tree for tree in problem(cell, POINT))
    w, zeros = oracle.Weights(*(weight.astype("float64") for weight in weights)), np.zeros((3, 6))
    run = oracle.lstm(x, zeros, zeros, w) if cell == "lstm" else oracle.gru(x, zeros, w)
    return np.mean(run.sequence**2)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("library", ["zoo", "keras", pytest.param("torch", marks=needs_torch)])
def test_every_library_computes_the_loss_of_the_oracle(cell, library):
    assert STEPS[library](cell, POINT)() == pytest.approx(expected_loss(cell), rel=1e-5)


def test_the_operations_of_a_step_are_those_of_its_five_products():
    batch, steps, features, units = POINT
    products = [(features, 2), (units, 3)]  # forward and the weight's gradient; the state's gradient too
    assert POINT.operations("lstm") == sum(2 * batch * steps * depth * 4 * units * times for depth, times in products)
    assert POINT.operations("gru") * 4 == POINT.operations("lstm") * 3


def fake_steps(**losses):
    return {library: lambda *_, loss=loss: lambda: loss for library, loss in losses.items()}


def test_a_row_a_library_relative_to_ours(monkeypatch):
    monkeypatch.setattr(layers, "STEPS", fake_steps(zoo=1.0, keras=1.0, torch=1.0))
    monkeypatch.setattr(layers, "_status", lambda library: "ok")
    seconds = {"zoo": [0.002] * 3, "keras": [0.005] * 3, "torch": [0.003] * 3, "matmul": [0.01] * 3}
    monkeypatch.setattr(timing, "interleaved", lambda *_, **__: {name: np.array(v) for name, v in seconds.items()})
    rows = [{**row, "peak_mib": 500, "mib_before": 400} for row in layers.times("lstm", POINT, rounds=3)]
    assert [(row["library"], row["p50_ms"], row["times_zoo"]) for row in rows] == [
        ("zoo", 2.0, 1.0), ("keras", 5.0, 2.5), ("torch", 3.0, 1.5),
    ]  # fmt: skip
    rate = 2 * layers.SIDE**3 / 0.01
    assert rows[0]["share_of_matmul_rate"] == round(POINT.operations("lstm") / 0.002 / rate, 3)
    rate_text = f"{100 * rows[0]['share_of_matmul_rate']:.0f} %"
    assert layers.table(rows) == [("lstm", "3, 4, 5, 6", "2.00", "2.50×", "1.50×", rate_text, "500", "500", "500")]
    facts = {"threads": 2, "rounds": 3, "device": "a processor", "versions": "keras 3"}
    assert layers.summary([{**row, **facts} for row in rows]) == (
        "training step, geometric mean: 2.50× Keras, 1.50× PyTorch; 2 threads, 3 rounds, a processor, keras 3"
    )


def test_libraries_that_disagree_are_not_timed(monkeypatch):
    monkeypatch.setattr(layers, "STEPS", fake_steps(zoo=1.0, keras=1.0, torch=1.1))
    monkeypatch.setattr(layers, "_status", lambda library: "ok")
    with pytest.raises(ParityError) as error:
        list(layers.times("gru", POINT, rounds=3))
    assert str(error.value) == (
        "gru (3, 4, 5, 6): the loss of torch is 1.1, that of keras 1 (allowed 1e-04): nothing was timed."
    )


def test_without_pytorch_its_rows_say_so(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(layers, "_limit_threads", lambda: None)
    monkeypatch.setattr(layers, "memory", lambda *_: {"peak_mib": 500, "mib_before": 400})
    rows = layers.run(rounds=1, grid=[POINT])
    assert [(row["library"], row["status"], row["p50_ms"] != "", row["peak_mib"]) for row in rows] == 2 * [
        ("zoo", "ok", True, 500), ("keras", "ok", True, 500), ("torch", "not installed: torch", False, ""),
    ]  # fmt: skip
    assert [(line[4], line[8]) for line in layers.table(rows)] == [("–", "–")] * 2
    assert "× Keras, – PyTorch; 2 threads, 1 rounds" in layers.summary(rows) and "torch" not in rows[0]["versions"]
    assert layers.plot(rows, tmp_path / "layers.png").stat().st_size > 0


@thorough
def test_the_memory_of_a_step_is_that_of_a_process_of_its_own():
    found = layers.memory("keras", "gru", POINT)
    assert 50 < found["mib_before"] <= found["peak_mib"] < 8000


def test_the_suite_is_printed_as_a_table_or_as_rows(zoo_command, monkeypatch):
    rows = [{"library": "zoo", "p50_ms": 1.0}]
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(layers, "run", lambda rounds: [{**rows[0], "rounds": rounds}])
    monkeypatch.setattr(layers, "summary", lambda rows: "the geometric mean")
    monkeypatch.setattr(layers, "table", lambda rows: [tuple("abcdefghi")])
    assert json.loads(zoo_command("bench", "layers", "--json").out) == [{**rows[0], "rounds": layers.ROUNDS}]
    printed = zoo_command("bench", "layers", "--rounds", "4").out
    assert "the geometric mean" in printed and "over ker" in printed


def test_the_published_grid_is_faster_than_keras_at_every_point_and_than_torch_in_the_mean():
    """What the README may say of `results/layers.csv`, of numbers measured side by side when it was written."""
    rows = [{**row, "times_zoo": float(row["times_zoo"])} for row in results.read("layers")]
    assert {(row["cell"], layers._point(row)) for row in rows} == {(c, p) for c in ("lstm", "gru") for p in layers.GRID}
    assert min(row["times_zoo"] for row in rows if row["library"] == "keras") >= 1.5
    assert np.exp(np.mean([np.log(row["times_zoo"]) for row in rows if row["library"] == "torch"])) >= 1.0


def test_without_a_gpu_every_row_of_cudnn_says_it_is_missing(monkeypatch):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: False)
    rows = cudnn.measure()
    assert {(row["backend"], row["status"]) for row in rows} == {("tensorflow", "missing: no GPU was at hand")}
    assert {(row["cell"], row["bidirectional"], row["masked"]) for row in rows if row["kind"] == "parity"} == {
        (cell, both, masked) for cell in ("lstm", "gru") for both in (False, True) for masked in (False, True)
    }


@thorough
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_the_measurement_of_cudnn_works_on_each_backend_with_another_path(backend, monkeypatch):
    """On the CPU the path "auto" stands in for cuDNN, which shows that parity is measured, and is found."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the package {backend} is not installed")
    monkeypatch.setattr(cudnn, "GRID", (POINT,))
    here = backend == keras.backend.backend()
    rows = cudnn.measure("auto", rounds=3) if here else in_another_process(backend)
    assert {row["status"] for row in rows} == {cudnn.MEASURED}
    parity = [row for row in rows if row["kind"] == "parity"]
    assert len(parity) == 8
    assert all(float(row["value_difference"]) < 1e-5 and float(row["gradient_difference"]) < 1e-5 for row in parity)
    assert all(row["cudnn_ms"] > 0 and row["cell_ms"] > 0 for row in rows if row["kind"] == "time")


def in_another_process(backend):
    code = (
        "import json; from zoo.benchmarks import cudnn; cudnn.GRID = (cudnn.Point(3, 4, 5, 6),)\n"
        "print(json.dumps(cudnn.measure('auto', rounds=3)))"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout.splitlines()[-1])


def test_a_difference_between_the_paths_is_reported():
    one = [np.zeros(3), np.zeros(2), np.ones(2)]
    other = [np.array([0, 0.5, 0]), np.array([0, 2.0]), np.ones(2)]
    assert cudnn._differences(one, other) == {"value_difference": "5.0e-01", "gradient_difference": "2.0e+00"}


def test_a_rule_that_rules_cudnn_out_is_the_status_of_the_row(monkeypatch):
    monkeypatch.setattr(paths, "gpu_is_there", lambda: False)
    row = {"kind": "parity", "cell": "lstm", "bidirectional": False, "masked": False, **POINT._asdict()}
    status = cudnn._measured(row, "cudnn", 3)["status"]
    assert status.startswith("refused: Layer 'lstm") and "no GPU is visible to the tensorflow backend" in status


def test_the_results_file_of_cudnn_holds_every_row_measured_or_with_its_reason():
    with (results.FOLDER / "cudnn.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(cudnn.plan(backend)) for backend in cudnn.BACKENDS)
    assert all(row["status"] == cudnn.MEASURED or row["status"].split(":")[0] in ("missing", "refused") for row in rows)
