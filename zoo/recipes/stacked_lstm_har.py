from zoo.recipes.recipe import Recipe
from zoo.recipes.motion import augment

RECIPE = Recipe(
    name="stacked_lstm.har",
    task="sequence classification",
    family="classifier",
    config={"recurrence": "lstm", "units": [16], "features": 9, "classes": 6},
    dataset="har",
    metric="accuracy",
    epochs=2,
    batch_size=128,
    learning_rate=4e-3,
    augment=augment,
    average=0.99,
)
