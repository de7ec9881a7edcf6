"""Single beats (or other short series of one length) to how unusual they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime import picture
from export.runtime.pipelines.base import Pipeline
from zoo.errors import InvalidInput
from zoo.features import windows

DRAWN = 4


@dataclass(frozen=True)
class Anomaly:
    """`score` is the error of drawing the series again, divided by the threshold set on validation: above `threshold`,
    which is 1, the `verdict` is the second label. `worst` is the sample drawn worst; `series` counts from 1."""

    series: int
    score: float
    threshold: float
    verdict: str
    worst: int

    def cells(self) -> tuple[str, ...]:
        return str(self.series), f"{self.score:.2f}", f"{self.threshold:g}", self.verdict, str(self.worst)


class AnomalyDetection(Pipeline):
    """Scores series: an array [samples] or [series, samples], or a `.npy` or `.csv` file of one, a series a row.

    Raises InvalidInput for series of another length, one that is not z-normalised, and what is no finite number.
    """

    COLUMNS = ("series", "score", "threshold", "verdict", "worst sample")
    RIGHT = ("series", "score", "threshold", "worst sample")

    def __call__(self, raw: Any) -> list[Anomaly]:
        series = self._read(raw)
        scores, drawn = self._run(series)
        return [
            Anomaly(
                index + 1,
                float(score),
                1.0,
                self.spec.labels[int(score > 1)],
                int(np.argmax(np.abs(values - again))) + 1,
            )
            for index, (score, values, again) in enumerate(zip(scores, series, drawn, strict=True))
        ]

    def plot(self, raw: Any, answers: Sequence[Anomaly], path: Path) -> None:
        """The series of the highest scores, each with what the model draws and the error between the two."""
        worst = sorted(np.argsort([-answer.score for answer in answers], kind="stable")[:DRAWN])
        series, shown = self._read(raw)[worst], [answers[place] for place in worst]
        _, drawn = self._run(series)
        figure, panels = picture.axes(len(series), sharex=True)
        samples = np.arange(1, series.shape[1] + 1)
        for panel, values, again, answer in zip(panels, series, drawn, shown, strict=True):
            color = "tab:red" if answer.score > answer.threshold else "tab:blue"
            panel.plot(samples, values, color="0.2", label="series")
            panel.plot(samples, again, color=color, label=f"reconstruction, {answer.verdict}")
            panel.fill_between(samples, values, again, color=color, alpha=0.25, linewidth=0)
            panel.set_title(f"series {answer.series}: {answer.verdict}, score {answer.score:.2f}", fontsize=10)
            panel.set_ylabel("z-normalised")
        panels[-1].set_xlabel("sample")
        if len(answers) > len(series):
            figure.suptitle(f"{self.spec.name}: the {len(series)} of the highest scores of {len(answers)}", fontsize=10)
        named = [dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True)) for panel in panels]
        legend = {label: line for panel in named for label, line in panel.items()}  # each verdict once
        figure.legend(legend.values(), legend.keys(), loc="outside lower right", ncols=len(legend), frameon=False)
        picture.save(figure, path)

    def _read(self, raw: Any) -> np.ndarray:
        array = windows.array(raw)
        samples = self.spec.config["steps"]
        if array.shape in ((samples,), (samples, 1)):
            array = array.reshape(1, samples)
        if array.ndim != 2 or array.shape[1] != samples:
            raise InvalidInput(
                f"{self.spec.name} takes series of {samples} samples, one a row; "
                f"this input has shape {list(array.shape)}."
            )
        if array.dtype.kind not in "uif":
            raise InvalidInput(f"{self.spec.name} takes series of numbers; this input is of type {array.dtype}.")
        for number, row in enumerate(array, 1):
            mean, deviation = float(np.mean(row)), float(np.std(row))
            if abs(mean) > 0.05 or abs(deviation - 1) > 0.05:
                raise InvalidInput(
                    f"{self.spec.name} takes z-normalised series; series {number} has mean {mean:.3g} and deviation "
                    f"{deviation:.3g}. Subtract the mean and divide by the deviation, each series by its own."
                )
        return array

    def _run(self, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        output = self.executor.run({self.spec.signature.input_names[0]: series[..., None]})
        return output["score"][:, 0], output["reconstruction"][..., 0]
