"""What all benchmarks stand on: turns, processes of their own, the machine's limit, result files."""

import os

import numpy as np
import pytest

from zoo.benchmarks import machine, process, results, timing
from zoo.errors import InvalidInput


def test_candidates_take_turns():
    calls = []
    seconds = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, warm_up=1)
    assert calls == ["a", "b", "a", "b", "a", "b", "a", "b"]
    assert {name: values.shape for name, values in seconds.items()} == {"a": (3,), "b": (3,)}
    assert all((values >= 0).all() for values in seconds.values())


def test_a_turn_waits_settles_and_then_counts_every_call(monkeypatch):
    clock, naps, calls = iter(range(100)), [], []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(timing.time, "sleep", naps.append)
    turn = {"settle": 2, "repeats": 3, "pause": 0.5, "at_least": 3}  # the clock is read, and ticks, before every call
    seconds = timing.interleaved({"a": lambda: calls.append(0)}, 2, warm_up=1, **turn)
    assert seconds["a"].tolist() == [1.0] * 6
    assert (naps, len(calls)) == ([0.5, 0.5], 1 + 2 * (2 + 2 + 3))


def test_a_turn_goes_on_as_long_as_its_seconds_last(monkeypatch):
    clock, calls = iter(range(100)), []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    seconds = timing.interleaved({"a": lambda: calls.append(0)}, 2, warm_up=0, repeats=2, counted=4.0)
    assert seconds["a"].tolist() == [1.0] * 8


def test_results_read_back_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write("table", [{"name": "a, b", "value": 1.5}, {"name": "c", "value": 2}])
    assert results.read("table") == [{"name": "a, b", "value": "1.5"}, {"name": "c", "value": "2"}]


def test_a_row_says_what_it_was_measured_on():
    facts = results.conditions(("numpy",))
    assert facts["versions"] == f"numpy {np.__version__}"
    assert "core" in facts["device"]
    assert facts["commit"]


def test_only_installed_packages_are_named(monkeypatch):
    versions = {"numpy": "2", "torch": "2.13", "openvino": None}
    monkeypatch.setattr(results, "_version", versions.get)
    assert results.installed(("numpy",), ("openvino", "torch", "litert")) == ["numpy", "torch"]


def thread_settings():
    """Called by `process.apart` in another process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {name: os.environ[name] for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")} | {"cores": cores}


def refused(value):
    raise InvalidInput(f"{value} is refused.")


def broken():
    raise KeyError("nobody expected this")


HERE = "tests.zoo.test_benchmarks"


def test_a_process_apart_has_the_threads_it_was_given():
    found = process.apart(f"{HERE}:thread_settings", {}, threads=1)
    assert (found["OMP_NUM_THREADS"], found["TF_NUM_INTRAOP_THREADS"]) == ("1", "1")
    assert found["cores"] in (1, None)


def test_our_errors_come_back_from_a_process_apart_and_others_end_it():
    with pytest.raises(InvalidInput, match=r"^7 is refused\.$"):
        process.apart(f"{HERE}:refused", {"value": 7}, threads=1)
    with pytest.raises(RuntimeError, match=rf"^{HERE}:broken ended with exit code 1:\n") as error:
        process.apart(f"{HERE}:broken", {}, threads=1)
    assert "nobody expected this" in str(error.value)


def test_a_cold_start_is_that_of_a_process_of_its_own():
    found = process.cold_start("total = sum(range(3_000_000))")
    assert 0 < found["cold_cpu_s"] <= found["cold_s"] + 0.1
    assert 5 < found["peak_mib"] < 200
    with pytest.raises(RuntimeError, match=r"^a fresh process failed: ValueError: no such file$"):
        process.cold_start("raise ValueError('no such file')")


def test_the_limit_is_the_slower_of_arithmetic_and_reading():
    limit = machine.Limit(matmul=1e9, memory=1e9, weights=1e8)
    assert limit.seconds(machine.Work(operations=2_000_000_000, step_bytes=10, steps=5)) == pytest.approx(2.0)
    assert limit.seconds(machine.Work(operations=1000, step_bytes=10_000_000, steps=5)) == pytest.approx(0.5)
    assert limit.row() == {"matmul_gflops": 1.0, "memory_gbs": 1.0, "weights_gbs": 0.1}


def test_the_rates_of_the_machine_are_those_of_its_best_calls():
    seconds = {machine.MATMUL: [0.02, 0.01], machine.MEMORY: [0.5, 0.25], machine.WEIGHTS: [0.002, 0.001]}
    found = machine.limit({name: np.array(values) for name, values in seconds.items()}, weight_bytes=2**20)
    assert found.matmul == pytest.approx(2 * machine.SIDE**3 / 0.01)
    assert found.memory == pytest.approx(machine.STREAMED / 0.25)
    assert found.weights == pytest.approx(2**20 * machine.AGAIN / 0.001)


def test_what_the_machine_is_asked_for_are_the_products_it_says(monkeypatch):
    monkeypatch.setattr(machine, "SIDE", 8)
    monkeypatch.setattr(machine, "STREAMED", 64)
    calls = machine.candidates(weight_bytes=0)
    square = np.random.default_rng(0).standard_normal((8, 8)).astype("float32")
    assert calls[machine.MATMUL]() == pytest.approx((square @ square)[0, 0], rel=1e-5)
    assert calls[machine.MEMORY]() == 1.0
    assert set(calls) == {machine.MATMUL, machine.MEMORY, machine.WEIGHTS}
