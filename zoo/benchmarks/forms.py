"""Every form a recurrence can take in a TFLite file, at every length: what the rule of the exporter is made of.

fused      one `UNIDIRECTIONAL_SEQUENCE_LSTM`: an LSTM alone
unrolled   every step written out
WHILE      a loop over blocks of steps

Batch 1, batches, and files whose length is free; float32 and dynamic range quantisation; one thread.
`zoo bench forms` prints it; `python -m zoo.benchmarks.forms` also writes `results/forms.csv`.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.benchmarks import process, results, timing
from zoo.benchmarks.training_steps import GATES
from zoo.errors import ParityError

FORMS = ("fused", "unrolled", "WHILE")
QUANTIZE = (None, "dynamic")
STEPS, FREE_STEPS, BATCHES = (5, 20, 50, 200, 800, 1600), (20, 100, 400, 1000), (8, 32)
SIZES = ((16, 32), (64, 64), (64, 128), (64, 256))  # features, units
MOST_UNROLLED = 200
THREADS, ROUNDS = 1, 5
ALLOWED = {None: 1e-4, "dynamic": 5e-2}
COLUMNS = ("cell", "weights", "batch", "units", "steps", *FORMS, "the exporter takes", "times the fastest")


class Case(NamedTuple):
    """One layer; with `free` its file takes any length."""

    cell: str
    quantize: str | None
    batch: int
    steps: int
    free: bool
    features: int
    units: int


def cases() -> Iterator[Case]:
    for cell in GATES:
        for quantize in QUANTIZE:
            for features, units in SIZES:
                yield from (Case(cell, quantize, 1, steps, False, features, units) for steps in STEPS)
                if cell == "lstm":
                    yield from (Case(cell, quantize, 1, steps, True, features, units) for steps in FREE_STEPS)
                if units in (64, 128):
                    yield from (Case(cell, quantize, batch, 100, False, features, units) for batch in BATCHES)


def chosen(case: Case) -> str:
    """The form that the exporter gives it."""
    from export.lowering.tflite import TFLiteTarget

    target, steps = TFLiteTarget(case.quantize), None if case.free else case.steps
    if case.cell == "lstm" and not target.outruns(case.units, steps):
        return "fused"
    return "unrolled" if target.unrolls(steps, GATES[case.cell] * case.units**2) else "WHILE"


def run(rounds: int = ROUNDS, found: Sequence[Case] | None = None) -> list[dict[str, Any]]:
    """One row a case and form it can take."""
    facts = results.conditions(results.RUNTIMES, threads=THREADS, rounds=rounds)
    request = {"rounds": rounds, "found": [list(case) for case in found or cases()]}
    return [row | facts for row in process.apart("zoo.benchmarks.forms:rows", request, THREADS)]


def rows(rounds: int, found: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The rows, measured in this process."""
    return [row for values in found for row in _of(Case(*values), rounds)]


def _of(case: Case, rounds: int) -> list[dict[str, Any]]:
    import keras

    keras.utils.set_random_seed(0)
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[case.cell]
    x = keras.Input((None if case.free else case.steps, case.features), case.batch, name="x")
    model = keras.Sequential([x, layer(case.units, return_sequences=True)])
    array = np.random.default_rng(0).standard_normal((case.batch, case.steps, case.features)).astype("float32")
    want = keras.ops.convert_to_numpy(model(array))
    with tempfile.TemporaryDirectory() as folder:
        files = {form: _written(model, case, form, Path(folder) / form) for form in FORMS if _takes(case, form)}
        calls = {form: _call(path, array) for form, path in files.items()}
        differences = {form: float(np.abs(call() - want).max()) for form, call in calls.items()}
        if max(differences.values()) > ALLOWED[case.quantize]:
            raise ParityError(f"{case} differs from Keras: {differences}. Nothing was timed.")
        seconds = timing.interleaved(calls, rounds, settle=2, repeats=3, pause=0.01, at_least=0.02, counted=0.005)
        size = {form: path.stat().st_size for form, path in files.items()}
    named = {**case._asdict(), "quantize": case.quantize or "float32"}
    return [
        {
            **named,
            "form": form,
            "bytes": size[form],
            "difference": f"{differences[form]:.1e}",
            "p50_us": round(1e6 * float(np.median(seconds[form])), 1),
        }
        for form in files
    ]


def _takes(case: Case, form: str) -> bool:
    if form == "unrolled":
        return case.steps <= MOST_UNROLLED and not case.free
    return form == "WHILE" or case.cell == "lstm"


def _written(model: Any, case: Case, form: str, path: Path) -> Path:
    from export import tflite
    from export.lowering.source import read
    from export.lowering.tflite import TFLiteTarget
    from export.lowering.trace import Tracer

    class Forced(TFLiteTarget):
        """Every recurrence in one form."""

        def outruns(self, units: int, steps: int | None) -> bool:
            return form != "fused"

        def unrolls(self, steps: int | None, weights: int | None = None) -> bool:
            return form == "unrolled"

    tracer = Tracer(Forced(case.quantize))
    tflite.write(read(model), path, "{}", quantize=case.quantize, batch=case.batch, tracer=tracer)
    return path


def _call(path: Path, array: np.ndarray) -> timing.Call:
    """The bare interpreter: no state is reset, as that costs the same in every form."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=THREADS)
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, array.shape)
    interpreter.allocate_tensors()

    def call() -> np.ndarray:
        interpreter.set_tensor(given, array)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return call


def case_of(row: Mapping[str, Any]) -> Case:
    """The case of a row as it is measured, or as a CSV file gives it back."""
    quantize = None if row["quantize"] == "float32" else str(row["quantize"])
    batch, steps, features, units = (int(row[name]) for name in ("batch", "steps", "features", "units"))
    return Case(str(row["cell"]), quantize, batch, steps, str(row["free"]) == "True", features, units)


def by_case(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Mapping[str, Any]]]:
    """The rows of each case, by form."""
    found: dict[Case, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(case_of(row), {})[row["form"]] = row
    return list(found.values())


def loss(forms: Mapping[str, Mapping[str, Any]]) -> tuple[str, float]:
    """The form that the exporter takes, and how many times as long as the fastest one it takes."""
    taken = chosen(case_of(next(iter(forms.values()))))
    return taken, float(forms[taken]["p50_us"]) / min(float(row["p50_us"]) for row in forms.values())


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line a case, for `COLUMNS`: µs of each form it can take."""
    return [_line(forms) for forms in by_case(rows)]


def _line(forms: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    row, (taken, times) = next(iter(forms.values())), loss(forms)
    steps = f"{row['steps']}, free" if str(row["free"]) == "True" else str(row["steps"])
    sizes = (str(row["cell"]).upper(), *(str(row[name]) for name in ("quantize", "batch", "units")), steps)
    times_of = [f"{float(forms[form]['p50_us']):.0f}" if form in forms else "–" for form in FORMS]
    return (*sizes, *times_of, taken, f"{times:.2f}×")


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    first, times = rows[0], [loss(forms)[1] for forms in by_case(rows)]
    return (
        f"µs of a call; the exporter's form takes {np.exp(np.mean(np.log(times))):.2f}× the fastest one's time in the "
        f"geometric mean, most {max(times):.2f}×; {first['threads']} thread, {first['rounds']} rounds, "
        f"{first['device']}, {first['versions']}"
    )


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    from zoo.benchmarks import pictures

    return pictures.forms_by_length(rows, path)


if __name__ == "__main__":
    print(results.write("forms", run()))
