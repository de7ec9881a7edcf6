"""The pictures and tables of the suites, from their CSV files: `make bench-report` draws and writes them all."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.benchmarks import inference, pictures, results, streaming

PICTURES: Mapping[str, tuple[str, Callable[[Sequence[Mapping[str, Any]], Path], Path]]] = {
    "inference.png": ("inference", pictures.latency_by_batch),
    "streaming.png": ("streaming", pictures.steps_by_units),
    "formats.png": ("zoo", pictures.score_by_size),
    "scaling.png": ("scaling", pictures.cost_by_size),
    "layers.png": ("layers", pictures.training_steps),
    "forms.png": ("forms", pictures.forms_by_length),
}
SHOWN = 256  # units in the README; the CSV has the others


def draw() -> list[Path]:
    """Every picture whose results are there."""
    return [
        plot(results.read(name), results.FOLDER / picture)
        for picture, (name, plot) in PICTURES.items()
        if (results.FOLDER / f"{name}.csv").is_file()
    ]


def inference_table() -> str:
    """Our ONNX files against the others at every size, and the machine's own limit."""
    rows = results.read("inference")
    return f"{markdown(inference.COLUMNS, inference.table(rows))}\n\n{inference_facts(rows)}"


def inference_facts(rows: Sequence[Mapping[str, Any]]) -> str:
    text = inference.summary(rows)
    return f"{text[0].upper()}{text[1:]}."


def streaming_table() -> str:
    """What a step of `SHOWN` units costs, and the streams a core carries."""
    rows = [row for row in results.read("streaming") if row["units"] in ("", str(SHOWN))]
    text = streaming.summary(rows)
    return f"{markdown(streaming.COLUMNS, streaming.table(rows))}\n\n{text[0].upper()}{text[1:]}."


def cold_table() -> str:
    """What a fresh process costs until its first answer: the median over the models of the zoo."""
    rows = [row for row in results.read("zoo") if row["cold_cpu_s"] != ""]
    lines = []
    for title in dict.fromkeys(row["runtime"] for row in rows):
        found = [row for row in rows if row["runtime"] == title]
        middle = [_median(found, name) for name in ("cold_s", "cold_cpu_s", "peak_mib")]
        lines.append((title, len(found), f"{middle[0]:.2f} s", f"{middle[1]:.2f} s", f"{middle[2]:.0f} MiB"))
    columns = ("runtime", "models", "process start to first answer", "of CPU time", "peak memory")
    return f"{markdown(columns, lines)}\n\nMedians over the models; {rows[0]['device']}; {rows[0]['versions']}."


def _median(rows: Sequence[Mapping[str, str]], name: str) -> float:
    return float(np.median([float(row[name]) for row in rows]))


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as GitHub reads it."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    for path in draw():
        print(path)
