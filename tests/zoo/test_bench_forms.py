"""The forms of a recurrence in TFLite: all are measured, and the exporter takes one not far from the fastest."""

import pytest

from zoo.benchmarks import forms, results, timing
from zoo.benchmarks.forms import Case
from zoo.errors import ParityError

LSTM = Case("lstm", None, 1, 6, False, 3, 4)


def row(form, p50_us, taken, case=LSTM):
    facts = {"chosen": taken, "bytes": 1000, "difference": "1e-07", "p50_us": p50_us}
    conditions = {"threads": 1, "rounds": 5, "device": "a processor", "versions": "keras 3"}
    return {**case._asdict(), "quantize": case.quantize or "float32", "form": form, **facts, **conditions}


ROWS = [
    *(row("fused", 10.0, False), row("unrolled", 4.0, True), row("WHILE", 8.0, False)),
    *(row("fused", 30.0, False, LSTM._replace(free=True)), row("WHILE", 36.0, True, LSTM._replace(free=True))),
    row("WHILE", 7.0, True, Case("gru", "dynamic", 8, 50, False, 3, 128)),
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
    assert [row["form"] for row in rows if row["chosen"]] == ["unrolled", "fused", "unrolled"]
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
        ("LSTM", "float32", "1", "4", "6, free", "30", "–", "36", "WHILE", "1.20×"),
        ("GRU", "dynamic", "8", "128", "50", "–", "–", "7", "WHILE", "1.00×"),
    ]
    assert len(forms.table(ROWS)[0]) == len(forms.COLUMNS)
    assert forms.summary(ROWS) == (
        "µs of a call; the exporter's form takes 1.06× the fastest one's time in the geometric mean, most 1.20×; "
        "1 thread, 5 rounds, a processor, keras 3"
    )
    assert forms.plot(ROWS, tmp_path / "forms.png").read_bytes().startswith(b"\x89PNG")


def test_the_rule_of_the_exporter_is_the_one_that_was_measured():
    """Small files of few units keep the operator, and 4 MiB are the most that copies of a kernel may take."""
    rows = results.read("forms")
    for case in forms.cases():
        named = {**case._asdict(), "quantize": case.quantize or "float32"}
        taken = [row["form"] for row in rows if row["chosen"] == "True" and _is(row, named)]
        assert taken == [forms.chosen(case)], case
    losses = [forms.loss(found)[1] for found in forms.by_case(rows)]
    assert sorted(losses)[len(losses) // 2] == 1.0


def _is(row, named):
    return all(row[name] == str(value) for name, value in named.items())
