"""lstm.adding: one LSTM layer adds two marked numbers 100 steps apart. Needs no download.

Run:      zoo train lstm.adding --seed 0
Cost:     about 2 minutes on 2 CPU cores.    Data: generated, see zoo/datasets/adding.py.
Expect:   validation mean squared error below 1e-3; `simple_rnn.adding` beside it stays near 1/6 (always answering 1).
Departs:  from Hochreiter & Schmidhuber 1997 in the modern form of the task, one layer of 64 units with forget gates,
          and AdamW with a cosine schedule instead of plain gradient descent.
"""

from zoo.recipes.recipe import Recipe

RECIPE = Recipe(
    name="lstm.adding",
    task="regression",
    family="regressor",
    config={"recurrence": "lstm", "units": [64], "features": 2, "normalize": False},
    dataset="adding",
    loss="mean_squared_error",
    metric="mean_squared_error",
    epochs=12,
    batch_size=100,
    learning_rate=1e-2,
)
