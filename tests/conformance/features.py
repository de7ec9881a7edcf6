"""The rows of the coverage table: each feature as the smallest model that has it, and what every format makes of it."""

import keras
from keras import layers, ops

from tests.conformance.matrix import Feature, Refused, fused, looped, loops, onnx, refused
from tests.conformance.models import (
    Chooser,
    DoublingLSTM,
    H,
    LeakyCell,
    Reading,
    Tagger,
    by_name,
    called,
    encoder_decoder,
    graph,
    in_policy,
    joined,
    lambda_file,
    lookup,
    masked,
    nested,
    of_strings,
    reloaded,
    sequence,
    shared,
    tokens,
    trained_under_xla,
    two_arguments,
    with_mask,
)
from tests.export.onnx_parity import FEATURES, chain, randomised
from zoo.layers import GRU, LSTM

BI = layers.Bidirectional
SEQUENCES = {"return_sequences": True}
ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "leaky_relu")
POLICY_TOLERANCE = 3e-2  # of Keras' own arithmetic in 16 bits; the engine compares with float32


def around(*behind, **arguments):
    """An LSTM that hands its sequence to other layers."""
    return chain(layers.LSTM(H, return_sequences=True), *behind, **arguments)


def attending(layer):
    def build(x, y):
        x, y = layers.LSTM(H, return_sequences=True)(x), layers.GRU(H, return_sequences=True)(y)
        return layer(y, x) if isinstance(layer, layers.MultiHeadAttention) else layer([y, x])

    return graph(build, sequence(), sequence(name="y"))


def attending_to_itself():
    """Attention under the mask of padded tokens, which reaches every layer by itself."""
    words = keras.Input((None,), dtype="int32", name="words")

    def build(words):
        x = layers.LSTM(H, **SEQUENCES)(layers.Embedding(9, FEATURES, mask_zero=True)(words))
        return layers.GlobalAveragePooling1D()(layers.Attention()([x, x]))

    return graph(build, words)


def with_ops(x):
    """`keras.ops` before and after a GRU."""
    h = layers.GRU(H, return_sequences=True)(ops.concatenate([x, ops.tanh(x)], axis=-1))
    weights = ops.softmax(ops.sum(h, axis=-1, keepdims=True), axis=1)
    return ops.where(h[:, -1] > 0, ops.mean(weights * h, axis=1), ops.max(h, axis=1))

TABLE = (
    "Model '{name}' reads a table or another resource that is not a variable, which a file cannot hold. Move that step "
    "out of the model, before its inputs."
)


