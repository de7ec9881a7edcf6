"""The suites: what they measure at tiny sizes, and what they make of numbers that are given."""

import importlib
import importlib.util

import numpy as np
import pytest

from zoo.benchmarks import guard, inference, machine, pretrained, report, results, scaling, side_by_side, streaming
from zoo.benchmarks.training_steps import Point
from zoo.cli.bench import SUITES
from zoo.errors import ParityError

TINY = Point(1, 3, 4, 5)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No pauses, and a machine that is asked for little."""
    monkeypatch.setattr(side_by_side, "PAUSE", 0)
    monkeypatch.setattr(side_by_side, "AT_LEAST", 0)
    monkeypatch.setattr(side_by_side, "COUNTED", 0)
    monkeypatch.setattr(machine, "SIDE", 8)
    monkeypatch.setattr(machine, "STREAMED", 2**10)


def test_inference_has_a_row_a_runtime_and_ours_takes_its_own_time(monkeypatch):
    monkeypatch.setattr(inference, "AGAINST", ("keras", "litert", "litert-default"))
    rows = inference.rows(1, [TINY, TINY._replace(batch=2)])
    ours = ["ONNX Runtime, 1 thread", "ONNX Runtime, dynamic, 1 thread", "Keras tf.function"]
    ours += ["ONNX Runtime", "ONNX Runtime, dynamic"]
    assert [row["runtime"] for row in rows] == [*ours, "LiteRT", "LiteRT, dynamic", inference.PLAIN_LITERT] * 4
    assert [(row["cell"], row["batch"]) for row in rows[::8]] == [("lstm", 1), ("lstm", 2), ("gru", 1), ("gru", 2)]
    for found in inference.points(rows):
        assert min(found[name]["times_onnx"] for name in inference.OURS) == 1.0
    assert {row["status"] for row in rows} == {"ok"}
    shares = {row["runtime"]: row["share_of_limit"] for row in rows}
    assert {title for title, share in shares.items() if share == ""} == {*inference.INT8, "LiteRT, dynamic"}
    assert all(share == "" or share >= 0 for share in shares.values())


def inference_row(runtime, p50, times, batch=1, cell="gru", units=128):
    size = {"batch": batch, "steps": 100, "features": 64, "units": units}
    row = {"cell": cell, **size, "runtime": runtime, "status": "ok" if p50 else "not installed: torch", "p50_ms": p50}
    facts = {"share_of_limit": 0.5, "matmul_gflops": 190.0, "memory_gbs": 25.0, "threads": 2, "rounds": 7}
    return row | {"times_onnx": times, "device": "a processor", "versions": "onnxruntime 1"} | facts


ROWS = [
    inference_row("ONNX Runtime, 1 thread", 2.0, 1.0),
    inference_row("ONNX Runtime", 3.0, 1.5),
    inference_row("ONNX Runtime, dynamic", 1.0, 0.5),
    inference_row("LiteRT", 4.0, 2.0),
    inference_row("LiteRT, dynamic", 3.2, 1.6),
    inference_row("OpenVINO", 1.5, 0.75),
    inference_row("PyTorch", "", ""),
    inference_row("ONNX Runtime, Keras export", 5.0, 2.5),
    inference_row("LiteRT, Keras export unrolled", 6.0, 3.0),
]


def test_the_inference_table_holds_the_peers_against_ours_and_int8_against_float():
    times = ("0.75× OpenVINO", "0.75×", "–", "2.50×")
    line = ("GRU", "1, 100, 64, 128", "2.000", "50 %", *times, "2.00×", "4.000", "1.25×", "1.50×")
    assert inference.table(ROWS) == [line]
    alone = inference_row("ONNX Runtime, dynamic, 1 thread", 0.8, 0.4)
    assert inference.table([*ROWS, alone])[0][8] == "2.50×"
    assert len(inference.table(ROWS)[0]) == len(inference.COLUMNS)
    assert inference.summary(ROWS) == (
        "one layer, one call; the best peer takes 0.75× our ONNX file's time in the geometric mean, least 0.75×; "
        "2 threads, 7 rounds, 190 GFLOP/s, 25 GB/s, a processor, onnxruntime 1"
    )


def test_a_step_of_a_stream_agrees_with_keras_before_it_is_timed(monkeypatch):
    monkeypatch.setattr(streaming, "STACKS", (2,))
    monkeypatch.setattr(streaming, "PERIOD", 10.0)  # seconds, so that a busy machine is in time as well
    rows = streaming.of_layer("lstm", 5, rounds=1)
    assert [row["runtime"] for row in rows] == [*(title for title, _, _ in streaming.FORMS), "PyTorch"]
    torch = "ok" if importlib.util.find_spec("torch") else "not installed: torch"
    assert [row["status"] for row in rows] == ["ok"] * len(streaming.FORMS) + [torch]
    rows = [row for row in rows if row["status"] == "ok"]
    assert all(row["streams"] == pytest.approx(1e7 / row["p50_us"], rel=0.01) for row in rows)
    assert all(row["stack"] == 2 and row["stacked_streams"] > 0 for row in rows)
    assert rows[0]["times_onnx"] == 1.0 and rows[0]["bytes"] > 0


def test_steps_that_do_not_add_up_are_not_timed(monkeypatch):
    def wrong(executor):
        return lambda batch: lambda frame: np.full((batch, 1, 5), 9.0, "float32")

    monkeypatch.setattr(streaming, "_pushing", wrong)
    with pytest.raises(
        ParityError, match=r"^gru: ONNX Runtime: steps differ by \d\.\de\+00 \(allowed 1e-03\): nothing"
    ):
        streaming.of_layer("gru", 5, rounds=1)


def test_a_peer_that_disagrees_or_is_not_there_is_a_row_that_says_so(monkeypatch):
    def wrong(cell, subject):
        return streaming.Candidate("PyTorch", lambda batch: lambda frame: np.full((1, 1, 5), np.nan), own=False)

    monkeypatch.setattr(streaming, "_torch", wrong)
    monkeypatch.setattr(streaming, "STACKS", (2,))
    row = streaming.of_layer("gru", 5, rounds=1)[-1]
    assert (row["status"], row["p50_us"]) == ("disagrees: steps differ by nan (allowed 1e-03)", "")
    assert streaming.table([row]) == [("GRU", "5", "PyTorch", row["status"], "", "", "", "")]
    monkeypatch.setattr(
        streaming, "_torch", lambda *_: streaming.Candidate("PyTorch", None, own=False, missing="torch")
    )
    assert streaming.of_layer("gru", 5, rounds=1)[-1]["status"] == "not installed: torch"


def test_a_model_that_listens_is_fed_20_ms_at_a_time(card, monkeypatch):
    import dataclasses

    spec = dataclasses.replace(card, sample_rate=16_000.0, files={"streaming.onnx": "00"})
    monkeypatch.setattr(streaming.registry, "all_names", lambda: ["gru.har"])
    monkeypatch.setattr(streaming.registry, "get", lambda name: spec)
    assert streaming.listening() == ["gru.har"]
    assert streaming._packet(spec).shape == (1, 320, 1)


def test_the_streams_of_a_stack_are_those_it_serves_in_time(monkeypatch):
    monkeypatch.setattr(streaming, "STACKS", (10, 100, 1000))
    times = iter([{"a": 0.001, "b": 0.021}, {"a": 0.006}, {"a": 0.5}])  # seconds a stack; 20 ms are in time
    monkeypatch.setattr(streaming, "_turns", lambda calls, rounds: next(times))
    opened = dict.fromkeys("ab", lambda batch: lambda frame: None)
    assert streaming._stacked(opened, np.zeros((1, 1, 4), "float32"), rounds=1) == {
        "a": {"stacked_streams": 300, "stack": 100},  # three stacks of 100 in 20 ms, and a third of one
        "b": {"stacked_streams": "", "stack": ""},
    }


def scaling_rows(times):
    kept = {"cell": "gru", "against": "steps", "batch": 1, "features": 64, "units": 128, "threads": 1}
    rows = [{**kept, "steps": 10 * 2**n, "value": 10 * 2**n, "p50_ms": ms} for n, ms in enumerate(times)]
    return scaling.with_slopes([{**row, "runtime": "ONNX Runtime"} for row in rows])


def test_the_slope_is_that_of_logarithms_and_the_bend_is_where_it_changes_most():
    rows = scaling_rows([1.0, 1.0, 2.0, 4.0, 16.0])
    assert [row["slope"] for row in rows] == ["", 0.0, 1.0, 1.0, 2.0]
    assert scaling.bend(rows) in ("20 (0.00 → 1.00)", "80 (1.00 → 2.00)")
    assert scaling.bend(scaling_rows([1.0, 2.0, 4.0])) == "–"
    assert scaling.table(rows) == [
        ("GRU", "steps", "ONNX Runtime", "10: 1.000 ms", "160: 16.000 ms", "1.00", scaling.bend(rows))
    ]


def test_scaling_changes_one_size_at_a_time(monkeypatch):
    monkeypatch.setattr(scaling, "BASE", TINY)
    monkeypatch.setattr(scaling, "AGAINST", ())
    rows = scaling.rows(1, {"steps": [2, 4], "units": [3]})
    assert [(row["cell"], row["against"], row["value"]) for row in rows[:3]] == [
        ("lstm", "steps", 2),
        ("lstm", "steps", 4),
        ("lstm", "units", 3),
    ]
    assert (rows[1]["steps"], rows[1]["units"], rows[2]["steps"], rows[2]["units"]) == (4, 5, 3, 3)
    assert rows[0]["slope"] == "" and isinstance(rows[1]["slope"], float)


def zoo_row(runtime, score, kib, status="ok"):
    timed = {"p50_ms": 1.0, "p99_ms": 2.0, "ratio_to_keras": 4.0} if status == "ok" else {}
    empty = {"p50_ms": "", "p99_ms": "", "ratio_to_keras": ""}
    cold = dict(zip(side_by_side.COLD, (0.2, 0.15, 60.0) if status == "ok" else ("", "", ""), strict=True))
    row = {"model": "gru.har", "runtime": runtime, "bytes": kib * 1024, "metric": "accuracy", "score": score}
    facts = {"threads": 1, "rounds": 5, "device": "a processor", "versions": "keras 3"}
    return row | empty | timed | cold | {"status": status} | facts


def test_the_zoo_table_has_a_line_a_form_and_says_what_does_not_run():
    rows = [zoo_row("ONNX Runtime", 0.966, 64), zoo_row("LiteRT", 0.96, 30, "does not run: no")]
    assert pretrained.table(rows) == [
        ("gru.har", "ONNX Runtime", "64", "0.20", "0.15", "60", "1.000", "2.000", "96.6 %", "4.0×"),
        ("gru.har", "LiteRT", "30", "", "", "", "does not run: no", "", "96.0 %", ""),
    ]
    assert pretrained.summary(rows) == "1 models, batch 1, 1 thread, 5 rounds, a processor, keras 3"


def test_the_guard_counts_a_ratio_for_us_and_allows_a_quarter():
    before = guard.ratios(ROWS)
    place = ("gru", "1", "100", "64", "128")
    assert before == {
        (*place, "ONNX Runtime, dynamic"): 2.0,
        (*place, "LiteRT"): 0.5,
        (*place, "LiteRT, dynamic"): 1 / 1.6,
        (*place, "OpenVINO"): 0.75,
        (*place, "ONNX Runtime, Keras export"): 2.5,
        (*place, "LiteRT, Keras export unrolled"): 3.0,
    }
    assert guard.lost(before, {key: 0.76 * value for key, value in before.items()}) == {}
    key = (*place, "OpenVINO")
    assert guard.lost(before, before | {key: 0.74 * before[key]}) == {key: (0.75, 0.74 * 0.75)}


def test_the_guard_measures_a_loss_twice_and_names_the_worst(monkeypatch):
    worse = [row | {"times_onnx": 0.3} if row["runtime"] == "OpenVINO" else row for row in ROWS]
    runs = []
    monkeypatch.setattr(results, "read", lambda name: ROWS)
    monkeypatch.setattr(inference, "run", lambda *arguments: runs.append(arguments) or worse)
    with pytest.raises(ParityError) as error:
        guard.check(rounds=4)
    assert runs == [(4,), (4, [Point(1, 100, 64, 128)])]
    assert str(error.value) == (
        "1 of 6 ratios fell by more than 25 %, most of all gru (1, 100, 64, 128) beside OpenVINO: 0.75 before, "
        "0.30 now. If that is meant, run `make bench` to write new results."
    )
    monkeypatch.setattr(inference, "run", lambda *arguments: worse if len(arguments) == 1 else ROWS)
    said = "6 ratios, none of which fell by more than 25 %. Not installed: PyTorch."
    assert guard.check(rounds=4) == said


def test_what_is_no_longer_measured_is_lost_unless_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(results, "read", lambda name: ROWS)

    def without(title, status):
        gone = {"status": status, "p50_ms": "", "times_onnx": ""}
        return lambda *_: [row | gone if row["runtime"] == title else row for row in ROWS]

    monkeypatch.setattr(inference, "run", without("ONNX Runtime, dynamic", "does not convert: no"))
    with pytest.raises(ParityError, match=r"^1 of 6 ratios fell .* beside ONNX Runtime, dynamic: 2\.00 before, 0\.00"):
        guard.check(rounds=4)
    monkeypatch.setattr(inference, "run", without("OpenVINO", "not installed: openvino"))
    assert guard.check(rounds=4) == "5 ratios, none of which fell by more than 25 %. Not installed: OpenVINO, PyTorch."


def written(rows):
    return [{name: str(value) for name, value in row.items()} for row in rows]


def test_the_report_draws_every_picture_whose_results_are_there(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    cells = [row | {"cell": cell} for cell in ("lstm", "gru") for row in ROWS]
    results.write("inference", [row | {"batch": batch} for batch in (1, 8) for row in cells])
    results.write("zoo", [zoo_row("ONNX Runtime", 0.966, 64), zoo_row("ONNX Runtime, dynamic", 0.95, 22)])
    results.write("scaling", scaling_rows([1.0, 2.0, 4.0]))
    assert [path.name for path in report.draw()] == ["inference.png", "formats.png", "scaling.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.png"))


def test_the_tables_of_the_readme_come_from_the_results(monkeypatch):
    rows = {"inference": written(ROWS), "zoo": written([zoo_row("ONNX Runtime", 0.9, 64)] * 3)}
    monkeypatch.setattr(results, "read", rows.get)
    lines = report.inference_table().splitlines()
    assert lines[0] == "| " + " | ".join(inference.COLUMNS) + " |"
    assert lines[2].startswith("| GRU | 1, 100, 64, 128 | 2.000 | 50 % | 0.75× OpenVINO |")
    assert lines[-1].startswith("One layer, one call; the best peer takes 0.75×")
    assert report.cold_table().splitlines()[2:] == [
        "| ONNX Runtime | 3 | 0.20 s | 0.15 s | 60 MiB |",
        "",
        "Medians over the models; a processor; keras 3.",
    ]


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_what_the_command_needs(name):
    suite = importlib.import_module(SUITES[name])
    assert suite.COLUMNS and suite.ROUNDS > 0
    assert all(map(callable, (suite.run, suite.table, suite.summary, suite.plot)))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("suite", "name", "asked"),
    [
        (inference, "inference", {"grid": [TINY]}),
        (scaling, "scaling", {"sizes": {"steps": (2,)}}),
        (streaming, "streaming", {"units": (4,)}),
        (pretrained, "zoo", {"names": ["gru.har"]}),
    ],
)
def test_a_suite_measures_in_a_process_of_its_own_and_has_the_columns_of_the_last_results(suite, name, asked):
    rows = suite.run(rounds=1, **asked)
    assert [list(row) for row in rows] == [list(results.read(name)[0])] * len(rows)
    assert {row["threads"] for row in rows} == {suite.THREADS}
    assert all(row["p50_us" if name == "streaming" else "p50_ms"] for row in rows if row["status"] == "ok")
