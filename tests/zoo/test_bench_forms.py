"""The forms of a recurrence in TFLite: all are measured, and the exporter takes one not far from the fastest."""

import pytest

from zoo.benchmarks import forms, results, timing
from zoo.benchmarks.forms import Case
from zoo.errors import ParityError

LSTM = Case("lstm", None, 1, 6, False, 3, 4)


def row(form, p50_us, case=LSTM):
    facts = {"bytes": 1000, "difference": "1e-07", "p50_us": p50_us}
    conditions = {"threads": 1, "rounds": 5, "device": "a processor", "versions": "keras 3"}
    return {**case._asdict(), "quantize": case.quantize or "float32", "form": form, **facts, **conditions}


FREE, LONG = LSTM._replace(free=True), LSTM._replace(steps=401, units=64, quantize="dynamic")
ROWS = [
    *(row("fused", 10.0), row("unrolled", 4.0), row("WHILE", 8.0)),
    *(row("fused", 36.0, FREE), row("WHILE", 30.0, FREE)),
    *(row("fused", 70.0, LONG), row("WHILE", 50.0, LONG)),
]


@pytest.fixture
def _quick(monkeypatch):
    interleaved = timing.interleaved
    monkeypatch.setattr(timing, "interleaved", lambda calls, rounds, **_: interleaved(calls, rounds))


@pytest.mark.usefixtures("_quick")
def test_every_form_a_layer_can_take_agrees_with_keras_and_has_a_time():
    cases = [LSTM, LSTM._replace(free=True, quantize="dynamic", units=8), LSTM._replace(cell="gru", batch=2)]
    rows = forms.rows(1, cases)
    assert [(row["cell"], row["form"]) for row in rows] == [
        *(("lstm", form) for form in forms.FORMS),
        *(("lstm", form) for form in ("fused", "WHILE")),
        *(("gru", form) for form in ("unrolled", "WHILE")),
    ]
    assert [forms.loss(found)[0] for found in forms.by_case(rows)] == ["unrolled", "fused", "unrolled"]
    assert all(row["p50_us"] > 0 and row["bytes"] > 0 for row in rows)
    assert all(float(row["difference"]) < (1e-5 if row["quantize"] == "float32" else 0.05) for row in rows)


@pytest.mark.usefixtures("_quick")
def test_a_form_that_disagrees_is_not_timed(monkeypatch):
    monkeypatch.setattr(forms, "ALLOWED", {None: -1.0})
    with pytest.raises(ParityError, match=r"^Case\(cell='gru', .*\) differs from Keras: .* Nothing was timed\.$"):
        forms.rows(1, [LSTM._replace(cell="gru")])


def test_the_table_holds_the_form_of_the_exporter_against_the_fastest(tmp_path):
    assert forms.table(ROWS) == [
        ("LSTM", "float32", "1", "4", "6", "10", "4", "8", "unrolled", "1.00×"),
        ("LSTM", "float32", "1", "4", "6, free", "36", "–", "30", "fused", "1.20×"),
        ("LSTM", "dynamic", "1", "64", "401", "70", "–", "50", "WHILE", "1.00×"),
    ]
    assert len(forms.table(ROWS)[0]) == len(forms.COLUMNS)
    assert forms.summary(ROWS) == (
        "µs of a call; the exporter's form takes 1.06× the fastest one's time in the geometric mean, most 1.20×; "
        "1 thread, 5 rounds, a processor, keras 3"
    )
    assert forms.plot(ROWS, tmp_path / "forms.png").read_bytes().startswith(b"\x89PNG")


def test_the_rule_of_the_exporter_is_the_one_that_was_measured():
    """Small quantised files keep the operator, for their size; else few forms are a third slower than the fastest."""
    rows = results.read("forms")
    assert {forms.case_of(row) for row in rows} == set(forms.cases())
    found = [(forms.case_of(next(iter(group.values()))), forms.loss(group)[1]) for group in forms.by_case(rows)]
    losses = sorted(loss for case, loss in found if case.units >= 64 or not case.quantize)
    assert losses[len(losses) // 2] == 1.0 and losses[int(0.95 * len(losses))] < 4 / 3
