"""What the recipes of the two pixel readers share, so that they differ in cell and order of reading alone."""

from functools import partial
from typing import Any

from zoo.recipes.images import shift
from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

_LIMITS = (
    "A test of long memory, not a digit reader for use: a small convolutional network reads digits better and faster.",
    "Trained on grey digits of 28 by 28, ink 255 on paper 0, centred as MNIST has them.",
)

_TRIED = (
    "One LSTM of 128 units over all 784 steps, in the permuted order: 42 % on validation after six of 20 epochs, which "
    "took twice as long as the pyramid's; a mean over its states in place of the last learned no faster.",
)


def recipe(name: str, summary: str, config: dict[str, Any], epochs: int, published: tuple[Published, ...]) -> Recipe:
    """The recipe of `name`: `config` says what sets the architecture apart."""
    return Recipe(
        name=name,
        task="pixel classification",
        family="pixel_classifier",
        config={"units": [32, 64, 128], "joined": [7, 4], "pixels": 784, "classes": 10, "dropout": 0.1, **config},
        dataset=name.partition(".")[2],
        loss="cross_entropy",
        metric="accuracy",
        epochs=epochs,
        batch_size=128,
        learning_rate=5e-3,
        weight_decay=1e-2,
        average=0.999,
        augment=partial(shift, pixels=1),
        card=CardText(
            summary=summary,
            intended_use="Show that a recurrent layer keeps what it read hundreds of steps ago.",
            limits=_LIMITS,
            preprocessing="None outside the model: grey values go in, row after row.",
            input_unit="grey value, 0 (paper) to 255 (ink)",
            published=published,
            window=784,
            tried=_TRIED,
            stored="float16",
        ),
    )
