"""Texts of mixed lengths in one batch: every backend gives each text the answer it has alone."""

import numpy as np
import pytest

import export
from export.executors import KerasExecutor, SavedModelExecutor
from export.lowering.source import read
from export.runtime.litert import LiteRTExecutor
from export.runtime.onnx import OnnxExecutor
from zoo import models

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.usefixtures("small_probes")
STACK = {"recurrence": "lstm", "units": [3, 4], "bidirectional": True, "vocabulary": 30, "classes": 5}
FAMILIES = {
    "tagger": {**STACK, "frequent": 12, "vectors": 4, "embedding": 3, "alphabet": 40, "width": 6, "character": 3,
        "filters": 2},
    "review_classifier": {**STACK, "embedding": 4},
    "text_classifier": {**STACK, "embedding": 4, "recurrence": "gru", "ngrams": 3, "buckets": 97},
}  # fmt: skip
EXECUTORS = {"onnx": OnnxExecutor, "tflite": LiteRTExecutor, "saved_model": SavedModelExecutor}


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    model = models.build(request.param, FAMILIES[request.param], name=request.param)
    for layer in model.layers:
        if layer.name == "wide":  # zeros at first
            layer.set_weights([RNG.standard_normal(weight.shape) for weight in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def files(model, tmp_path_factory, small_probes):
    return {file.format: file.path for file in export.export(model, EXECUTORS, out=tmp_path_factory.mktemp("files"))}


@pytest.fixture(params=["keras", *EXECUTORS])
def executor(request, model, files):
    return KerasExecutor(read(model)) if request.param == "keras" else EXECUTORS[request.param](files[request.param])


def texts(signature, lengths):
    """One text of each length, for every input."""
    sizes = {"characters": (40, (6,)), "words": (30, ()), "tokens": (30, ())}
    return [
        {name: RNG.integers(1, sizes[name][0], (1, length, *sizes[name][1])) for name in signature.input_names}
        for length in lengths
    ]


def test_a_batch_of_mixed_lengths_has_the_answers_of_each_text_alone(executor):
    given = texts(executor.signature, [4, 1, 9, 2])
    inputs = {
        name: np.concatenate([_padded(text[name], 9) for text in given]).astype("int32")
        for name in executor.signature.input_names
    }
    (output,) = executor.signature.output_names
    together = executor.run(inputs)[output]
    for row, text in zip(together, given, strict=True):
        alone = executor.run({name: array.astype("int32") for name, array in text.items()})[output][0]
        np.testing.assert_allclose(row[: len(alone)] if row.ndim > 1 else row, alone, atol=1e-5)


def _padded(array, steps):
    return np.pad(array, [(0, 0), (0, steps - array.shape[1]), *[(0, 0)] * (array.ndim - 2)])
