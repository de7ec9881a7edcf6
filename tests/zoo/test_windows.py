import dataclasses

import numpy as np
import pytest

import zoo
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


def written(path, content):
    path.write_bytes(content)
    return path


def refusal(function, *arguments):
    with pytest.raises(InvalidInput) as error:
        function(*arguments)
    return str(error.value)


@pytest.mark.parametrize("name", ["a.csv", "UP.CSV"])
@pytest.mark.parametrize("head", [b"\xef\xbb\xbf", b"", b"\xef\xbb\xbfx,y\n"])
def test_no_row_is_lost_to_what_excel_writes_first(tmp_path, head, name):
    np.testing.assert_array_equal(windows.read(written(tmp_path / name, head + b"1,2\n3,4\n")), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"step,2\n3,4\n", "{} line 1 holds 'step', which is not a number."),
        (b",2\n3,4\n", "{} line 1 holds '', which is not a number."),
        (b"x,y\nu,v\n3,4\n", "{} line 2 holds 'u', which is not a number."),
        (b"1,2\n\n3_0,4\n", "{} line 3 holds '3_0', which is not a number."),
        (b"1;2\n3;4\n", "{} separates its cells by semicolons: save it with commas, its numbers with points."),
        (
            b'1,"' + 140_000 * b"2",
            "{} is not a csv file (field larger than field limit (131072), at line 1). "
            "Look for a quotation mark that is never closed.",
        ),
    ],
)
def test_a_cell_that_is_no_number_is_refused_by_its_line(tmp_path, content, message):
    path = written(tmp_path / "a.csv", content)
    assert refusal(windows.read, path) == message.format(path)


def test_a_file_that_holds_no_array_is_refused_without_advice_to_trust_it(tmp_path):
    text, archive, objects = (tmp_path / f"{name}.NPY" for name in ("text", "archive", "objects"))
    text.write_text("not an array")
    with archive.open("wb") as file:
        np.savez(file, np.ones(3))
    with objects.open("wb") as file:
        np.save(file, np.array([[1, 2], [3]], dtype=object))
    assert refusal(windows.read, text) == f"{text} holds no NumPy array. Save one with numpy.save."
    assert refusal(windows.read, archive) == f"{archive} holds no NumPy array. Save one with numpy.save."
    assert refusal(windows.read, objects) == f"{objects} holds Python objects: save rows of numbers, all of one length."


def test_an_upper_case_name_is_read_like_any_other(tmp_path):
    with (tmp_path / "A.NPY").open("wb") as file:
        np.save(file, np.ones((2, 3)))
    assert windows.read(tmp_path / "A.NPY").shape == (2, 3)


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


def test_rows_of_several_lengths_are_refused(card):
    assert refusal(Classification(card, Fixed()), [[1.0, 2.0], [3.0]]) == (
        "This input is ragged; its rows must have one length. Pad or split them."
    )


def test_the_answers_to_a_batch_say_which_example_they_are_of():
    answers = zoo.pipeline("gru.har")(np.zeros((2, 128, 9), "float32"))
    assert [answer.example for answer in answers] == [1, 2]
    assert answers[1].cells()[0] == "2: 0–128"
    (alone,) = zoo.pipeline("gru.har")(np.zeros((128, 9), "float32"))
    assert alone.example is None and alone.cells()[0] == "0–128"
