"""Forecasts, quantiles, anomalies and pixels from what a person has: a csv, an array. The executors are formulas."""

import dataclasses

import numpy as np
import pytest

from export.runtime import pipelines
from zoo.errors import InvalidInput
from zoo.features import air
from zoo.spec import Signature, TensorSpec

COLUMNS = ["load", "oil"]


def tensor(name, *sizes):
    return TensorSpec(name, "float32", (None, *sizes), ("batch", *(f"axis{axis}" for axis, _ in enumerate(sizes))))


class Formula:
    """An executor that computes `function` of its only input and remembers what it was given."""

    def __init__(self, name, function):
        self.name, self.function = name, function

    def run(self, inputs):
        self.given = inputs[self.name]
        return self.function(self.given)


def pipeline(card, task, name, config, function, labels=(), window=None):
    inputs, outputs = (tensor(name, 1),), (tensor("logits", 1),)
    spec = dataclasses.replace(
        card, task=task, config=config, signature=Signature(inputs, outputs), labels=labels, window=window
    )
    return pipelines.pipeline(spec, Formula(name, function))


@pytest.fixture
def forecaster(card):
    """Three rows back, two ahead: the last row plus 1, plus 2."""
    config = {"columns": COLUMNS, "look_back": 3, "horizon": 2, "hours": 1.0}
    return pipeline(
        card, "forecasting", "history", config, lambda x: {"forecast": x[:, -1:] + np.array([[1.0], [2.0]], "float32")}
    )


def table(tmp_path, rows, *, header="date,load,oil,note", name="table.csv", start=0):
    lines = [f"2016-07-01 {hour + start:02}:00:00,{hour},{10 * hour},x" for hour in range(rows)]
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_a_forecast_follows_the_last_row_of_a_table(forecaster, tmp_path):
    answers = forecaster(table(tmp_path, 5))
    np.testing.assert_array_equal(forecaster.executor.given, [[[2, 20], [3, 30], [4, 40]]])
    assert [answer.row for answer in answers] == [6, 7]
    assert [answer.when for answer in answers] == ["2016-07-01 05:00:00", "2016-07-01 06:00:00"]
    assert [answer.values for answer in answers] == [{"load": 5, "oil": 41}, {"load": 6, "oil": 42}]
    assert [answer.truth for answer in answers] == [None, None]
    assert answers[0].cells() == ("2016-07-01 05:00:00", "5", "41")
    assert forecaster.COLUMNS == ("row", "load", "oil")


def test_a_forecast_as_of_a_row_stands_beside_the_truth(forecaster, tmp_path):
    answers = forecaster.at(4)(table(tmp_path, 5))
    assert [answer.values["load"] for answer in answers] == [4, 5]
    assert [answer.truth for answer in answers] == [{"load": 4, "oil": 40}, None]
    assert forecaster.row is None  # the pipeline it came from forecasts as before


