"""Every form a recurrence can take in a TFLite file, at every length: what the rule of the exporter is made of.

fused      one `UNIDIRECTIONAL_SEQUENCE_LSTM`: an LSTM alone
unrolled   every step written out
WHILE      a loop over blocks of steps

Batch 1, then batches of 64 and 128 units, then files whose length is free; float32 and dynamic range quantisation.
`python -m zoo.benchmarks.tflite_forms` (ten minutes) writes `results/tflite_forms.csv` and draws it.
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
    return [row | facts for row in process.apart("zoo.benchmarks.tflite_forms:rows", request, THREADS)]


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
        seconds = timing.interleaved(calls, rounds, settle=2, repeats=3, pause=0.01, at_least=0.02)
        size = {form: path.stat().st_size for form, path in files.items()}
    named = {**case._asdict(), "quantize": case.quantize or "float32"}
    return [
        {
            **named,
            "form": form,
            "chosen": form == chosen(case),
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

        def unrolls(self, steps: int | None, weights: int = 0) -> bool:
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


def by_case(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    """The rows of each case."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(str(row[name]) for name in Case._fields), []).append(row)
    return found


def losses(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], float]:
    """Of each case, how many times as long as the fastest form the chosen one takes."""
    found = {}
    for case, forms in by_case(rows).items():
        taken = next(float(row["p50_us"]) for row in forms if str(row["chosen"]) == "True")
        found[case] = taken / min(float(row["p50_us"]) for row in forms)
    return found


if __name__ == "__main__":
    made = run()
    print(results.write("tflite_forms", made))
    worst = sorted(losses(made).items(), key=lambda item: -item[1])[:10]
    print("\n".join(f"{loss:.2f}x the fastest form: {', '.join(case)}" for case, loss in worst))
