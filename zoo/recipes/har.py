"""What the four recipes of the HAR models share, so that they differ in the architecture alone."""

from functools import partial
from typing import Any

from zoo.datasets import har
from zoo.recipes.motion import augment
from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

_CHEVALIER = "https://github.com/guillaume-chevalier/HAR-stacked-residual-bidir-LSTMs (README)"
_LIMITS = (
    "Trained on 18 people aged 19 to 48 who wore one phone model at the waist; another place on the body, another "
    "sensor range or another rate than 50 Hz is outside what was measured.",
    "Sitting and standing differ by little more than posture and sway: most errors confuse these two.",
    "Not for medical or safety decisions.",
)
_TRIED = (
    "A first version without the companded channels and with white noise of 0.1 g in the augmentation was read on the "
    "test split: 91.5 (lstm), 91.9 (stacked_lstm), 94.0 (bilstm), 92.4 % (gru), one seed each, trained on all 21 "
    "subjects. What changed since was chosen on held-out training subjects.",
    "No augmentation: 7 to 9 points worse on held-out subjects. Rotations of 15 degrees: sitting falls into standing.",
    "A second LSTM layer: no clear gain on held-out subjects at 1.5 times the cost.",
)


def recipe(name: str, summary: str, config: dict[str, Any]) -> Recipe:
    """The recipe of `name`: `config` says what sets the architecture apart."""
    return Recipe(
        name=name,
        task="classification",
        family="classifier",
        config={"features": 9, "classes": 6, "dropout": 0.3, "compand": 10.0, "compand_features": 6, **config},
        dataset="har",
        loss="cross_entropy",
        metric="accuracy",
        epochs=30,
        batch_size=128,
        learning_rate=4e-3,
        weight_decay=1e-2,
        label_smoothing=0.05,
        average=0.99,
        augment=partial(augment, degrees=10.0, gain=0.3, stretch=0.25, noise=0.005),
        card=CardText(
            summary=summary,
            intended_use="Recognise six everyday activities from 2.56 s of raw phone accelerometer and gyroscope data: "
            f"rows of nine numbers, {', '.join(har.CHANNELS)}.",
            limits=_LIMITS,
            preprocessing="None outside the model: raw windows go in, standardisation and companding are layers.",
            input_unit="g (body and total acceleration) and rad/s (angular velocity)",
            published=(
                Published(0.91, "two-layer LSTM on the same signals", _CHEVALIER),
                Published(0.94, "stacked residual bidirectional LSTM, best of several configurations", _CHEVALIER),
            ),
            sample_rate=50.0,
            window=128,
            tried=_TRIED,
        ),
    )