def test_an_array_and_a_table_without_dates_give_the_same_forecast(forecaster, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("oil,load\n0,0\n10,1\n20,2\n")
    from_table, from_array = forecaster(path), forecaster(np.array([[0, 0], [1, 10], [2, 20]], "float32"))
    assert from_table == from_array
    assert from_table[0].when is None and from_table[0].cells()[0] == "4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "{} holds 0 lines: it needs the names of its columns and rows below them."),
        (b"load,oil\n", "{} holds 1 lines: it needs the names of its columns and rows below them."),
        (b"load,oil\n1,2\n3\n", "{} row 2 has 1 cells, its header has 2."),
        (b"load,gas\n1,2\n", "{} has no column 'oil'; it has load, gas. The model reads load, oil."),
        (
            b"load,oil\n1,2\n3,four\n",
            "{} row 2 holds 'four' in column 'oil', which is not a number. Fill such cells first.",
        ),
        (b"load,oil\n1,nan\n", "{} row 1 holds 'nan' in column 'oil', which is not a number. Fill such cells first."),
        (b"load,oil\n1,2\n3,\n", "{} row 2 holds '' in column 'oil', which is not a number. Fill such cells first."),
        (b"load,oil\n1,2\n3,4\n", "gru.har looks back on 3 rows; {} has 2 up to where it starts."),
        (b"load,oil\n1,\xe9\n", "{} is not UTF-8 text (invalid continuation byte at byte 11)."),
        (
            b"date,load,oil\n2016-07-01 00:00,1,2\n01/07/2016,3,4\n",
            "{} row 2 has the date '01/07/2016'; write it as 2016-07-01 00:00:00.",
        ),
        (
            b"date,load,oil\n9999-12-31 21:00,1,2\n9999-12-31 22:00,3,4\n9999-12-31 23:00,5,6\n",
            "Row 3 has the date 9999-12-31 23:00:00; 1 h later is beyond the year 9999. Check the dates.",
        ),
        (
            b"date,load,oil\n2016-07-01 00:00,1,2\n2016-07-01 00:15,3,4\n",
            "{} rows 1 and 2 are 0.25 h apart; the model reads rows 1 h apart.",
        ),
    ],
)
def test_a_table_that_cannot_be_forecast_says_why(forecaster, tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        forecaster(path)
    assert str(error.value) == message.format(path)


def test_only_tables_that_are_there_are_forecast(forecaster, tmp_path):
    with pytest.raises(InvalidInput) as error:
        forecaster(tmp_path / "none.csv")
    assert str(error.value) == f"{tmp_path / 'none.csv'} does not exist."
    with pytest.raises(InvalidInput) as error:
        forecaster("table.xlsx")
    assert str(error.value) == (
        "table.xlsx is not a .csv file: save the table as one, with the names of its columns on top."
    )
    with pytest.raises(InvalidInput) as error:
        forecaster(np.zeros((5, 3)))
    assert str(error.value) == (
        "gru.har takes rows [row, column] of the columns load, oil; this input has shape [5, 3]."
    )


@pytest.mark.parametrize("row", [0, -1, 6])
def test_a_forecast_starts_at_a_row_that_is_there(forecaster, tmp_path, row):
    path = table(tmp_path, 5)
    with pytest.raises(InvalidInput) as error:
        forecaster.at(row)(path)
    assert str(error.value) == f"{path} has rows 1 to 5: no forecast can follow row {row}."


def test_a_forecast_needs_its_history_before_the_row_it_starts_at(forecaster, tmp_path):
    path = table(tmp_path, 5)
    with pytest.raises(InvalidInput) as error:
        forecaster.at(2)(path)
    assert str(error.value) == f"gru.har looks back on 3 rows; {path} has 2 up to where it starts."


AIR = "year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir"


@pytest.fixture
def outlook(card):
    """Three hours back, two ahead: 0.5, 1 and 2 times the last concentration."""
    config = {"columns": list(air.COLUMNS), "look_back": 3, "horizon": 2, "hours": 1.0}

    def quantiles(x):
        return {"quantiles": np.repeat(x[:, -1:, :1] * np.array([0.5, 1.0, 2.0], "float32"), 2, 1)}

    return pipeline(card, "quantile forecasting", "history", config, quantiles)


def weather(tmp_path, concentrations, *, winds="NE"):
    path = tmp_path / "air.csv"
    rows = [f"2014,1,1,{hour},{cell},-21,-11,1021,{winds},1.79,0,0" for hour, cell in enumerate(concentrations)]
    path.write_text("\n".join([AIR, *rows]) + "\n")
    return path


def test_an_outlook_gives_three_quantiles_an_hour_and_the_truth_where_it_was_measured(outlook, tmp_path):
    answers = outlook.at(4)(weather(tmp_path, [10, "NA", 30, 40, 50, "NA"]))
    np.testing.assert_array_equal(outlook.at(4).executor.given[0, :, 0], [air.MISSING, 30, 40])
    assert [(answer.p10, answer.p50, answer.p90) for answer in answers] == [(20, 40, 80)] * 2
    assert [answer.truth for answer in answers] == [50, None]
    assert [answer.when for answer in answers] == ["2014-01-01 04:00:00", "2014-01-01 05:00:00"]
    assert answers[0].cells() == ("2014-01-01 04:00:00", "20", "40", "80")


def test_features_of_the_air_are_numbers_in_a_fixed_order():
    cells = "2014,7,2,6,NA,-21,-11,1021,NW,1.5,2,3".split(",")
    columns = {name: (cell,) for name, cell in zip(AIR.split(","), cells, strict=True)}
    (row,) = air.encode(columns)
    named = dict(zip(air.FEATURES, row.tolist(), strict=True))
    assert named["pm2.5"] == air.MISSING and named["DEWP"] == -21 and named["Iws"] == 1.5 and named["Ir"] == 3
    assert [named[wind] for wind in air.WINDS] == [0, 1, 0, 0]
    assert (named["sin hour"], named["cos hour"]) == (pytest.approx(1), pytest.approx(0, abs=1e-6))
    day = 2 * np.pi * (6 * 30.5 + 2) / 366
    assert (named["sin year"], named["cos year"]) == (pytest.approx(np.sin(day)), pytest.approx(np.cos(day)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("-21", "cold"), "Row 1 holds 'cold' in column 'DEWP', which is not a number."),
        (("NW", "west"), "Row 1 holds 'west' in column 'cbwd'; it is one of NE, NW, SE, cv."),
        (("12", "-3"), "Row 1 holds -3 in column 'pm2.5': no concentration is negative. Write NA for none."),
        (("12", "much"), "Row 1 holds 'much' in column 'pm2.5', which is not a number."),
        (("12", "inf"), "Row 1 holds 'inf' in column 'pm2.5', which is not a number."),
    ],
)
def test_air_that_cannot_be_read_says_which_cell(outlook, tmp_path, change, message):
    path = tmp_path / "air.csv"
    path.write_text(f"{AIR}\n2014,1,1,0,12,-21,-11,1021,NW,1.79,0,0\n".replace(*change, 1))
    with pytest.raises(InvalidInput) as error:
        outlook(path)
    assert str(error.value) == message