FEATURES_BY_ROW: dict[str, tuple[Feature, ...]] = {
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
            fused(WHILE=2),
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
            "`LSTM`, `merge_mode=None`", lambda: chain(BI(LSTM(H, **SEQUENCES), merge_mode=None)), onnx(LSTM=1), fused(2)
        ),
        Feature("`GRU`", lambda: chain(BI(layers.GRU(H, **SEQUENCES))), onnx(GRU=1), loops(2)),
        Feature("`SimpleRNN`", lambda: chain(BI(layers.SimpleRNN(H))), onnx(RNN=1), loops(2)),
        Feature(
            "different layers",
            lambda: chain(BI(layers.LSTM(H), backward_layer=layers.GRU(H, go_backwards=True))),
            onnx(LSTM=1, GRU=1),
            fused(WHILE=1),
        ),
        Feature(
            "with states in and out",
            lambda: chain(BI(layers.LSTM(H, **SEQUENCES)), BI(layers.GRU(H, return_state=True))),
            onnx(LSTM=1, GRU=1),
            fused(2, WHILE=2),
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
            fused(WHILE=1),
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
            looped("own", WHILE=1),
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
            looped("own", WHILE=1),
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
            fused(WHILE=2),
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
            fused(1, WHILE=7),
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
            looped("first", "second", WHILE=2),
        ),
    ),
    "other layers around them": (
        Feature("`TimeDistributed(Dense)`", lambda: around(layers.TimeDistributed(layers.Dense(2))), onnx(LSTM=1), fused()),
        Feature(
            "`TimeDistributed(Conv2D …)`",
            lambda: chain(
                *map(layers.TimeDistributed, (layers.Conv2D(2, 3), layers.MaxPooling2D(2), layers.Flatten())),
                layers.LSTM(H),
                shape=(None, 6, 6, 1),
            ),
            onnx(LSTM=1),
            fused(),
        ),
        Feature(
            "`TimeDistributed(LSTM)`",
            lambda: chain(layers.TimeDistributed(layers.LSTM(H)), shape=(None, 5, FEATURES)),
            onnx(LSTM=1),
            loops(0),
        ),
        Feature(
            "`ConvLSTM1D`, `ConvLSTM2D`, free time",
            lambda: chain(layers.ConvLSTM2D(2, 3, padding="same", name="images"), shape=(None, 4, 4, 1)),
            looped("images", Loop=1),
            looped("images", WHILE=1),
        ),
        Feature(
            "`ConvLSTM1D`, 4 steps",
            lambda: chain(layers.ConvLSTM1D(2, 3, name="rows"), shape=(4, 5, 1)),
            looped("rows"),
            looped("rows"),
        ),
        Feature(
            "`RepeatVector`", lambda: chain(layers.LSTM(H), layers.RepeatVector(3), LSTM(H)), onnx(LSTM=2), fused(2)
        ),
        Feature("`Attention`", lambda: attending(layers.Attention()), onnx(LSTM=1, GRU=1), fused(WHILE=1)),
        Feature("`AdditiveAttention`", lambda: attending(layers.AdditiveAttention()), onnx(LSTM=1, GRU=1), fused(WHILE=1)),
        Feature(
            "`MultiHeadAttention`", lambda: attending(layers.MultiHeadAttention(2, 3)), onnx(LSTM=1, GRU=1), fused(WHILE=1)
        ),
        Feature(
            "`Attention` under masks",
            attending_to_itself,
            onnx(LSTM=1),
            fused(),
        ),
        Feature(
            "`Conv1D`, causal, strided, dilated; separable, depthwise",
            lambda: chain(
                layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
                layers.Conv1D(4, 3, strides=2, padding="same"),
                layers.SeparableConv1D(4, 3, padding="same"),
                layers.DepthwiseConv1D(3, padding="same"),
                layers.LSTM(H),
            ),
            onnx(LSTM=1),
            fused(),
        ),
        Feature(
            "pooling over time",
            lambda: graph(
                lambda x: layers.Concatenate()(
                    [
                        pool(layers.LSTM(H, **SEQUENCES)(layers.MaxPooling1D(2, padding="same")(x)))
                        for pool in (layers.GlobalMaxPooling1D(), layers.GlobalAveragePooling1D())
                    ]
                )
            ),
            onnx(LSTM=2),
            fused(2),
        ),
        Feature(
            "normalisation and dropout",
            lambda: chain(
                layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
                layers.LSTM(H, dropout=0.2, recurrent_dropout=0.2, **SEQUENCES),
                *(layers.LayerNormalization(), layers.BatchNormalization(), layers.GaussianNoise(0.1)),
            ),
            onnx(LSTM=1),
            fused(),
        ),
        Feature("`keras.ops` in the graph", lambda: graph(with_ops), onnx(GRU=1), loops()),
        Feature(
            "an operator that ONNX lacks (`ops.rfft`)",
            lambda: around(layers.Lambda(lambda x: ops.rfft(x, fft_length=4)[0])),
            Refused(
                "Model '{name}' uses TensorFlow operators that ONNX does not have: RFFT, Real. Replace the layer that "
                "makes them, or compute them outside the model."
            ),
            fused(),
        ),
        Feature(
            "an operator that TFLite lacks (`ops.cumprod`)",
            lambda: around(layers.Lambda(lambda x: ops.cumprod(x, axis=1), name="product")),
            onnx(LSTM=1),
            Refused(
                "TFLite has no built-in operator for Cumprod, in layer 'product'. Replace what computes it by layers "
                "TFLite has, or export to 'onnx' or 'saved_model'."
            ),
        ),
        Feature(
            "a lookup table (`IntegerLookup`)",
            lookup,
            Refused(
                "Model '{name}' uses TensorFlow operators that ONNX does not have: LookupTableFindV2. Replace the layer "
                "that makes them, or compute them outside the model."
            ),
            Refused(TABLE),
            Refused(TABLE),
        ),
        Feature("`Lambda` in code", lambda: around(layers.Lambda(lambda x: x[:, ::2])), onnx(LSTM=1), fused()),
    ),
    "dtype policies": tuple(
        Feature(f"`{name}`", lambda name=name: in_policy(name), onnx(LSTM=1, GRU=1), fused(WHILE=1), tolerance=POLICY_TOLERANCE)
        for name in ("mixed_float16", "float16", "mixed_bfloat16", "bfloat16")
    ),
    "shapes": (
        Feature("5 steps, `GRU`", lambda: chain(layers.GRU(H), shape=(5, FEATURES)), onnx(GRU=1), loops(0)),
        Feature("30 steps, `GRU`", lambda: chain(layers.GRU(H), shape=(30, FEATURES)), onnx(GRU=1), loops()),
        Feature("30 steps, `LSTM`", lambda: chain(layers.LSTM(H), shape=(30, FEATURES)), onnx(LSTM=1), fused()),
        Feature(
            "one step", lambda: chain(BI(LSTM(H, **SEQUENCES)), GRU(H), shape=(1, FEATURES)), onnx(LSTM=1, GRU=1), fused(2)
        ),
        Feature(
            "batch of 3, 5 steps",
            lambda: graph(BI(layers.LSTM(H)), sequence(5, batch_size=3)),
            onnx(LSTM=1),
            fused(2),
        ),
    ),
    "where the model comes from": (
        Feature("saved as `.keras` and loaded", lambda: reloaded(chain(BI(LSTM(H)))), onnx(LSTM=1), fused(2)),
        Feature("trained under XLA (`jit_compile`)", trained_under_xla, onnx(LSTM=1, GRU=1), fused(WHILE=1)),
    ),
    "model structures": (
        Feature("`Sequential`", lambda: randomised(keras.Sequential([sequence(), layers.LSTM(H)])), onnx(LSTM=1), fused()),
        Feature("nested models", nested, onnx(LSTM=1, GRU=1), fused(WHILE=1)),
        Feature("a shared layer", shared, onnx(LSTM=2), fused(2)),
        Feature("inputs and outputs by name", by_name, onnx(LSTM=1), fused()),
        Feature("a subclassed model", lambda: called(Tagger()), onnx(GRU=1), loops(0)),
        refused(
            "a subclassed model that was never called",
            Tagger,
            "Model 'tagger' (Tagger) has no input shape yet. Call it once on an example batch, or build it as "
            "keras.Model(inputs, outputs), then export.",
        ),
        refused(
            "a subclassed model whose Python reads numbers",
            lambda: called(Chooser("chooser")),
            "Model 'chooser' (Chooser) cannot be traced: its Python code reads numbers that are known only when it runs "
            "(float(…), .numpy(), or an if on a tensor). Compute them with keras.ops, choose with keras.ops.where or "
            "keras.ops.cond, then export.",
        ),
        refused(
            "a layer whose Python reads numbers",
            lambda: around(Reading()),
            "Model '{name}' (Functional) cannot be traced: its Python code reads numbers that are known only when it "
            "runs (float(…), .numpy(), or an if on a tensor). Compute them with keras.ops, choose with keras.ops.where "
            "or keras.ops.cond, then export.",
        ),
        refused(
            "a subclassed model whose `call` takes several arguments",
            two_arguments,
            "Model 'pair' (Pair) takes its inputs as separate arguments: call(x, y). Take them as one list or "
            "dictionary, or build it as keras.Model(inputs, outputs), then export.",
        ),
        refused(
            "inputs of strings",
            of_strings,
            "Model 'reader' has the string input 'text': no recurrent operator reads text. Tokenise before the model and "
            "export from the integer tokens on.",
        ),
        refused(
            "a `.keras` file with a `Lambda`",
            lambda_file,
            "{path} holds Python code in layer 'twice' (Lambda), which is never loaded from a file. Replace it by a "
            "layer class or keras.ops, or build the model in code and export the object.",
        ),
        Feature(
            "a subclass of `LSTM` with its own `call`", lambda: chain(DoublingLSTM(H)), onnx(LSTM=1), loops()
        ),
    ),
}
