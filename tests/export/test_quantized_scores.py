"""What int8 costs the pretrained models on their real test data; the benchmark of quantised files."""

import pytest

from export import backends, micro
from tests.real_data import needs_data
from tests.tiers import some, thorough
from zoo import datasets, registry
from zoo.benchmarks import quantized
from zoo.cli.arena import arena_bytes
from zoo.evaluation import evaluate


@pytest.mark.parametrize("name", registry.names("*.har"))
def test_the_scores_of_a_card_say_the_same(name):
    spec = registry.get(name)
    scores = {(row.backend, row.quantize): row.value for row in spec.scores}
    assert min(scores["onnx", "int8"], scores["tflite", "int8"]) >= spec.score.value - 0.005


@pytest.mark.usefixtures("converted_here", "small_probes")
@needs_data
@pytest.mark.parametrize(
    ("name", "backend"),  # in TFLite one fused operator and one loop: the cards have the other two
    some([*((name, "onnx") for name in registry.names("*.har")), ("lstm.har", "tflite"), ("gru.har", "tflite")], 3),
)
def test_int8_of_a_pretrained_model_loses_at_most_half_a_point(name, backend, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = registry.get(name)
    executors = [backends.open_model(name, *form) for form in ((backend, "int8"), ("onnx", None))]
    test = datasets.get(spec.dataset.name).load().test.take(slice(None, None, 4))
    small, full = (evaluate(executor, test, (spec.score.metric,))[spec.score.metric] for executor in executors)
    assert small >= full - 0.005
    if backend == "tflite" and micro.installed():
        assert arena_bytes(name) == spec.arena_bytes


@pytest.mark.usefixtures("converted_here")
@thorough
def test_the_benchmark_compares_files_that_all_compute_the_layer():
    rows = quantized.speed("GRU", 16, rounds=1)
    assert [row["file"] for row in rows] == [
        "onnx float32", "onnx float16", "onnx dynamic",
        "tflite float32", "tflite float16", "tflite dynamic", "tflite int8", "tflite int16x8",
        "onnx DequantizeLinear, not shipped", "onnx float steps, not shipped", "onnx integer steps, not shipped",
    ]  # fmt: skip
    assert max(float(row["difference"]) for row in rows) < 0.05
    assert next(float(row["difference"]) for row in rows if "float steps" in row["file"]) < 1e-5
    assert [row["ratio"] for row in rows if row["file"].endswith("float32")] == [1.0, 1.0]