def test_an_outlook_names_the_column_it_lacks(outlook, tmp_path):
    path = table(tmp_path, 5)
    with pytest.raises(InvalidInput) as error:
        outlook(path)
    assert str(error.value) == (
        f"{path} has no column 'month'; it has date, load, oil, note. The model reads {', '.join(air.COLUMNS)}."
    )
    with pytest.raises(InvalidInput) as error:
        air.encode({"month": ["1"]})
    assert str(error.value) == f"The table has no column 'day'; it needs {', '.join(air.COLUMNS)}."
    with pytest.raises(InvalidInput) as error:
        outlook(np.zeros((5, 3)))
    assert str(error.value) == (
        "gru.har takes a csv file, or features [row, 15] from zoo.features.air.encode; this input has shape [5, 3]."
    )


@pytest.fixture
def detector(card):
    """Draws nothing but zeros; the score is the mean square over a threshold of 2."""

    def run(x):
        return {"score": np.mean(np.square(x), (1, 2))[:, None] / 2, "reconstruction": np.zeros_like(x)}

    return pipeline(card, "anomaly detection", "series", {"steps": 4}, run, labels=("normal", "anomalous"))


def test_a_series_is_scored_against_the_threshold(detector):
    beat = np.array([1.0, -1.0, 1.2, -1.2]) / np.sqrt(1.22)
    (answer,) = detector(beat)
    assert answer.score == pytest.approx(0.5) and answer.threshold == 1
    assert (answer.series, answer.verdict, answer.worst) == (1, "normal", 3)
    assert answer.cells() == ("1", "0.50", "1", "normal", "3")
    detector.executor.function = lambda x: {"score": np.full((len(x), 1), 1.01), "reconstruction": 0 * x}
    assert [found.verdict for found in detector(np.stack([beat, beat]))] == ["anomalous", "anomalous"]


