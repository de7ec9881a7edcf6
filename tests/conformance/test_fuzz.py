"""Random models: every export is right, or refused by name. `FUZZ_EXAMPLES=500` draws as many (25 otherwise)."""

import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings

import export
from export import probes
from export.executors import open_artifact
from tests.conformance.random_models import Drawn, build, models
from zoo.errors import InvalidInput, ParityError, Unsupported

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
STEPS = 7


@pytest.fixture(scope="module", autouse=True)
def small_probes():
    """The engine's own check on few and small inputs: here every file is held against Keras once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "SIZES", ((2, STEPS),))
        patch.setattr(probes, "KIND_SIZES", {"held values": (1, 30)})
        patch.setattr(probes, "KIND_SIZE", (2, STEPS))
        yield


def outcome(drawn: Drawn, format: str) -> str:
    """ "parity", or the text of the refusal. Raises AssertionError for a wrong file, and whatever has no name."""
    model = build(drawn)
    write, file = {"onnx": (export.to_onnx, "m.onnx"), "tflite": (export.to_tflite, "m.tflite")}[format]
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifact = write(model, Path(folder) / file)
        except ParityError as error:
            raise AssertionError(f"wrong before the check: {error}") from error
        except (Unsupported, InvalidInput) as error:
            assert not list(Path(folder).iterdir())
            return str(error)
        assert not [name for name in artifact.operators if name.startswith(("Flex", "CUSTOM"))]
        executor = open_artifact(artifact.path)
        for inputs in _inputs(model):
            want = keras.tree.flatten(model(list(inputs.values()) if len(inputs) > 1 else inputs[model.inputs[0].name]))
            for _ in range(2):
                got = executor.run(inputs)
                for name, value in zip(executor.signature.output_names, want, strict=True):
                    np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=2e-5)
    return "parity"


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


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(models())
def test_every_random_model_is_right_or_refused_in_both_formats(drawn):
    for format in ("onnx", "tflite"):
        note(f"{format}: {outcome(drawn, format)}")
