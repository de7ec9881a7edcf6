"""Scores: the metrics, and one way to measure any executor with them. NumPy only."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from zoo.datasets import Arrays, Split
from zoo.datasets.padding import by_length, cut, cut_inputs
from zoo.errors import unknown_name
from zoo.features import ctc, keywords, translation
from zoo.spec import Signature


class Executor(Protocol):
    """The face Keras, SavedModel, ONNX and TFLite share."""

    @property
    def signature(self) -> Signature: ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def stream(self, batch: int = 1) -> Any: ...


class Translator(Protocol):
    """What writes texts: two executors, an encoder and a decoder, and a search."""

    def translate(self, source: np.ndarray, beam: int) -> list[str]: ...


@dataclass(frozen=True)
class Metric:
    """`measure(y, outputs)` compares targets with a model's output, or with a mapping of its outputs by name.

    `of` says what is compared: metrics of the same suit the same models. `percent` says that people read the value as
    a share. One of "tokens" compares with surprisals: the text is read from its start to its end by a model that
    streams. One with `beam` > 0 compares texts with those a search of that many beams writes.
    """

    measure: Callable[[Any, Any], float]
    of: str
    higher_is_better: bool
    percent: bool = False
    beam: int = 0

    @property
    def carried(self) -> bool:
        return self.of == "tokens"

    def better(self, value: float, other: float) -> bool:
        """Whether `value` is at least as good as `other`; any number is better than NaN."""
        if math.isnan(value) or math.isnan(other):
            return not math.isnan(value)
        return value >= other if self.higher_is_better else value <= other


def accuracy(y: np.ndarray, logits: np.ndarray) -> float:
    """The share of examples whose largest logit [N, classes] is the target [N].

    >>> accuracy(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    0.5
    """
    return float(np.mean(logits.argmax(-1) == y))


def macro_accuracy(y: np.ndarray, logits: np.ndarray) -> float:
    """The mean over the classes that occur of the share of their examples that are found: rare ones count in full.

    >>> macro_accuracy(np.array([0, 0, 0, 1]), np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.2, 0.8]]))
    0.8333333333333333
    """
    found = logits.argmax(-1) == y
    return float(np.mean([found[y == label].mean() for label in np.unique(y)]))


def tag_accuracy(y: np.ndarray, logits: np.ndarray) -> float:
    """The share of words [N, T] whose largest logit [N, T, classes] is their tag; a target of -1 is no word.

    >>> tag_accuracy(np.array([[1, 0], [1, -1]]), np.array([[[0.1, 0.9], [0.2, 0.8]], [[0.0, 0.1], [0.0, 0.0]]]))
    0.6666666666666666
    """
    return float(np.mean((logits.argmax(-1) == y)[y >= 0]))


def mean_squared_error(y: np.ndarray, value: np.ndarray) -> float:
    """
    >>> mean_squared_error(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]))
    2.0
    """
    return float(np.mean(np.square(value.astype("float64") - y)))


def word_error_rate(y: np.ndarray, logits: np.ndarray) -> float:
    """Words put in, left out or replaced, as a share of the words spoken; the string is that of the most probable path.

    y int [N, words], zeros behind a shorter string; logits [N, T, 1 + labels], of which output 0 is the blank.

    >>> word_error_rate(np.array([[1, 2]]), np.log(np.eye(3)[[[1, 0, 1]]] + 1e-9))
    0.5
    """
    return _word_error_rate(y, [ctc.greedy(frames) for frames in logits])


def word_error_rate_beam(y: np.ndarray, logits: np.ndarray) -> float:
    """`word_error_rate` where the string is the most probable one that a prefix beam search finds."""
    return _word_error_rate(y, [ctc.prefix_beam(frames)[0][0] for frames in logits])


def keyword_accuracy(y: np.ndarray, logits: np.ndarray) -> float:
    """The share of clips whose label y [N] is what a streaming spotter, logits [N, T, labels], says of the whole clip:
    `keywords.decide`. The first report of a stream may be another; `zoo/benchmarks/keywords.py` counts those."""
    return float(np.mean(keywords.decide(logits) == y))


def _word_error_rate(y: np.ndarray, found: Sequence[Sequence[int]]) -> float:
    spoken = [row[row > 0].tolist() for row in y]
    return sum(map(ctc.word_errors, spoken, found)) / sum(map(len, spoken))


def standardised_mse(y: np.ndarray, outputs: Mapping[str, np.ndarray]) -> float:
    """The mean squared error of output "standardised" [N, horizon, C], in deviations of the training rows."""
    return mean_squared_error(y, outputs["standardised"])


def standardised_mae(y: np.ndarray, outputs: Mapping[str, np.ndarray]) -> float:
    """The mean absolute error of output "standardised" [N, horizon, C]."""
    return float(np.mean(np.abs(outputs["standardised"].astype("float64") - y)))


def pinball(y: np.ndarray, quantiles: np.ndarray) -> float:
    """The mean pinball loss of P10, P50 and P90, quantiles [N, horizon, 3], where the target [N, horizon] was measured.

    A negative target says that it was not. Source: Koenker & Bassett 1978, Econometrica 46(1).

    >>> round(pinball(np.array([[10.0], [-1.0]]), np.array([[[8.0, 10.0, 15.0]], [[0.0, 0.0, 0.0]]])), 4)
    0.2333
    """
    measured = y >= 0
    error = y[measured][:, None] - quantiles.astype("float64")[measured]
    return float(np.mean(np.maximum(np.array(QUANTILES) * error, (np.array(QUANTILES) - 1) * error)))


def coverage(y: np.ndarray, quantiles: np.ndarray) -> float:
    """The share of measured targets [N, horizon] from P10 to P90; 0.8 is meant, more is no better."""
    inside = (quantiles[..., 0] <= y) & (y <= quantiles[..., -1])
    return float(np.mean(inside[y >= 0]))


def roc_auc(y: np.ndarray, outputs: Mapping[str, np.ndarray]) -> float:
    """The probability that an anomalous example (y = 1) scores above a normal one (y = 0); a tie counts half.

    >>> roc_auc(np.array([0, 0, 1, 1]), {"score": np.array([[0.1], [0.3], [0.3], [0.9]])})
    0.875
    """
    values, places = np.unique(outputs["score"][:, 0], return_inverse=True)
    normal, anomalous = (np.bincount(places[y == label], minlength=len(values)) for label in (0, 1))
    below = np.cumsum(normal) - normal
    return float(np.sum(anomalous * (below + normal / 2)) / (normal.sum() * anomalous.sum()))


def detection_accuracy(y: np.ndarray, outputs: Mapping[str, np.ndarray]) -> float:
    """The share of examples on their side of the threshold: a score above 1 is anomalous (y = 1)."""
    return float(np.mean((outputs["score"][:, 0] > 1) == y))


def surprisals_of(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What each target costs in nats [B, T]: -log softmax(logits)[y], of logits [B, T, V] and y int [B, T].

    >>> surprisals_of(np.log([[[0.5, 0.25, 0.25]]]), np.array([[0]])).round(4).tolist()
    [[0.6931]]
    """
    shifted = logits - logits.max(-1, keepdims=True)
    given: np.ndarray = np.log(np.exp(shifted).sum(-1)) - np.take_along_axis(shifted, y[..., None], -1)[..., 0]
    return given