def test_series_come_from_a_file_too(detector, tmp_path):
    beats = np.array([[1.0, -1, 1, -1], [1, 1, -1, -1]])
    np.savetxt(tmp_path / "beats.csv", beats, delimiter=",")
    np.savetxt(tmp_path / "beat.csv", beats[0])
    assert detector(str(tmp_path / "beats.csv")) == detector(beats)
    assert detector(tmp_path / "beat.csv") == detector(beats)[:1]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.zeros((2, 5)), "gru.har takes series of 4 samples, one a row; this input has shape [2, 5]."),
        (np.full((2, 4), "x"), "gru.har takes series of numbers; this input is of type <U1."),
        (
            np.array([[1.0, -1, 1, -1], [3, 1, 3, 1]]),
            "gru.har takes z-normalised series; series 2 has mean 2 and deviation 1. "
            "Subtract the mean and divide by the deviation, each series by its own.",
        ),
    ],
)
def test_a_series_that_cannot_be_scored_says_why(detector, series, message):
    with pytest.raises(InvalidInput) as error:
        detector(series)
    assert str(error.value) == message


@pytest.fixture
def reader(card):
    """Two pixels a side; the logits are the first two pixels."""
    run = lambda x: {"logits": x[:, :2, 0]}  # noqa: E731
    return pipeline(card, "pixel classification", "pixels", {}, run, labels=("zero", "one"), window=4)


def test_images_are_read_row_after_row(reader):
    answers = reader(np.array([[[0, 255], [3, 4]], [[9, 0], [3, 4]]], "uint8"))
    np.testing.assert_array_equal(reader.executor.given[0, :, 0], [0, 255, 3, 4])
    assert [answer.label for answer in answers] == ["one", "zero"]
    assert [answer.example for answer in answers] == [1, 2]
    assert reader.COLUMNS == ("image", "label", "score") and answers[1].cells() == ("2", "zero", "100.0 %")
    assert reader(np.array([[0, 255], [3, 4]]))[0] == answers[0]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 2)), "gru.har takes images of 2 by 2 grey values; this input has shape [3, 2]."),
        (np.zeros((0, 2, 2)), "gru.har takes images of 2 by 2 grey values; this input has shape [0, 2, 2]."),
        (
            np.array([[0, 0.1], [0.75, 0]]),
            "gru.har takes grey values from 0 (paper) to 255 (ink); the largest here is 0.75, which looks scaled to "
            "0..1. Multiply by 255.",
        ),
        (
            np.full((2, 2), 256),
            "gru.har takes grey values from 0 (paper) to 255 (ink); this input holds others.",
        ),
        (
            np.full((2, 2), np.nan),
            "gru.har takes grey values from 0 (paper) to 255 (ink); this input holds others.",
        ),
        (
            np.full((2, 2), "x"),
            "gru.har takes grey values from 0 (paper) to 255 (ink); this input holds others.",
        ),
    ],
)
def test_an_image_that_cannot_be_read_says_why(reader, image, message):
    with pytest.raises(InvalidInput) as error:
        reader(image)
    assert str(error.value) == message


def test_blank_paper_is_an_image_too(reader):
    assert len(reader(np.zeros((2, 2)))) == 1


@pytest.mark.parametrize("name", ["forecaster", "outlook", "detector", "reader"])
def test_rows_of_several_lengths_are_refused(name, request):
    with pytest.raises(InvalidInput) as error:
        request.getfixturevalue(name)([[1.0, 2.0], [3.0]])
    assert str(error.value) == "This input is ragged; its rows must have one length. Pad or split them."


def test_a_model_that_forecasts_nothing_starts_at_no_row(detector):
    with pytest.raises(InvalidInput) as error:
        detector.at(5)
    assert str(error.value) == (
        "Model 'gru.har' answers for the whole input: its task is anomaly detection. Leave out --at."
    )


def test_an_outlook_needs_one_hour_that_was_measured(outlook, tmp_path):
    path = weather(tmp_path, ["NA", "NA", "NA", 5])
    with pytest.raises(InvalidInput) as error:
        outlook.at(3)(path)
    assert str(error.value) == f"{path}: the 3 rows before row 4 hold no measured PM2.5. At least one is needed."
