"""Which settings of a recipe a trial may change, and how far; the recipe's own value is always within."""

from dataclasses import dataclass
from typing import Any

from zoo.recipes import Recipe, override


@dataclass(frozen=True)
class Range:
    """From `low` to `high`; on a logarithmic scale with `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    values: tuple[int, ...]


Space = dict[str, Range | Choice]


def space(recipe: Recipe) -> Space:
    """The settings that matter in every recipe, each around the recipe's own value.

    >>> from zoo import recipes
    >>> list(space(recipes.get("gru.har")))
    ['learning_rate', 'weight_decay', 'batch_size', 'warmup', 'label_smoothing', 'config.dropout']
    """
    rate, decay, batch = recipe.learning_rate, recipe.weight_decay, recipe.batch_size
    found: Space = {
        "learning_rate": Range(rate / 8, rate * 4, log=True),
        "weight_decay": Range(decay / 30, decay * 10, log=True) if decay else Range(0.0, 0.1),
        "batch_size": Choice(tuple(sorted({max(1, batch // 2), batch, batch * 2}))),
        "warmup": Range(0.0, max(0.3, recipe.warmup)),
    }
    if recipe.loss == "cross_entropy":
        found["label_smoothing"] = Range(0.0, max(0.2, recipe.label_smoothing))
    if "dropout" in recipe.config:
        found["config.dropout"] = Range(0.0, max(0.6, recipe.config["dropout"]))
    return found


def defaults(recipe: Recipe) -> dict[str, Any]:
    """The recipe's own value of every setting in its space: the first trial."""
    return {name: override.value(recipe, name) for name in space(recipe)}


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """The settings that Optuna wants to see tried."""
    found: dict[str, Any] = {}
    for name, item in space.items():
        if isinstance(item, Choice):
            found[name] = trial.suggest_categorical(name, item.values)
        else:
            found[name] = trial.suggest_float(name, item.low, item.high, log=item.log)
    return found