def carried_surprisals(executor: Executor, split: Split, steps: int = 256) -> np.ndarray:
    """`surprisals_of` of every target of texts [N, T], their states carried through chunks of `steps`, or of the size
    that the file fixes."""
    stream = executor.stream(len(split))
    steps = stream.chunk or steps
    chunks = [slice(at, at + steps) for at in range(0, split.y.shape[1], steps)]
    return np.concatenate([surprisals_of(stream.push(split.x[:, chunk]), split.y[:, chunk]) for chunk in chunks], 1)


def nats_per_token(y: np.ndarray, surprisals: np.ndarray) -> float:
    """The mean surprisal: the cross-entropy of a language model, in nats a token."""
    return float(np.mean(surprisals, dtype="float64"))


def perplexity(y: np.ndarray, surprisals: np.ndarray) -> float:
    """
    >>> round(perplexity(np.array([[1, 2]]), np.log([[4.0, 16.0]])), 6)
    8.0
    """
    return float(np.exp(np.mean(surprisals, dtype="float64")))


QUANTILES = (0.1, 0.5, 0.9)
METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, "classes", higher_is_better=True, percent=True),
    "macro_accuracy": Metric(macro_accuracy, "classes", higher_is_better=True, percent=True),
    "tag_accuracy": Metric(tag_accuracy, "tags", higher_is_better=True, percent=True),
    "keyword_accuracy": Metric(keyword_accuracy, "packets", higher_is_better=True, percent=True),
    "bleu": Metric(translation.bleu, "texts", higher_is_better=True, beam=translation.BEAM),
    "bleu_greedy": Metric(translation.bleu, "texts", higher_is_better=True, beam=1),
    "nats_per_token": Metric(nats_per_token, "tokens", higher_is_better=False),
    "perplexity": Metric(perplexity, "tokens", higher_is_better=False),
    "mean_squared_error": Metric(mean_squared_error, "numbers", higher_is_better=False),
    "standardised_mse": Metric(standardised_mse, "forecasts", higher_is_better=False),
    "standardised_mae": Metric(standardised_mae, "forecasts", higher_is_better=False),
    "pinball": Metric(pinball, "quantiles", higher_is_better=False),
    "coverage": Metric(coverage, "quantiles", higher_is_better=True, percent=True),
    "roc_auc": Metric(roc_auc, "anomalies", higher_is_better=True),
    "detection_accuracy": Metric(detection_accuracy, "anomalies", higher_is_better=True, percent=True),
    "word_error_rate": Metric(word_error_rate, "strings", higher_is_better=False, percent=True),
    "word_error_rate_beam": Metric(word_error_rate_beam, "strings", higher_is_better=False, percent=True),
}


