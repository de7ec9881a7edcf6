"""Random models: every export is right, or refused by name. `FUZZ_EXAMPLES=500` draws as many, 6 otherwise
and 25 in `make conformance`."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings

import export
from export.executors import open_artifact
from tests.conformance.random_models import Drawn, build, models
from tests.tiers import thorough
from zoo.errors import InvalidInput, ParityError, Unsupported

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
STEPS = 7
pytestmark = [
    pytest.mark.usefixtures("small_probes"),
    # Pooling ends a mask, and attention over one step weighs nothing: Keras warns of what is drawn here on purpose.
    pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning"),
]


FILES = {"onnx": (export.to_onnx, "model.onnx"), "tflite": (export.to_tflite, "model.tflite")}
Answers = list[tuple[dict[str, np.ndarray], list[Any]]]


def outcomes(drawn: Drawn) -> Iterator[tuple[str, str]]:
    """For each format "parity", or the text of the refusal. Raises AssertionError for a wrong file, and whatever has no
    name. A file the engine's own check refuses is wrong, too."""
    model = build(drawn)
    try:
        answers = [(inputs, _keras(model, inputs)) for inputs in _inputs(model)]
    except ValueError as error:  # such as a merge mode for states of which Keras cannot say the structure
        answers, unable = [], error
    for format in FILES:
        with tempfile.TemporaryDirectory() as folder:
            text = _outcome(model, format, Path(folder), answers)
        assert text != "parity" or answers, f"Keras cannot run it: {unable}"
        yield format, text


def _outcome(model: keras.Model, format: str, folder: Path, answers: Answers) -> str:
    write, file = FILES[format]
    try:
        artifact = write(model, folder / file)
    except ParityError as error:
        raise AssertionError(f"{format} is wrong: {error}") from error
    except (Unsupported, InvalidInput) as error:
        assert not list(folder.iterdir())
        return str(error)
    assert not [name for name in artifact.operators if name.startswith(("Flex", "CUSTOM"))]
    executor = open_artifact(artifact.path)
    for inputs, want in answers:
        for _ in range(2):
            got = executor.run(inputs)
            for name, value in zip(executor.signature.output_names, want, strict=True):
                np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=2e-5, err_msg=format)
    return "parity"


def _keras(model: keras.Model, inputs: dict[str, np.ndarray]) -> list[Any]:
    tensors = list(inputs.values())
    return keras.tree.flatten(model(tensors if len(tensors) > 1 else tensors[0]))


def _inputs(model):
    """One row, as TFLite takes it: whole, padded, and masked here and there."""
    random = np.random.default_rng(2)
    for pattern in ([1] * STEPS, [1, 1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0, 1]):
        arrays = {}
        for tensor in model.inputs:
            shape = (1, *(size or STEPS for size in tensor.shape[1:]))
            mask = np.array([pattern[: shape[1]]], bool)
            if tensor.dtype == "bool":
                arrays[tensor.name] = mask
            elif tensor.dtype == "int32":
                arrays[tensor.name] = np.where(mask, random.integers(1, 9, shape), 0).astype("int32")
            else:
                arrays[tensor.name] = (random.standard_normal(shape) * mask[..., None]).astype("float32")
        yield arrays


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(25, marks=thorough)])
def test_every_random_model_is_right_or_refused_in_both_formats(examples):
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(models())
    def judged(drawn):
        for format, text in outcomes(drawn):
            note(f"{format}: {text}")

    judged()
