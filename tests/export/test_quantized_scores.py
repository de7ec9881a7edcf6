"""What int8 costs the pretrained models on their real test data."""

import pytest

from export import backends, micro
from tests.real_data import needs_data
from tests.tiers import some
from zoo import datasets, registry
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
