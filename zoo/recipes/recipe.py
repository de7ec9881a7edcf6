"""A recipe: everything a training run depends on besides its seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from zoo.datasets import Split
from zoo.spec import Published

SETTINGS = (  # the numbers of a recipe that an override may set
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "warmup",
    "clip_norm",
    "label_smoothing",
    "average",
    "patience",
)
Augment = Callable[[np.random.Generator, Split], Split]
Start = Callable[[Any], None]  # the fresh keras.Model
Judge = Callable[[Any, Split], Any]  # the keras.Model as trained so far, and the validation split
Calibrate = Callable[[Any, Split], None]  # the trained keras.Model, and the validation split


@dataclass(frozen=True)
class Recipe:
    """`config` builds the model of `family`; `loss` names what is minimised (`losses.py`); `metric` on the validation
    split chooses the epoch that is kept and is the headline of the card, where the metrics of `also` stand below it.
    With `keep_last` the last epoch is kept, where the split is too small to choose by.
    `start` gives the fresh model weights that training begins with, and may freeze layers (`transfer.py`). `augment`
    makes an epoch's examples from the training split in that epoch's order; with `bucketed` its batches hold examples
    of similar length, cut to the longest; with `carry` > 0 the split is one text, read in `batch_size` lanes by chunks
    of so many steps, the states carried along (`carried.py`). `judge` makes what the metric compares with the texts of
    the validation split, where that is not the model's output. `calibrate` sets the weights that are measured on the
    validation split once training is over: a threshold, the width of an interval.

    The learning rate rises linearly over `warmup` of the steps and falls to zero along a cosine (Loshchilov & Hutter
    2017, arXiv:1608.03983); the optimizer is AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with the gradient
    clipped to a global norm. With `average` > 0 the weights that are judged and kept are a moving average over the
    steps (Polyak & Juditsky 1992), each step keeping that share of it. With `patience` > 0 the run stops early, after
    so many epochs without a better validation score. `changed` is what else sets it apart from the recipe's file
    (an override, data and weights of the user's own), so that runs are told apart.
    """

    name: str
    task: str
    family: str
    config: dict[str, Any]
    dataset: str
    loss: str
    metric: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    warmup: float = 0.1
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    average: float = 0.0
    patience: int = 0
    bucketed: bool = False
    carry: int = 0
    keep_last: bool = False
    judge: Judge | None = None
    start: Start | None = None
    augment: Augment | None = None
    calibrate: Calibrate | None = None
    also: tuple[str, ...] = ()
    card: "CardText | None" = None
    changed: dict[str, Any] = field(default_factory=dict)

    def identity(self, seed: int, epochs: int) -> dict[str, Any]:
        """What tells runs apart, as JSON has it."""
        settings = {name: getattr(self, name) for name in (*SETTINGS, "dataset", "loss", "bucketed", "carry")}
        own: dict[str, Any] = {"changed": self.changed} if self.changed else {}
        own |= {"keep_last": True} if self.keep_last else {}
        return {"recipe": self.name, "config": self.config, **settings, "seed": seed, "epochs": epochs, **own}

    @property
    def module(self) -> str:
        return f"zoo/recipes/{self.name.replace('.', '_')}.py"


@dataclass(frozen=True)
class CardText:
    """What the card of a published model says beyond what is measured. With `streaming` the folder holds a file whose
    states are inputs and outputs besides the one for whole sequences (a language model has no other). The weights are
    rounded to what `stored` holds ("int8": times a power of two for each channel; biases as float16) and stored so, and
    every score is of the rounded ones."""

    summary: str
    intended_use: str
    limits: tuple[str, ...]
    preprocessing: str
    input_unit: str
    published: tuple[Published, ...]
    sample_rate: float | None = None
    window: int | None = None
    tried: tuple[str, ...] = field(default=())
    streaming: bool = False
    stored: Literal["float32", "float16", "int8"] = "float32"