def metric(name: str) -> Metric:
    """The metric of that name. Raises UnknownName with the metrics there are."""
    if name not in METRICS:
        raise unknown_name("metric", name, METRICS, f"The metrics are {', '.join(METRICS)}.")
    return METRICS[name]


Run = Callable[[Arrays], dict[str, np.ndarray]]


def outputs_of(run: Run, x: Arrays, batch: int = 256) -> Arrays:
    """The answer of `run` to every example of x, in batches: one array, or a mapping where it has several outputs.

    Padded tokens are run in the order of their lengths, each batch cut to its longest, for models that padding does
    not change; an output [N, T, …] along the steps that were cut is filled up with zeros again.
    """
    arrays = list(x.values()) if isinstance(x, Mapping) else [x]
    padded = all(array.dtype.kind in "iu" and array.ndim > 1 for array in arrays)
    order = np.argsort(by_length(x), kind="stable") if padded else np.arange(len(arrays[0]))
    parts = []
    for at in range(0, len(order), batch):
        given = _take(x, order[at : at + batch])
        parts.append(_filled_up(run(cut_inputs(given)), given) if padded else run(given))
    place = np.argsort(order, kind="stable")
    outputs = {name: np.concatenate([part[name] for part in parts])[place] for name in parts[0]}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _take(x: Arrays, rows: np.ndarray) -> Arrays:
    return {name: array[rows] for name, array in x.items()} if isinstance(x, Mapping) else x[rows]


def _filled_up(outputs: dict[str, np.ndarray], given: Arrays) -> dict[str, np.ndarray]:
    """Outputs that have one step for each step of a cut input get the steps of the whole input."""
    arrays = list(given.values()) if isinstance(given, Mapping) else [given]
    whole = {cut(array).shape[1]: array.shape[1] for array in arrays}

    def filled(array: np.ndarray) -> np.ndarray:
        if array.ndim < 3 or array.shape[1] not in whole:
            return array
        return np.pad(array, [(0, 0), (0, whole[array.shape[1]] - array.shape[1]), *[(0, 0)] * (array.ndim - 2)])

    return {name: filled(array) for name, array in outputs.items()}


def evaluate(executor: Any, split: Split, metrics: Sequence[str]) -> dict[str, float]:
    """Each metric of the answers to the whole split; `executor` is an `Executor`, or for `beam` a `Translator`."""
    measures = {name: metric(name).measure for name in metrics}
    if metric(metrics[0]).beam:
        translator: Translator = executor
        written = {name: translator.translate(split.x["source"], metric(name).beam) for name in metrics}
        return {name: measure(split.texts, written[name]) for name, measure in measures.items()}
    if metric(metrics[0]).carried:
        surprisals = carried_surprisals(executor, split)
        return {name: measure(split.y, surprisals) for name, measure in measures.items()}
    first = executor.signature.input_names[0]
    outputs = outputs_of(lambda x: executor.run(x if isinstance(x, Mapping) else {first: x}), split.x)
    return {name: measure(split.y, outputs) for name, measure in measures.items()}


def examples(name: str, split: Split) -> int:
    """How many targets the metric `name` compares: of a text that is read on and on, its tokens."""
    return int(split.y.size) if metric(name).carried else len(split)


def number(name: str, value: float) -> str:
    """A score of the metric `name` as people write it.

    >>> number("accuracy", 0.95123), number("mean_squared_error", 0.00123)
    ('95.1 %', '0.00123')
    """
    return f"{100 * value:.1f} %" if metric(name).percent else f"{value:.3g}"
