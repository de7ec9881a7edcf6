"""Streams: states in the caller's hands, chunk after chunk equal to one pass; the model is a hand-made running sum."""

import numpy as np
import pytest

from export import manifest
from export.manifest import Manifest
from export.runtime import Stream, load
from tests.export import handmade
from zoo.errors import InvalidInput
from zoo.spec import Signature, StateSpec, TensorSpec

X = np.random.default_rng(0).standard_normal((2, 50, 3)).astype("float32")
WHOLE = np.cumsum(X @ handmade.WEIGHT, axis=1)


@pytest.fixture
def model(tmp_path):
    text = manifest.embedded(Manifest("sum.test", "onnx", handmade.streaming_signature(), streaming=True))
    return load(handmade.running_sum(tmp_path / "model.onnx", text))


@pytest.mark.parametrize("ends", [[50], [1, 50], [7, 8, 30, 50], list(range(1, 51))])
def test_pushing_in_chunks_equals_one_pass(model, ends):
    stream = model.stream(batch=2)
    parts = [stream.push(X[:, start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), WHOLE, atol=1e-5)


def test_two_streams_of_one_session_never_meet(model):
    streams = [model.stream(), model.stream()]
    for start in range(0, 50, 10):
        parts = [stream.push(X[row : row + 1, start : start + 10]) for row, stream in enumerate(streams)]
    np.testing.assert_allclose(np.concatenate([part[:, -1] for part in parts]), WHOLE[:, -1], atol=1e-5)


def test_a_reset_stream_starts_from_zero(model):
    stream = model.stream(batch=2)
    stream.push(X)
    stream.reset()
    np.testing.assert_allclose(stream.push(X), WHOLE, atol=1e-5)


def test_a_snapshot_goes_back_and_is_not_changed_by_what_follows(model):
    stream = model.stream(batch=2)
    stream.push(X[:, :20])
    before = stream.state
    stream.push(X[:, 20:])
    np.testing.assert_allclose(before["sum_h"], WHOLE[:, 19], atol=1e-5)
    stream.state = before
    np.testing.assert_allclose(stream.push(X[:, 20:]), WHOLE[:, 20:], atol=1e-5)


def test_streams_stack_into_one_batch_and_unstack_again(model):
    singles = [model.stream(), model.stream()]
    for row, stream in enumerate(singles):
        stream.push(X[row : row + 1, :20])
    both = Stream.stack(singles)
    np.testing.assert_allclose(both.push(X[:, 20:30]), WHOLE[:, 20:30], atol=1e-5)
    rows = both.unstack()
    assert [row.batch for row in rows] == [1, 1]
    np.testing.assert_allclose(rows[1].push(X[1:, 30:]), WHOLE[1:, 30:], atol=1e-5)
    np.testing.assert_allclose(singles[0].push(X[:1, 20:]), WHOLE[:1, 20:], atol=1e-5)


def test_a_dict_in_gives_a_dict_out(model):
    assert list(model.stream(batch=2).push({"frames": X})) == ["scores"]


def test_a_push_that_fails_leaves_the_states_where_they_were(model):
    stream = model.stream(batch=2)
    stream.push(X[:, :20])
    with pytest.raises(InvalidInput):
        stream.push(np.full((2, 1, 3), np.nan))
    np.testing.assert_allclose(stream.push(X[:, 20:]), WHOLE[:, 20:], atol=1e-5)


def test_a_file_without_states_says_how_to_export_one(tmp_path):
    with pytest.raises(InvalidInput) as error:
        load(handmade.projection(tmp_path / "model.onnx")).stream()
    assert str(error.value) == (
        "This model has no states to stream with. Export it with streaming=True, then load that file."
    )


@pytest.mark.parametrize("batch", [0, -1, 1.0, True])
def test_a_batch_that_is_none_is_refused(model, batch):
    with pytest.raises(InvalidInput) as error:
        model.stream(batch=batch)
    assert str(error.value) == f"A stream needs a batch of at least 1, not {batch!r}."


def test_another_batch_than_the_stream_has_is_refused(model):
    with pytest.raises(InvalidInput) as error:
        model.stream().push(X)
    assert str(error.value) == (
        "Input 'frames' has batch 2, but this stream has batch 1. Open one with stream(batch=2)."
    )


def test_streams_of_two_models_do_not_stack(model, tmp_path):
    with pytest.raises(InvalidInput) as error:
        Stream.stack([model.stream(), load(tmp_path / "model.onnx").stream()])
    assert str(error.value) == "Only streams of one executor stack; open them all from the same loaded model."


@pytest.mark.parametrize(
    ("snapshot", "message"),
    [
        ({}, "A snapshot of this stream holds 'sum_h'; this one holds nothing."),
        ({"c": 0}, "A snapshot of this stream holds 'sum_h'; this one holds 'c'."),
        (
            {"sum_h": np.zeros((2, 2))},
            "State 'sum_h' has shape [2, 2] in the snapshot; this stream needs [1, 2].",
        ),
    ],
)
def test_a_snapshot_of_another_stream_is_refused(model, snapshot, message):
    stream = model.stream()
    with pytest.raises(InvalidInput) as error:
        stream.state = snapshot
    assert str(error.value) == message


def test_running_without_the_states_names_them(model):
    with pytest.raises(InvalidInput) as error:
        model.run({"frames": X})
    assert str(error.value) == (
        "Input 'sum_h' is missing. This model takes frames float32 [batch, time, 3]; sum_h float32 [batch, 2]."
    )


def test_rows_at_different_places_between_two_windows_do_not_stack():
    phase = StateSpec("pool", "pool_phase", "pool_phase_out", "int32", (None, 1))
    specs = [TensorSpec(name, "int32", (None, 1), ("batch", "feature")) for name in (phase.input, phase.output)]

    class Pooling(handmade.NumpyExecutor):
        signature = Signature((handmade.FRAMES, specs[0]), (handmade.SCORES, specs[1]), (phase,))

        def __init__(self):
            pass

        def run_checked(self, arrays):
            steps = arrays["frames"].shape[1]
            return {"scores": X[:, :1], "pool_phase_out": (arrays["pool_phase"] + steps) % 3}

    streams = [Stream(executor) for executor in [Pooling()] for _ in range(3)]
    for stream, steps in zip(streams, (1, 2, 4), strict=True):
        stream.push(X[:1, :steps])
    assert Stream.stack([streams[0], streams[2]]).state["pool_phase"].tolist() == [[1], [1]]
    with pytest.raises(InvalidInput) as error:
        Stream.stack(streams)
    assert str(error.value) == (
        "Rows of a stream must stand at the same place between two windows of layer 'pool'; here 'pool_phase' is "
        "1, 2, 1. Stack streams whose numbers of pushed steps differ by whole strides only."
    )
