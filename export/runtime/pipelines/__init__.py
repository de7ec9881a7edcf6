"""Raw input in, a person's answer out, the same on every executor: NumPy only. One file a task.

`PIPELINES` maps the task on a card to its pipeline.
"""

from export.runtime.executor import Executor
from export.runtime.pipelines.anomaly import AnomalyDetection
from export.runtime.pipelines.base import Pipeline
from export.runtime.pipelines.classification import Classification
from export.runtime.pipelines.forecasting import Forecasting
from export.runtime.pipelines.pixels import PixelClassification
from export.runtime.pipelines.quantile_forecasting import QuantileForecasting
from export.runtime.pipelines.sentiment import Sentiment
from export.runtime.pipelines.sound import KeywordSpotting, SoundClassification, Transcription
from export.runtime.pipelines.tagging import Tagging
from export.runtime.pipelines.text_classification import TextClassification
from export.runtime.pipelines.text_generation import TextGeneration
from export.runtime.pipelines.translation import Translation
from zoo.errors import unknown_name
from zoo.spec import ModelSpec

__all__ = ["PIPELINES", "Pipeline", "kind", "pipeline"]

PIPELINES: dict[str, type[Pipeline]] = {
    "anomaly detection": AnomalyDetection,
    "classification": Classification,
    "forecasting": Forecasting,
    "keyword spotting": KeywordSpotting,
    "pixel classification": PixelClassification,
    "quantile forecasting": QuantileForecasting,
    "sentiment": Sentiment,
    "sound classification": SoundClassification,
    "tagging": Tagging,
    "text classification": TextClassification,
    "text generation": TextGeneration,
    "transcription": Transcription,
    "translation": Translation,
}


def kind(spec: ModelSpec) -> type[Pipeline]:
    """The pipeline of the task on the card. Raises UnknownName for a task that has none."""
    if spec.task not in PIPELINES:
        raise unknown_name("task", spec.task, PIPELINES, f"The tasks are {', '.join(PIPELINES)}.")
    return PIPELINES[spec.task]


def pipeline(spec: ModelSpec, *executors: Executor) -> Pipeline:
    """The pipeline of the model that `spec` describes, with an executor for each of its parts."""
    return kind(spec)(spec, *executors)
