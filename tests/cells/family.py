"""Every cell of the family with its layer, its oracle, and weights far from where they start."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests import oracle_family as oracle
from zoo import cells, layers

B, T, D, H, P = 3, 6, 2, 4, 3


@dataclass(frozen=True)
class Member:
    """`sizes` of the states; `weights` in the order in which the cell creates them."""

    cell: Any
    layer: Any
    step: oracle.Step
    weights: tuple[str, ...]
    sizes: tuple[int, ...] = (H,)
    arguments: dict[str, Any] = field(default_factory=dict)


_COMMON = ("kernel", "recurrent_kernel", "bias")
_GAINS = ("kernel_gain", "recurrent_gain")
FAMILY = {
    "LayerNormLSTM": Member(
        cells.LayerNormLSTMCell,
        layers.LayerNormLSTM,
        oracle.layer_norm_lstm,
        (*_COMMON, *_GAINS, "cell_gain", "cell_bias"),
        (H, H),
    ),
    "LayerNormGRU": Member(cells.LayerNormGRUCell, layers.LayerNormGRU, oracle.layer_norm_gru, (*_COMMON, *_GAINS)),
    "PeepholeLSTM": Member(
        cells.PeepholeLSTMCell, layers.PeepholeLSTM, oracle.peephole_lstm, (*_COMMON, "peephole"), (H, H)
    ),
    "CoupledLSTM": Member(cells.CoupledLSTMCell, layers.CoupledLSTM, oracle.coupled_lstm, _COMMON, (H, H)),
    "ProjectedLSTM": Member(
        cells.ProjectedLSTMCell,
        layers.ProjectedLSTM,
        oracle.projected_lstm,
        (*_COMMON, "projection_kernel"),
        (P, H),
        {"projection_units": P},
    ),
    "MinimalGated": Member(cells.MinimalGatedCell, layers.MinimalGated, oracle.minimal_gated, _COMMON),
    "IndRNN": Member(cells.IndRNNCell, layers.IndRNN, oracle.ind_rnn, _COMMON),
    "MinGRU": Member(cells.MinGRUCell, layers.MinGRU, oracle.min_gru, ("kernel", "bias")),
    "MinLSTM": Member(cells.MinLSTMCell, layers.MinLSTM, oracle.min_lstm, ("kernel", "bias")),
}

MASKS = {
    "no mask": None,
    "right padded": [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
    "left padded": [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1]],
    "with holes": [[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0], [1, 1, 0, 0, 1, 1]],
    "with an empty row": [[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]],
}


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def given(layer, names, seed=0, shape=(None, None, D)):
    """A layer or cell with random weights, and these weights by name, in float64."""
    layer.build(shape)
    assert [weight.name for weight in layer.trainable_weights] == list(names)
    rng = np.random.default_rng(seed)
    values = [rng.standard_normal(weight.shape) for weight in layer.trainable_weights]
    for weight, value in zip(layer.trainable_weights, values, strict=True):
        weight.assign(value)
    return {name: np.asarray(value, "float64") for name, value in zip(names, values, strict=True)}


def problem(member, seed=1, steps=T):
    """x [B, T, D] and initial states."""
    x, *states = arrays(seed, (B, steps, D), *((B, size) for size in member.sizes))
    return x, states


def close(got, want, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=tolerance)
