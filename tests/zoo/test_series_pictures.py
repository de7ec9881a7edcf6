"""The pictures of forecasts, quantiles and anomalies: what they show, and what their axes and legends say."""

import dataclasses
import re
import sys

import numpy as np
import pytest

from tests.zoo.test_series_pipelines import COLUMNS, pipeline, table, weather
from zoo.errors import InvalidInput, MissingDependency
from zoo.features import air
from zoo.spec import Signature, TensorSpec


@pytest.fixture
def forecaster(card):
    """Three rows back, two ahead, all zero; of the two columns one has a unit."""
    config = {"columns": COLUMNS, "look_back": 3, "horizon": 2, "hours": 1.0}
    found = pipeline(card, "forecasting", "history", config, lambda x: {"forecast": np.zeros((len(x), 2, 2))})
    axes, unit = ("batch", "time", "feature"), "load, oil (of the engine, °C)"
    history = TensorSpec("history", "float32", (None, 3, 2), axes, unit)
    found.spec = dataclasses.replace(found.spec, signature=Signature((history,), found.spec.signature.outputs))
    return found


@pytest.fixture
def outlook(card):
    """Three hours back, two ahead: the quantiles are 10, 20 and 30."""
    config = {"columns": list(air.COLUMNS), "look_back": 3, "horizon": 2, "hours": 1.0}
    quantiles = np.tile(np.array([10.0, 20.0, 30.0]), (1, 2, 1))
    return pipeline(card, "quantile forecasting", "history", config, lambda x: {"quantiles": quantiles})


@pytest.fixture
def detector(card):
    """Draws nothing but zeros; the score is the mean square over a threshold of 2."""

    def run(x):
        return {"score": np.mean(np.square(x), (1, 2))[:, None] / 2, "reconstruction": np.zeros_like(x)}

    return pipeline(card, "anomaly detection", "series", {"steps": 4}, run, labels=("normal", "anomalous"))


@pytest.fixture
def figures(monkeypatch):
    """The matplotlib figures that were to be written."""
    from matplotlib.figure import Figure

    found = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: found.append(figure))
    return found


def drawn(path):
    """The picture's texts, from an SVG: matplotlib notes each beside its outlines."""
    return re.findall(r"<!-- (.+?) -->", path.read_text("utf-8"))


def test_a_picture_of_a_forecast_shows_history_forecast_and_truth(forecaster, tmp_path):
    known, unknown, path = tmp_path / "known.svg", tmp_path / "unknown.svg", table(tmp_path, 5)
    at = forecaster.at(4)
    at.plot(path, at(path), known)
    forecaster.plot(path, forecaster(path), unknown)
    assert {"history", "forecast", "truth", "load", "oil, °C", "date"} <= set(drawn(known))
    assert {"history", "forecast"} <= set(drawn(unknown)) and "truth" not in drawn(unknown)


def test_a_picture_of_an_array_counts_its_rows(forecaster, tmp_path):
    rows = np.array([[0, 0], [1, 10], [2, 20]], "float32")
    forecaster.plot(rows, forecaster(rows), tmp_path / "rows.svg")
    assert "row of the table" in drawn(tmp_path / "rows.svg")


def test_a_picture_of_a_forecast_goes_by_date(forecaster, tmp_path, figures):
    path = table(tmp_path, 5)
    at = forecaster.at(4)
    at.plot(path, at(path), tmp_path / "picture.png")
    history, truth, forecast, border = figures[0].axes[0].lines
    assert [str(when) for when in history.get_xdata()] == [f"2016-07-01 0{hour}:00:00" for hour in (1, 2, 3)]
    assert [str(when) for when in truth.get_xdata()] == ["2016-07-01 04:00:00"]
    assert [str(when) for when in forecast.get_xdata()] == [f"2016-07-01 0{hour}:00:00" for hour in (4, 5)]
    assert str(border.get_xdata()[0]) == "2016-07-01 03:30:00"


def test_a_picture_needs_a_path_that_names_one(forecaster, tmp_path):
    path = table(tmp_path, 5)
    with pytest.raises(InvalidInput) as error:
        forecaster.plot(path, forecaster(path), tmp_path / "picture.xyz")
    assert str(error.value).startswith(f"Cannot draw into {tmp_path / 'picture.xyz'} (Format 'xyz' is not supported")
    assert str(error.value).endswith("). Give a path that ends in .png, .svg or .pdf.")


def test_a_picture_needs_matplotlib(forecaster, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    path = table(tmp_path, 5)
    with pytest.raises(MissingDependency) as error:
        forecaster.plot(path, forecaster(path), tmp_path / "picture.png")
    assert str(error.value) == "Pictures need matplotlib: pip install 'recurrent-zoo[plot]'."


def test_an_outlook_is_drawn_with_its_interval(outlook, tmp_path):
    path, picture = weather(tmp_path, [10, "NA", 30, 40, 50]), tmp_path / "picture.svg"
    at = outlook.at(4)
    at.plot(path, at(path), picture)
    assert {"history", "truth", "P10 to P90", "P50", "PM2.5, µg/m³"} <= set(drawn(picture))


def test_hours_measured_between_hours_that_are_missing_are_drawn_as_points(outlook, tmp_path, figures):
    path = weather(tmp_path, [10, "NA", 30, "NA", 50])
    at = outlook.at(3)
    at.plot(path, at(path), tmp_path / "picture.png")
    history, truth = figures[0].axes[0].lines[:2]
    np.testing.assert_array_equal(history.get_ydata(), [10, np.nan, 30])
    np.testing.assert_array_equal(truth.get_ydata(), [np.nan, 50])
    assert history.get_marker() == truth.get_marker() == "."


def test_an_anomaly_is_drawn_beside_its_reconstruction(detector, tmp_path):
    beats = np.tile([1.0, -1, 1, -1], (6, 1))
    detector.plot(beats, detector(beats), tmp_path / "picture.svg")
    texts = drawn(tmp_path / "picture.svg")
    title = "gru.har: the 4 of the highest scores of 6"
    assert {"series", "z-normalised", "series 4: normal, score 0.50", title} <= set(texts)
    assert "series 5: normal, score 0.50" not in texts
    assert texts.count("reconstruction, normal") == 1 and "reconstruction, anomalous" not in texts


def test_of_many_series_those_of_the_highest_scores_are_drawn(detector, tmp_path):
    beats = np.tile([1.0, -1, 1, -1], (6, 1))
    scores = np.array([0.1, 2.0, 0.2, 0.3, 0.4, 3.0])[:, None]
    rows = iter([scores, scores[[1, 3, 4, 5]]])
    detector.executor.function = lambda x: {"score": next(rows), "reconstruction": 0 * x}
    detector.plot(beats, detector(beats), tmp_path / "picture.svg")
    shown = [text for text in drawn(tmp_path / "picture.svg") if text.startswith("series ")]
    assert [text.split(":")[0] for text in shown] == ["series 2", "series 4", "series 5", "series 6"]


def test_the_legend_of_anomalies_tells_their_two_colours(detector, figures):
    beats = np.tile([1.0, -1, 1, -1], (2, 1))
    detector.executor.function = lambda x: {"score": np.array([[2.0], [0.5]])[: len(x)], "reconstruction": 0 * x}
    detector.plot(beats, detector(beats), "picture.png")
    (legend,) = figures[0].legends
    lines = {text.get_text(): line.get_color() for text, line in zip(legend.texts, legend.legend_handles, strict=True)}
    assert lines == {"series": "0.2", "reconstruction, anomalous": "tab:red", "reconstruction, normal": "tab:blue"}
    assert figures[0].get_suptitle() == ""
