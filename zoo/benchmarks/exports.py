"""Our files against those of plain `model.export` over the `architectures`: do they run, are they right, how fast.

Run `python -m zoo.benchmarks.exports` to write `results/exports.csv`. Every file is judged on the runtime people
deploy, ONNX Runtime or LiteRT, with one thread, at batch 1, on sequences of which those of tokens are padded. Files
that run take turns. A plain file that does not run has no time to compare with.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.benchmarks import formats, results, timing

if TYPE_CHECKING:
    import keras

PACKAGES = ("tensorflow-cpu", "keras", "tf2onnx", "onnxruntime", "ai-edge-litert")
UNITS, STEPS, ROUNDS = 64, 100, 100
RIGHT = 1e-3  # a larger difference is a wrong answer, not rounding
FORMATS = {"onnx": "ONNX", "tflite": "TFLite"}
_MEASURED = ("status", "operators", "bytes", "max_abs_diff", "p50_ms", "ratio", "bytes_ratio")
Arrays = dict[str, np.ndarray]
Run = Callable[[], Sequence[np.ndarray]]
Write = Callable[["keras.Model", Path], None]


def measure(name: str) -> list[dict[str, Any]]:
    """Four rows: both formats, by us and by plain Keras. `ratio` is how many times faster than plain our median is."""
    from zoo.benchmarks.architectures import build, example

    model = build(name, UNITS)
    inputs = example(model, 1, STEPS, padded=True)
    want = _keras(model, inputs)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for format in FORMATS:
            pair: dict[str, dict[str, Any]] = {}
            runs: dict[str, Run] = {}
            for by, write in _WRITERS.items():
                path = Path(folder) / f"{by}.{format}"
                row, run = _judged(model, write, path, inputs, want)
                pair[by] = {"architecture": name, "format": format, "by": by} | row
                if run is not None:
                    runs[by] = run
            _time(pair, runs)
            rows += pair.values()
    return rows


def _judged(
    model: "keras.Model", write: Write, path: Path, inputs: Arrays, want: Sequence[np.ndarray]
) -> tuple[dict[str, Any], Run | None]:
    """What became of one file, and how to run it if it runs."""
    row: dict[str, Any] = dict.fromkeys(_MEASURED, "")
    try:
        write(model, path)
    except Exception as error:  # plain export fails in many ways; each is a result
        return row | {"status": f"does not convert: {formats.first_line(error)}"}, None
    row |= {"operators": formats.operators(path), "bytes": path.stat().st_size}
    try:
        run = _RUNTIMES[path.suffix](path, inputs)
        got = run()
    except Exception as error:
        return row | {"status": f"does not run: {formats.first_line(error)}"}, None
    difference = float(np.max([np.abs(mine - theirs).max() for mine, theirs in zip(got, want, strict=True)]))  # or NaN
    status = "right" if difference <= RIGHT else f"wrong by {difference:.2g}"
    return row | {"status": status, "max_abs_diff": f"{difference:.1e}"}, run


def _time(pair: Mapping[str, dict[str, Any]], runs: Mapping[str, Run]) -> None:
    seconds = timing.interleaved(runs, ROUNDS)
    for by, values in seconds.items():
        pair[by]["p50_ms"] = round(1e3 * float(np.median(values)), 4)
    ours, plain = pair["ours"], pair["plain"]
    if len(seconds) == len(pair):
        ours["ratio"] = round(plain["p50_ms"] / ours["p50_ms"], 2)
    if ours["bytes"] and plain["bytes"]:
        ours["bytes_ratio"] = round(ours["bytes"] / plain["bytes"], 2)


def _keras(model: "keras.Model", inputs: Arrays) -> list[np.ndarray]:
    import keras

    tensors = keras.tree.map_structure(lambda tensor: inputs[tensor.name], model._inputs_struct)
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    answers = keras.tree.flatten(model(tensors, training=False))
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    return [keras.ops.convert_to_numpy(answer) for answer in answers]


def _ours(model: "keras.Model", path: Path) -> None:
    import export

    (export.to_onnx if path.suffix == ".onnx" else export.to_tflite)(model, path, check=False)  # judged here


_WRITERS: Mapping[str, Write] = {"ours": _ours, "plain": formats.keras_export}


_RUNTIMES: Mapping[str, Callable[[Path, Arrays], Run]] = {".onnx": formats.run_onnx, ".tflite": formats.run_litert}


def table() -> str:
    """What becomes of the architectures and how much faster ours are; behind a fold, every one of them."""
    rows = results.read("exports")
    files = {(row["architecture"], row["format"], row["by"]): row for row in rows}
    names = list(dict.fromkeys(row["architecture"] for row in rows))
    lines = [
        "| | runs, and is right | has a `Loop` or Flex | times as fast as plain (median; least to most) |",
        "| --- " * 4 + "|",
    ]
    for format, title in FORMATS.items():
        for by, who in (("plain", "plain `model.export`"), ("ours", "ours")):
            lines.append(_summary(f"{title}, {who}", [files[name, format, by] for name in names]))
    facts = (
        f"{len(names)} architectures of {UNITS} units, {STEPS} steps, batch 1, one thread, medians of {ROUNDS} "
        f"interleaved calls; {rows[0]['device']}; {rows[0]['versions']}."
    )
    fold = ["<details><summary>Every architecture</summary>", "", *_every(names, files), "", "</details>"]
    return "\n".join([*lines, "", facts, "", *fold])


def _summary(title: str, rows: Sequence[Mapping[str, str]]) -> str:
    right = sum(row["status"] == "right" for row in rows)
    foreign = sum("Loop" in row["operators"] or "Flex" in row["operators"] for row in rows)
    ratios = [float(row["ratio"]) for row in rows if row["ratio"]]
    speed = f"{np.median(ratios):.1f}; {min(ratios):.1f} to {max(ratios):.1f}" if ratios else ""
    return f"| {title} | {right} of {len(rows)} | {foreign} | {speed} |"


def _every(names: Sequence[str], files: Mapping[tuple[str, str, str], Mapping[str, str]]) -> list[str]:
    lines = ["| architecture | plain ONNX | ours | faster | plain TFLite | ours |", "| --- " * 6 + "|"]
    for name in names:
        onnx, lite = ([files[name, format, by] for by in ("plain", "ours")] for format in FORMATS)
        faster = f"{float(onnx[1]['ratio']):.1f}×" if onnx[1]["ratio"] else "–"
        cells = [*map(_described, onnx), faster, *map(_described, lite)]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


def _described(row: Mapping[str, str]) -> str:
    """The operators of a file that is right, else what is wrong with it."""
    status = row["status"].partition(":")[0]
    text = row["operators"] or "plain operators"
    return text if status == "right" else f"{status}{f': {text}' if row['operators'] else ''}"


if __name__ == "__main__":
    from zoo.benchmarks.architectures import ARCHITECTURES

    facts = results.conditions(PACKAGES, threads=1, rounds=ROUNDS)
    found = [row | facts for name in ARCHITECTURES for row in measure(name)]
    print(results.write("exports", found))
