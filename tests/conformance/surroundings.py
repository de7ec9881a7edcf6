"""The rows of the coverage table that are about what stands around recurrences: layers, policies, shapes, origins."""

import keras
from keras import layers, ops

from tests.conformance.matrix import Feature, Refused, fused, looped, loops, onnx, refused
from tests.conformance.models import (
    Chooser,
    DoublingLSTM,
    H,
    Reading,
    Tagger,
    around,
    attending,
    attending_to_itself,
    by_name,
    called,
    graph,
    in_policy,
    lambda_file,
    lookup,
    nested,
    of_strings,
    one_for_all,
    reloaded,
    sequence,
    shared,
    trained_under_xla,
    two_arguments,
    with_ops,
)
from tests.export.onnx_parity import FEATURES, chain, randomised
from zoo.layers import GRU, LSTM

BI = layers.Bidirectional
SEQUENCES = {"return_sequences": True}
POLICY_TOLERANCE = 3e-2  # of Keras' own arithmetic in 16 bits; the engine compares with float32
TABLE = (
    "Model '{name}' reads a table or another resource that is not a variable, which a file cannot hold. Move that step "
    "out of the model, before its inputs."
)


SURROUNDINGS: dict[str, tuple[Feature, ...]] = {
    "other layers around them": (
        Feature(
            "`TimeDistributed(Dense)`", lambda: around(layers.TimeDistributed(layers.Dense(2))), onnx(LSTM=1), fused()
        ),
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
            looped("images", WHILE=2),
        ),
        Feature(
            "`ConvLSTM1D`, 4 steps",
            lambda: chain(layers.ConvLSTM1D(2, 3, name="rows"), shape=(4, 5, 1)),
            looped("rows"),
            looped("rows"),
        ),
        Feature(
            "`RepeatVector`", lambda: chain(layers.LSTM(H), layers.RepeatVector(3), LSTM(H)), onnx(LSTM=2), fused()
        ),
        Feature("`Attention`", lambda: attending(layers.Attention()), onnx(LSTM=1, GRU=1), fused(WHILE=2)),
        Feature(
            "`AdditiveAttention`", lambda: attending(layers.AdditiveAttention()), onnx(LSTM=1, GRU=1), fused(WHILE=2)
        ),
        Feature(
            "`MultiHeadAttention`",
            lambda: attending(layers.MultiHeadAttention(2, 3)),
            onnx(LSTM=1, GRU=1),
            fused(WHILE=2),
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
        Feature(
            "one value a step added to all features (Keras is wrong about it at batch 1)",
            lambda: graph(one_for_all, sequence(5)),
            onnx(LSTM=1),
            loops(0),
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
            onnx(LSTM=1, Loop=1),
            Refused(
                "TFLite has no built-in operator for Cumprod, in layer 'product'. Replace what computes it by layers "
                "TFLite has, or export to 'onnx' or 'saved_model'."
            ),
        ),
        Feature(
            "a lookup table (`IntegerLookup`)",
            lookup,
            Refused(
                "Model '{name}' uses TensorFlow operators that ONNX does not have: LookupTableFindV2. Replace the "
                "layer that makes them, or compute them outside the model."
            ),
            Refused(TABLE),
            Refused(TABLE),
        ),
        Feature("`Lambda` in code", lambda: around(layers.Lambda(lambda x: x[:, ::2])), onnx(LSTM=1), fused()),
    ),
    "dtype policies": tuple(
        Feature(
            f"`{name}`",
            lambda name=name: in_policy(name),
            onnx(LSTM=1, GRU=1),
            fused(WHILE=2),
            tolerance=POLICY_TOLERANCE,
        )
        for name in ("mixed_float16", "float16", "mixed_bfloat16", "bfloat16")
    ),
    "shapes": (
        Feature("5 steps, `GRU`", lambda: chain(layers.GRU(H), shape=(5, FEATURES)), onnx(GRU=1), loops(0)),
        Feature("60 steps, `GRU`", lambda: chain(layers.GRU(H), shape=(60, FEATURES)), onnx(GRU=1), loops()),
        Feature("60 steps, `LSTM`", lambda: chain(layers.LSTM(H), shape=(60, FEATURES)), onnx(LSTM=1), loops()),
        Feature(
            "one step",
            lambda: chain(BI(LSTM(H, **SEQUENCES)), GRU(H), shape=(1, FEATURES)),
            onnx(LSTM=1, GRU=1),
            loops(0),
        ),
        Feature(
            "batch of 3, 5 steps",
            lambda: graph(BI(layers.LSTM(H)), sequence(5, batch_size=3)),
            onnx(LSTM=1),
            loops(0),
        ),
    ),
    "where the model comes from": (
        Feature("saved as `.keras` and loaded", lambda: reloaded(chain(BI(LSTM(H)))), onnx(LSTM=1), fused(2)),
        Feature("trained under XLA (`jit_compile`)", trained_under_xla, onnx(LSTM=1, GRU=1), fused(WHILE=2)),
    ),
    "model structures": (
        Feature(
            "`Sequential`", lambda: randomised(keras.Sequential([sequence(), layers.LSTM(H)])), onnx(LSTM=1), fused()
        ),
        Feature("nested models", nested, onnx(LSTM=1, GRU=1), fused(WHILE=2)),
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
            "Model 'chooser' (Chooser) cannot be traced: its Python code reads numbers that are known only when it "
            "runs (float(…), .numpy(), or an if on a tensor). Compute them with keras.ops, choose with keras.ops.where "
            "or keras.ops.cond, then export.",
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
            "Model 'reader' has the string input 'text': no recurrent operator reads text. Tokenise before the model "
            "and export from the integer tokens on.",
        ),
        refused(
            "a `.keras` file with a `Lambda`",
            lambda_file,
            "{path} holds Python code in layer 'twice' (Lambda), which is never loaded from a file. Replace it by a "
            "layer class or keras.ops, or build the model in code and export the object.",
        ),
        Feature("a subclass of `LSTM` with its own `call`", lambda: chain(DoublingLSTM(H)), onnx(LSTM=1), loops()),
    ),
}
