"""What the four recipes of the spoken digits share, so that they differ in the architecture alone."""

from functools import partial
from typing import Any

from zoo.recipes.recipe import Recipe
from zoo.recipes.sound import augment


def recipe(name: str, summary: str, config: dict[str, Any]) -> Recipe:
    """The recipe of `name`: `config` says what sets the architecture apart."""
    return Recipe(
        name=name,
        task="sound classification",
        family="wave_classifier",
        config={
            "sample_rate": 8000,
            "window": 256,
            "hop": 160,
            "bands": 40,
            "band_dropout": 0.1,
            "classes": 10,
            "dropout": 0.2,
            **config,
        },
        dataset="fsdd",
        loss="cross_entropy",
        metric="accuracy",
        epochs=30,
        batch_size=48,
        learning_rate=6e-3,
        weight_decay=1e-2,
        label_smoothing=0.05,
        average=0.98,
        augment=partial(augment, length=7200),
        card=None,
    )
