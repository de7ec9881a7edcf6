import dataclasses

import numpy as np
import pytest

from zoo import recipes
from zoo.errors import UnknownName
from zoo.recipes import losses

RNG = np.random.default_rng(0)


def test_cross_entropy_matches_numpy_with_smoothed_targets():
    logits, y = RNG.normal(size=(7, 5, 6)).astype("float32"), RNG.integers(0, 6, (7, 5))
    targets = 0.9 * np.eye(6)[y] + 0.1 / 6
    log_shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    recipe = dataclasses.replace(recipes.get("gru.har"), label_smoothing=0.1)
    assert float(losses.build(recipe)(y, logits)) == pytest.approx(-(targets * log_shares).sum(-1).mean(), rel=1e-5)


def test_mean_squared_error_matches_numpy():
    y, value = RNG.normal(size=(2, 7, 1)).astype("float32")
    assert float(losses.build(recipes.get("lstm.adding"))(y, value)) == pytest.approx(((y - value) ** 2).mean())


def test_an_unknown_loss_is_refused():
    with pytest.raises(UnknownName) as error:
        losses.build(dataclasses.replace(recipes.get("gru.har"), loss="cross-entropy"))
    names = ", ".join(losses.LOSSES)
    assert str(error.value) == f"Unknown loss 'cross-entropy'. Did you mean 'cross_entropy'? The losses are {names}."
