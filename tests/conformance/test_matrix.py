"""Every cell of the conformance matrix: a right file that holds what the matrix says, or the error that is there.

A SavedModel is Keras' own computation, traced: of the rows about layers, their masks and what stands around them it is
written for the first feature only, and a TFLite file for every third one; `make conformance` writes the others. Every
refusal is compared.
"""

import re
from dataclasses import dataclass

import keras
import numpy as np
import pytest

import export
from export.executors import open_artifact
from export.lowering import source as sources
from export.lowering.trace import flat_layers
from tests import tiers
from tests.conformance import coverage
from tests.conformance.matrix import FORMATS, RECURRENT, Refused
from tests.tiers import thorough
from zoo.errors import ZooError

FEATURES_BY_ROW = coverage.FEATURES_BY_ROW
CASES = {f"{row}: {feature.name}": feature for row, features in FEATURES_BY_ROW.items() for feature in features}
MASKED = {f"masks: {feature.name}" for feature in FEATURES_BY_ROW["masks"]}
WRITE = {
    "onnx": (export.to_onnx, "model.onnx"),
    "tflite": (export.to_tflite, "model.tflite"),
    "saved_model": (export.to_saved_model, "saved_model"),
}
ROWS_OF_LAYERS = (  # `tests/export/test_family.py` and `test_saved_model.py` write others of them, masked ones too
    *("layers", "`Bidirectional`", "`RNN` of cells", "options and states", "activations", "the LSTM family", "masks"),
    *("around recurrent layers", "other layers around them"),
)
LEFT_OUT = {
    (f"{row}: {feature.name}", format)
    for row in ROWS_OF_LAYERS
    for format, every in (("saved_model", len(CASES)), ("tflite", 3))
    for place, feature in enumerate(FEATURES_BY_ROW[row])
    if place % every and not isinstance(getattr(feature, format), Refused)
}
STEPS, TOKENS = 7, 9
pytestmark = pytest.mark.usefixtures("small_probes")
LENGTHS = (STEPS, 4, 1)
PATTERNS = {
    "unpadded": np.ones((3, STEPS), bool),
    "right-padded": np.arange(STEPS) < np.array(LENGTHS)[:, None],
    "masked anywhere": np.array([[1, 0, 1, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1, 0], [0] * STEPS], bool),
}


@dataclass(frozen=True)
class Subject:
    """A model, its files of the formats that take it, {format: artifact}, and what Keras answers,
    {pattern: (inputs, outputs)}, each {name: array}."""

    name: str
    model: object
    files: dict
    answers: dict


@pytest.fixture(scope="module")
def subject(request, tmp_path_factory, small_probes):
    feature = CASES[request.param]
    model = feature.build()
    formats = [
        name
        for name in FORMATS
        if (tiers.ALL or (request.param, name) not in LEFT_OUT) and not isinstance(getattr(feature, name), Refused)
    ]
    if not formats:
        return Subject(request.param, model, {}, {})
    artifacts = export.export(model, formats, out=tmp_path_factory.mktemp("files"))
    patterns = [name for name in PATTERNS if request.param in MASKED or name != "masked anywhere"]
    answers = {name: _answers(model, PATTERNS[name]) for name in patterns}
    return Subject(request.param, model, {artifact.format: artifact for artifact in artifacts}, answers)


def _answers(model, mask):
    source = sources.read(model)
    paddings = [layer.mask_value for layer in flat_layers(model) if isinstance(layer, keras.layers.Masking)]
    random = np.random.default_rng(0)
    inputs = {spec.name: _array(spec, mask, paddings[0] if paddings else 0, random) for spec in source.signature.inputs}
    for layer in flat_layers(model):
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()
    outputs = zip(source.signature.output_names, source(list(inputs.values())), strict=True)
    return inputs, {name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")) for name, value in outputs}


def _array(spec, mask, padding, random):
    """Random values, padded where `mask` is false: tokens by 0, a mask by itself, numbers by what the model masks."""
    free = {"batch": len(mask), "time": STEPS}
    shape = tuple(free[axis] if size is None else size for size, axis in zip(spec.shape, spec.axes, strict=True))
    timed = shape[1:2] == (STEPS,) and "time" in spec.axes
    mask = mask[: shape[0]] if timed else np.ones(shape[:2], bool)
    if spec.dtype == "bool":
        return mask
    if spec.dtype.startswith("int"):
        return np.where(mask, random.integers(1, TOKENS, shape), 0).astype(spec.dtype)
    values = random.standard_normal(shape).astype(spec.dtype)
    values[~mask] = padding
    return values


def run(executor, inputs):
    """All rows, one at a time where the file takes one."""
    batch, rows = executor.signature.inputs[0].shape[0], len(next(iter(inputs.values())))
    if batch in (None, rows):
        return executor.run(inputs)
    parts = [executor.run({name: array[row : row + 1] for name, array in inputs.items()}) for row in range(rows)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def looped_layers(notes):
    return tuple(found[1] for note in notes if (found := re.match(r"Layer '(.+?)' runs cell", note)))


@pytest.mark.parametrize(
    ("subject", "format"),
    [
        pytest.param(case, name, marks=thorough if (case, name) in LEFT_OUT else ())
        for case in CASES
        for name in FORMATS
    ],
    indirect=["subject"],
    scope="module",
)
def test_the_file_is_right_and_holds_what_the_matrix_says_or_is_refused_with_its_reason(subject, format, tmp_path):
    feature = CASES[subject.name]
    cell = getattr(feature, format)
    if isinstance(cell, Refused):
        write, file = WRITE[format]
        with pytest.raises(ZooError) as caught:
            write(subject.model, tmp_path / file)
        name, path = getattr(subject.model, "name", ""), subject.model
        assert str(caught.value) == cell.error.format(name=name, path=path)
        assert not list(tmp_path.iterdir())
        return
    artifact = subject.files[format]
    assert artifact.ok and artifact.max_abs_diff <= 1e-4
    found = {name: count for name, count in artifact.operators.items() if name in RECURRENT[format]}
    assert (found, looped_layers(artifact.notes)) == (cell.operators, cell.fallback)
    assert not [name for name in artifact.operators if re.match("Flex|CUSTOM|.*PyFunc|Cudnn", name)]
    executor = open_artifact(artifact.path)
    for pattern, (inputs, want) in subject.answers.items():
        for _ in range(2):
            got = run(executor, inputs)
            for name in want:
                np.testing.assert_allclose(got[name], want[name], rtol=0, atol=feature.tolerance, err_msg=pattern)
    if subject.name in MASKED:
        assert_padding_changes_nothing(executor, subject.answers["right-padded"][0])


def assert_padding_changes_nothing(executor, inputs):
    """Every row without its padding gives the answer it gives with it."""
    padded = run(executor, inputs)
    for row, length in enumerate(LENGTHS):
        alone = executor.run({name: array[row : row + 1, :length] for name, array in inputs.items()})
        for name, value in alone.items():
            whole = padded[name][row]
            np.testing.assert_allclose(value[0], whole[:length] if whole.ndim > 1 else whole, rtol=0, atol=1e-6)


def test_coverage_says_what_the_matrix_says():
    assert coverage.PATH.read_text("utf-8") == coverage.text(), (
        "COVERAGE.md is out of date. Write it anew: python -m tests.conformance.coverage"
    )
