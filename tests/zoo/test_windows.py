import dataclasses

import numpy as np
import pytest

from export.runtime.pipelines.classification import Classification
from zoo.errors import InvalidInput
from zoo.features import windows


def test_windows_cover_the_recording_to_its_last_step():
    recording = np.arange(300 * 2, dtype="float32").reshape(300, 2)
    cut, starts = windows.cut(recording, 128)
    assert starts == [0, 64, 128, 172]
    for window, start in zip(cut, starts, strict=True):
        np.testing.assert_array_equal(window, recording[start : start + 128])


@pytest.mark.parametrize("steps", [1, 127, 128])
def test_a_short_recording_is_one_window_as_it_is(steps):
    cut, starts = windows.cut(np.ones((steps, 3)), 128)
    assert cut.shape == (1, steps, 3)
    assert starts == [0]


def test_a_table_with_a_header_reads_like_one_without(tmp_path):
    with_header, without = tmp_path / "a.csv", tmp_path / "b.csv"
    with_header.write_text("x,y\n1,2\n\n3.5,-4e-1\n")
    without.write_text("1,2\n3.5,-4e-1\n")
    np.testing.assert_allclose(windows.read(with_header), [[1, 2], [3.5, -0.4]])
    np.testing.assert_allclose(windows.read(without), windows.read(with_header))


class Fixed:
    """An executor that prefers class 1 ever more clearly, row by row."""

    def run(self, inputs):
        rows = np.arange(len(inputs["frames"]), dtype="float32")
        return {"logits": np.stack([np.zeros_like(rows), rows], -1)}


def test_a_pipeline_turns_logits_into_ranked_labels(card):
    found = Classification(card, Fixed())(np.zeros((3, 10, 9), "float32"))
    assert [item.label for item in found] == ["walking", "laying", "laying"]
    assert [round(item.score, 4) for item in found] == [0.5, 0.7311, 0.8808]
    assert list(found[2].scores) == ["laying", "walking"]
    assert (found[0].start, found[0].end) == (0, 10)


def test_a_model_without_labels_has_no_pipeline(card):
    with pytest.raises(InvalidInput) as error:
        Classification(dataclasses.replace(card, labels=(), task="regression"), Fixed())
    assert str(error.value) == "Model 'gru.har' has no labels to predict: it does regression."
