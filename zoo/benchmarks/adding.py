"""The adding problem at length 100: an LSTM solves it, a SimpleRNN of the same size and budget does not.

Run `python -m zoo.benchmarks.adding` (about five minutes on two cores) to train both and write `results/adding.csv`.
"""

import tempfile
from pathlib import Path
from typing import Any

from zoo import datasets, recipes
from zoo.benchmarks import process, results
from zoo.evaluation import metric
from zoo.recipes import training

PACKAGES = ("tensorflow-cpu", "keras")
NAMES = ("lstm.adding", "simple_rnn.adding")


def measure(folder: Path, name: str, seed: int = 0) -> dict[str, Any]:
    """Trains recipe `name` under `folder`; one row with its error on the test split."""
    recipe = recipes.get(name)
    trained = training.train(recipe, folder / name, seed=seed)
    test = datasets.get(recipe.dataset).load().test
    answer = trained.model.predict(test.x, batch_size=256, verbose=0)
    return {
        "recipe": name,
        "seed": seed,
        "length": test.x.shape[1],
        "test_mean_squared_error": f"{metric(recipe.metric).measure(test.y, answer):.3g}",
        "parameters": trained.model.count_params(),
        "seconds": round(sum(epoch["seconds"] for epoch in trained.progress.history)),
        **results.conditions(PACKAGES, threads=process.cores()),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print(results.write("adding", [measure(Path(home), name) for name in NAMES]))
