"""The rows of the coverage table that are about recurrences: each feature as the smallest model that has it, and what
every format makes of it."""

from keras import layers, ops

from tests.conformance.matrix import Feature, fused, looped, loops, onnx
from tests.conformance.models import H, LeakyCell, encoder_decoder, graph, joined, masked, sequence, tokens, with_mask
from tests.export.onnx_parity import FEATURES, chain
from zoo.layers import GRU, LSTM

BI = layers.Bidirectional
SEQUENCES = {"return_sequences": True}
ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "leaky_relu")


RECURRENCES: dict[str, tuple[Feature, ...]] = {
    "layers": (
        Feature("`LSTM`", lambda: chain(layers.LSTM(H)), onnx(LSTM=1), fused()),
        Feature("`zoo.layers.LSTM`", lambda: chain(LSTM(H)), onnx(LSTM=1), fused()),
        Feature("`GRU`", lambda: chain(layers.GRU(H)), onnx(GRU=1), loops()),
        Feature("`zoo.layers.GRU`", lambda: chain(GRU(H)), onnx(GRU=1), loops()),
        Feature("`GRU(reset_after=False)`", lambda: chain(layers.GRU(H, reset_after=False)), onnx(GRU=1), loops()),
        Feature("`SimpleRNN`", lambda: chain(layers.SimpleRNN(H)), onnx(RNN=1), loops()),
        Feature(
            "stack of `LSTM`, `GRU`, `SimpleRNN`",
            lambda: chain(layers.LSTM(H, **SEQUENCES), layers.GRU(H, **SEQUENCES), layers.SimpleRNN(H)),
            onnx(LSTM=1, GRU=1, RNN=1),
            fused(WHILE=4),
        ),
    ),
    "`Bidirectional`": (
        Feature("`LSTM`, `merge_mode='concat'`", lambda: chain(BI(layers.LSTM(H))), onnx(LSTM=1), fused(2)),
        Feature(
            "`LSTM`, `merge_mode` 'sum', 'mul', 'ave'",
            lambda: joined(*(BI(layers.LSTM(H), merge_mode=mode) for mode in ("sum", "mul", "ave"))),
            onnx(LSTM=3),
            fused(6),
        ),
        Feature(
            "`LSTM`, `merge_mode=None`",
            lambda: chain(BI(LSTM(H, **SEQUENCES), merge_mode=None)),
            onnx(LSTM=1),
            fused(2),
        ),
        Feature("`GRU`", lambda: chain(BI(layers.GRU(H, **SEQUENCES))), onnx(GRU=1), loops(2)),
        Feature("`SimpleRNN`", lambda: chain(BI(layers.SimpleRNN(H))), onnx(RNN=1), loops(2)),
        Feature(
            "different layers",
            lambda: chain(BI(layers.LSTM(H), backward_layer=layers.GRU(H, go_backwards=True))),
            onnx(LSTM=1, GRU=1),
            fused(WHILE=2),
        ),
        Feature(
            "with states in and out",
            lambda: chain(BI(layers.LSTM(H, **SEQUENCES)), BI(layers.GRU(H, return_state=True))),
            onnx(LSTM=1, GRU=1),
            fused(2, WHILE=4),
        ),
    ),
    "`RNN` of cells": (
        Feature("`RNN(LSTMCell)`", lambda: chain(layers.RNN(layers.LSTMCell(H))), onnx(LSTM=1), fused()),
        Feature("`RNN(GRUCell)`", lambda: chain(layers.RNN(layers.GRUCell(H))), onnx(GRU=1), loops()),
        Feature("`RNN(SimpleRNNCell)`", lambda: chain(layers.RNN(layers.SimpleRNNCell(H))), onnx(RNN=1), loops()),
        Feature(
            "`RNN([LSTMCell, GRUCell])`",
            lambda: chain(layers.RNN([layers.LSTMCell(H), layers.GRUCell(3)])),
            onnx(LSTM=1, GRU=1),
            fused(WHILE=2),
        ),
        Feature(
            "`RNN(StackedRNNCells)`",
            lambda: chain(layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.LSTMCell(H)]), **SEQUENCES)),
            onnx(LSTM=2),
            fused(2),
        ),
        Feature(
            "`Bidirectional(RNN(LSTMCell))`", lambda: chain(BI(layers.RNN(layers.LSTMCell(H)))), onnx(LSTM=1), fused(2)
        ),
        Feature(
            "a cell of your own",
            lambda: chain(layers.RNN(LeakyCell(H), name="own")),
            looped("own", Loop=1),
            looped("own", WHILE=2),
        ),
    ),
    "masks": (
        Feature("`Masking`, `LSTM`", lambda: masked(layers.LSTM(H, **SEQUENCES)), onnx(LSTM=1), fused()),
        Feature("`Masking(mask_value=-1)`, `GRU`", lambda: masked(GRU(H), mask_value=-1.0), onnx(GRU=1), loops()),
        Feature("`Embedding(mask_zero=True)`, `LSTM`", lambda: tokens(layers.LSTM(H)), onnx(LSTM=1), fused()),
        Feature(
            "`Embedding(mask_zero=True)`, `Bidirectional(LSTM)`", lambda: tokens(BI(LSTM(H))), onnx(LSTM=1), fused(2)
        ),
        Feature("`mask=`, `SimpleRNN`", lambda: with_mask(layers.SimpleRNN(H, **SEQUENCES)), onnx(RNN=1), loops()),
        Feature(
            "`mask=`, `Bidirectional(GRU)`", lambda: with_mask(BI(layers.GRU(H, **SEQUENCES))), onnx(GRU=1), loops(2)
        ),
        Feature("two masked layers", lambda: masked(LSTM(H, **SEQUENCES), LSTM(3)), onnx(LSTM=2), fused(2)),
        Feature(
            "`zero_output_for_mask`",
            lambda: masked(layers.LSTM(H, zero_output_for_mask=True, **SEQUENCES)),
            onnx(LSTM=1),
            fused(),
        ),
        Feature(
            "a cell of your own",
            lambda: masked(layers.RNN(LeakyCell(H), name="own", **SEQUENCES)),
            looped("own", Loop=1),
            looped("own", WHILE=2),
        ),
    ),
    "options and states": (
        Feature("`return_sequences`", lambda: chain(layers.LSTM(H, **SEQUENCES)), onnx(LSTM=1), fused()),
        Feature("`return_state`, `LSTM`", lambda: chain(LSTM(H, return_state=True)), onnx(LSTM=1), loops()),
        Feature("`return_state`, `GRU`", lambda: chain(layers.GRU(H, return_state=True)), onnx(GRU=1), loops()),
        Feature("`go_backwards`", lambda: chain(layers.LSTM(H, go_backwards=True, **SEQUENCES)), onnx(LSTM=1), fused()),
        Feature("`initial_state` handed over, `LSTM`", lambda: encoder_decoder(layers.LSTM), onnx(LSTM=2), loops(2)),
        Feature("`initial_state` handed over, `GRU`", lambda: encoder_decoder(GRU), onnx(GRU=2), loops(2)),
        Feature(
            "`use_bias=False`",
            lambda: joined(*(kind(H, use_bias=False) for kind in (layers.LSTM, layers.GRU, layers.SimpleRNN))),
            onnx(LSTM=1, GRU=1, RNN=1),
            fused(WHILE=4),
        ),
        Feature(
            "`unit_forget_bias=False`", lambda: chain(layers.LSTM(H, unit_forget_bias=False)), onnx(LSTM=1), fused()
        ),
        Feature(
            "`stateful` (starts from zero in every call)",
            lambda: graph(layers.LSTM(H, stateful=True, **SEQUENCES), sequence(batch_size=2)),
            onnx(LSTM=1),
            fused(),
        ),
        Feature("`unroll`", lambda: chain(layers.GRU(H, unroll=True), shape=(5, FEATURES)), onnx(GRU=1), loops(0)),
    ),
    "activations": (
        Feature(
            f"`LSTM`: {', '.join(ACTIVATIONS)}",
            lambda: joined(*(layers.LSTM(H, activation=name) for name in ACTIVATIONS)),
            onnx(LSTM=8),
            fused(1, WHILE=14),
        ),
        Feature(
            "gates of `LSTM` and `GRU`: hard_sigmoid, softsign, tanh",
            lambda: joined(
                *(layers.LSTM(H, recurrent_activation=name) for name in ("hard_sigmoid", "softsign")),
                *(layers.GRU(H, recurrent_activation=name) for name in ("hard_sigmoid", "tanh")),
            ),
            onnx(LSTM=2, GRU=2),
            loops(4),
        ),
        Feature(
            "`GRU` and `SimpleRNN`: relu, elu, softsign",
            lambda: joined(
                *(layers.GRU(H, activation=name) for name in ("relu", "elu")),
                *(layers.SimpleRNN(H, activation=name) for name in ("relu", "softsign")),
            ),
            onnx(GRU=2, RNN=2),
            loops(4),
        ),
        Feature(
            "softplus (ONNX Runtime's overflows)",
            lambda: chain(layers.GRU(H, activation="softplus", name="soft")),
            looped("soft", Loop=1),
            loops(),
        ),
        Feature(
            "others (`gelu`, `silu`, a function of your own)",
            lambda: joined(
                layers.LSTM(H, activation="gelu", name="first"), layers.GRU(H, activation=ops.sin, name="second")
            ),
            looped("first", "second", Loop=2),
            looped("first", "second", WHILE=4),
        ),
    ),
}
