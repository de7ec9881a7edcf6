"""Hyperparameters, found by trial: `zoo tune NAME --trials N` on Optuna, the best of them written as an override."""

from zoo.tuning.study import Best, Trial, tune

__all__ = ["Best", "Trial", "tune"]
