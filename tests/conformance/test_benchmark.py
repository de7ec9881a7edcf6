"""The comparison with plain `model.export`: what it measures of one architecture, and the table it makes of all."""

import pytest

from zoo.benchmarks import exports, results

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # of plain `model.export`


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "UNITS", 4)
        patch.setattr(exports, "STEPS", 12)
        patch.setattr(exports, "ROUNDS", 3)
        return {(row["format"], row["by"]): row for row in exports.measure("activity_gru")}


def test_every_format_is_measured_by_us_and_by_plain_keras(rows):
    assert set(rows) == {(format, by) for format in ("onnx", "tflite") for by in ("ours", "plain")}
    assert [rows[format, "ours"]["status"] for format in ("onnx", "tflite")] == ["right", "right"]
    assert (rows["onnx", "ours"]["operators"], rows["tflite", "ours"]["operators"]) == ("GRU", "WHILE ×2")


def test_a_ratio_is_plain_time_to_ours_and_stands_only_where_both_run(rows):
    ours, plain = rows["onnx", "ours"], rows["onnx", "plain"]
    assert (plain["status"], plain["operators"]) == ("right", "Loop")
    assert ours["ratio"] == pytest.approx(plain["p50_ms"] / ours["p50_ms"], abs=0.01)
    assert ours["bytes_ratio"] == pytest.approx(ours["bytes"] / plain["bytes"], abs=0.01)
    assert rows["tflite", "plain"]["status"].startswith("does not run: Select TensorFlow op(s)")
    assert (rows["tflite", "plain"]["p50_ms"], rows["tflite", "ours"]["ratio"]) == ("", "")


def test_the_table_counts_what_runs_and_names_every_architecture(rows, monkeypatch):
    facts = {"device": "a processor", "versions": "keras 3"}
    monkeypatch.setattr(
        results, "read", lambda name: [{k: str(v) for k, v in (row | facts).items()} for row in rows.values()]
    )
    lines = exports.table().splitlines()
    ratio = f"{rows['onnx', 'ours']['ratio']:.1f}"
    assert lines[2:6] == [
        "| ONNX, plain `model.export` | 1 of 1 | 1 |  |",
        f"| ONNX, ours | 1 of 1 | 0 | {ratio}; {ratio} to {ratio} |",
        "| TFLite, plain `model.export` | 0 of 1 | 1 |  |",
        "| TFLite, ours | 1 of 1 | 0 |  |",
    ]
    flex = rows["tflite", "plain"]["operators"]
    assert f"| `activity_gru` | Loop | GRU | {ratio}× | does not run: {flex} | WHILE ×2 |" in lines
