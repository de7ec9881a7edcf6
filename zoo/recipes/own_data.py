"""A recipe fitted to data of one's own: as many classes as there are, batches that few examples fill."""

import dataclasses

from zoo.datasets import Dataset
from zoo.errors import InvalidInput
from zoo.recipes.recipe import Recipe

FAMILIES = ("classifier", "regressor")
STEPS = 8  # an epoch has at least so many, so that few examples still give many steps


def require_family(recipe: Recipe) -> None:
    """Raises InvalidInput unless the recipe trains a model that one array and one target an example can train."""
    if recipe.family not in FAMILIES:
        raise InvalidInput(
            f"Recipe {recipe.name!r} trains a {recipe.family}; data of your own trains a {' or a '.join(FAMILIES)}."
        )


def fitted(recipe: Recipe, dataset: Dataset, epochs: int | None = None) -> Recipe:
    """`recipe` for `dataset`: as many outputs as it has classes or values, batches of at most an eighth of the
    examples, an average of the weights over at most a tenth of the run, lest it hold on to where the run began, and no
    augmentation: that of a recipe knows what the features of its own data mean."""
    require_family(recipe)
    train = dataset.load().train
    examples = len(train)
    batch = max(1, min(recipe.batch_size, examples // STEPS))
    steps = (epochs or recipe.epochs) * (examples // batch)
    outputs = {"classes": len(dataset.labels)} if recipe.family == "classifier" else {"outputs": train.y.shape[1]}
    return dataclasses.replace(
        recipe,
        config={**recipe.config, **outputs},
        augment=None,
        batch_size=batch,
        average=min(recipe.average, max(0.0, 1 - 10 / steps)),
        changed={**recipe.changed, "data": dataset.ref.url},
    )
