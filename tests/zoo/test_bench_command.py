"""`zoo bench`: what it prints, and what it refuses, in one line."""

import json

import pytest

from zoo.benchmarks import inference, latency, process
from zoo.errors import ZooError

CORES = process.cores()
FACTS = {"time": 128, "rounds": 5, "device": "a processor", "versions": "keras 3"}


def row(runtime, **more):
    found = {"model": "gru.har", "runtime": runtime, "threads": 1, "batch": 1, "status": "ok", "operators": "GRU"}
    found |= {"bytes": 65_679, "cold_s": 0.18, "cold_cpu_s": 0.15, "peak_mib": 61.8, "metric": "accuracy"}
    found |= {"score": 0.9657, "p50_ms": 0.25, "p90_ms": 0.5, "p99_ms": 0.75, "per_second": 4000.0}
    return found | {"ratio_to_keras": 200.0} | FACTS | more


def without_time(runtime, status):
    empty = ("bytes", "cold_s", "cold_cpu_s", "peak_mib", "metric", "score", "p50_ms", "p90_ms", "p99_ms")
    return row(runtime, status=status, operators="", **dict.fromkeys((*empty, "per_second", "ratio_to_keras"), ""))


@pytest.fixture
def measured(monkeypatch):
    """What `latency.measure` was asked for; it answers with two rows."""
    asked = []
    rows = [row("ONNX Runtime"), without_time("PyTorch", "not installed: torch")]
    monkeypatch.setattr(latency, "measure", lambda *arguments, **options: asked.append((arguments, options)) or rows)
    monkeypatch.setenv("COLUMNS", "200")
    return asked


def test_a_model_is_printed_as_what_it_is_and_how_fast(zoo_command, measured):
    lines = [line.rstrip() for line in zoo_command("bench", "gru.har").out.splitlines()]
    assert lines[0] == "gru.har  128 steps, 5 rounds, a processor, keras 3"
    assert [line.split() for line in lines[1:]] == [
        "runtime file cold start CPU memory score".split(),
        "ONNX Runtime 64 KiB 0.18 s 0.15 s 62 MiB 96.6 % GRU".split(),
        ["PyTorch"],
        "PyTorch: not installed: torch".split(),
        [],
        "runtime batch p50 ms p90 ms p99 ms a second vs predict".split(),
        "ONNX Runtime 1 0.250 0.500 0.750 4,000 200.0×".split(),
    ]


def test_every_option_reaches_the_measurement(zoo_command, measured, tmp_path):
    path = tmp_path / "out.png"
    options = "--against torch,openvino --batch 1,8 --time 50 --threads 1,2 --quantize int8 --rounds 4 --json".split()
    answer = zoo_command("bench", "gru.har", *options, "--plot", path)
    assert [item["runtime"] for item in json.loads(answer.out)] == ["ONNX Runtime", "PyTorch"]
    wanted = {"against": ["torch", "openvino"], "time": 50, "threads": [1, 2], "quantize": ["int8"], "cold": True}
    assert measured == [(("gru.har", [1, 8], 4), wanted)]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_suite_is_run_printed_and_drawn(zoo_command, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(inference, "run", lambda rounds: [{"rounds": rounds}])
    monkeypatch.setattr(inference, "summary", lambda rows: "all in all")
    monkeypatch.setattr(inference, "table", lambda rows: [tuple("abcdefghijkl")])
    monkeypatch.setattr(inference, "plot", lambda rows, path: path.write_text(str(rows)))
    printed = zoo_command("bench", "inference", "--rounds", "3", "--plot", tmp_path / "a.svg").out
    assert printed.splitlines()[0] == "all in all" and printed.split()[-12:] == [*"abcdefghijkl"]
    assert (tmp_path / "a.svg").read_text() == "[{'rounds': 3}]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inferense"], "Unknown model or suite 'inferense'. Did you mean 'inference'? Run `zoo list` to see all"),
        (["missing.onnx"], "There is no file 'missing.onnx'. Check the path."),
        (["some/folder"], "'some/folder' is no .keras or .onnx or .tflite file, nor a zoo name."),
        (
            ["gru.har", "--against", "pytorch"],
            "Unknown peer 'pytorch'. Did you mean 'torch'? The peers are keras, onnx, litert, saved-model, "
            "keras-export, litert-default, torch, openvino.",
        ),
        (
            ["gru.har", "--quantize", "int4"],
            "Unknown quantisation 'int4'. Did you mean 'int8'? Use some of dynamic, float16, int8, int16x8.",
        ),
        (
            ["gru.har", "--threads", "two"],
            "--threads 'two' must be whole numbers with commas between them, as in 1,32.",
        ),
        (["gru.har", "--threads", "0"], "Numbers of threads [0] must be 1 or more."),
        (
            ["gru.har", "--threads", f"1,{CORES + 1}"],
            f"Numbers of threads [1, {CORES + 1}]: this process may use {CORES} cores.",
        ),
        (["gru.har", "--plot", "out.jpeg"], "--plot 'out.jpeg' must end in .png, .svg or .pdf."),
        (["gru.har", "--plot", "nowhere/out.png"], "--plot: there is no folder 'nowhere'."),
        (["gru.har", "--batch", ""], "--batch '' must be whole numbers with commas between them, as in 1,32."),
        (
            ["inference", "--threads", "1"],
            "--threads is for a model; suite 'inference' has sizes and peers of its own. Leave it out.",
        ),
        (
            ["streaming", "--batch", "4"],
            "--batch is for a model; suite 'streaming' has sizes and peers of its own. Leave it out.",
        ),
    ],
)
def test_wrong_usage_is_one_line(zoo_command, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    answer = zoo_command("bench", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"zoo: {message}") and answer.err.count("\n") == 1
    if not message.endswith("all"):
        assert answer.err == f"zoo: {message}\n"


def test_an_error_of_the_measurement_is_one_line(zoo_command, monkeypatch):
    def fails(*_, **__):
        raise ZooError("It did not work.")

    monkeypatch.setattr(latency, "measure", fails)
    assert zoo_command("bench", "gru.har").err == "zoo: It did not work.\n"
