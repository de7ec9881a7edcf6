import re

import numpy as np
import pytest

from zoo.benchmarks import latency, results, timing
from zoo.errors import InvalidInput, ParityError


def test_candidates_take_turns():
    calls = []
    seconds = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, warm_up=1)
    assert calls == ["a", "b", "a", "b", "a", "b", "a", "b"]
    assert {name: values.shape for name, values in seconds.items()} == {"a": (3,), "b": (3,)}
    assert all((values >= 0).all() for values in seconds.values())


def test_results_read_back_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write("table", [{"name": "a, b", "value": 1.5}, {"name": "c", "value": 2}])
    assert results.read("table") == [{"name": "a, b", "value": "1.5"}, {"name": "c", "value": "2"}]


def test_a_row_says_what_it_was_measured_on():
    facts = results.conditions(("numpy",))
    assert facts["versions"] == f"numpy {np.__version__}"
    assert "core" in facts["device"]
    assert facts["commit"]


def test_latency_has_a_row_a_runtime_and_batch_relative_to_keras(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rows = latency.measure("gru.har", [1, 2], rounds=3)
    assert [(row["runtime"], row["batch"]) for row in rows] == [
        (runtime, batch)
        for batch in (1, 2)
        for runtime in ("Keras predict", "Keras tf.function", "ONNX Runtime", "LiteRT")
    ]
    assert all(row["p90_ms"] >= row["p50_ms"] > 0 for row in rows)
    assert [row["ratio_to_keras"] for row in rows if row["runtime"] == "Keras predict"] == [1.0, 1.0]


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match=r"^Batch sizes \[0\] must be 1 or more\.$"):
        latency.measure("gru.har", [0], rounds=3)


def test_a_runtime_that_disagrees_with_keras_is_not_timed(monkeypatch):
    class Wrong:
        def run(self, inputs):
            return {"logits": np.full((1, 6), 100.0, "float32")}

    monkeypatch.setattr(latency, "open_model", lambda *_: Wrong())
    with pytest.raises(ParityError) as error:
        latency.measure("gru.har", [1], rounds=3)
    assert re.fullmatch(
        r"gru\.har: ONNX Runtime differs from Keras by 1\.0e\+02 \(allowed 1e-03\): nothing was timed\.",
        str(error.value),
    )
