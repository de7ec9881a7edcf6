"""How well a model of spoken digits hears a speaker it was not trained on: one training for each speaker left out.

Run `python -m zoo.benchmarks.speakers gru.fsdd` to train six models under runs/gru.fsdd/without_SPEAKER, each on the
other five speakers, score it on every take of the sixth, and write runs/gru.fsdd/scores/held_out_speaker.json, which
`zoo publish` puts on the card. A run that was interrupted goes on.
"""

import sys
from pathlib import Path

import numpy as np

from zoo import recipes
from zoo.datasets import fsdd
from zoo.evaluation import accuracy
from zoo.recipes import training
from zoo.spec import Score, to_json


def measure(name: str, runs: Path, epochs: int | None = None) -> Score:
    """The mean accuracy of recipe `name` over the speakers of the data set; `seeds` holds that of each of them.

    epochs: half of the recipe's own unless given.
    """
    recipe = recipes.get(name)
    values, examples = [], 0
    for speaker in fsdd.SPEAKERS:
        dataset = fsdd.without(speaker)
        trained = training.train(
            recipe,
            runs / name / f"without_{speaker}",
            epochs=epochs or recipe.epochs // 2,
            resume=True,
            dataset=dataset,
        )
        test = dataset.load().test
        logits = trained.model.predict(test.x, batch_size=256, verbose=0)
        values.append(accuracy(test.y, logits))
        examples += len(test)
        print(f"{name} without {speaker}: {100 * values[-1]:.1f} %", flush=True)
    score = Score("accuracy", "held-out speaker", float(np.mean(values)), examples, seeds=tuple(values))
    path = runs / name / "scores" / "held_out_speaker.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(to_json(score), "utf-8")
    return score


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        print(f"{chosen}: {100 * measure(chosen, Path('runs')).value:.1f} % over {len(fsdd.SPEAKERS)} speakers")
