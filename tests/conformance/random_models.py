"""Random functional models of recurrent layers and what stands around them: drawn as data, built from it.

A model is an input, up to four blocks that each turn a sequence into a sequence, and an end. What was drawn is what
Hypothesis prints of an example that fails: `build` makes the model again.
"""

from dataclasses import dataclass, field
from typing import Any

import keras
from hypothesis import strategies as st
from keras import layers, ops

from tests.export.onnx_parity import FEATURES, randomised
from zoo.layers import GRU, LSTM

KINDS = {
    "LSTM": layers.LSTM,
    "GRU": layers.GRU,
    "SimpleRNN": layers.SimpleRNN,
    "our LSTM": LSTM,
    "our GRU": GRU,
}
CELLS = {"LSTM": layers.LSTMCell, "GRU": layers.GRUCell, "SimpleRNN": layers.SimpleRNNCell}
INPUTS = ("frames", "masked frames", "tokens", "mask of its own")
ENDS = ("sequence", "last step", "mean", "maximum", "recurrent", "recurrent with states")
MERGES = ("concat", "sum", "mul", "ave")
ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "leaky_relu", "gelu", "softplus")
GATES = ("sigmoid", "hard_sigmoid", "tanh")


@dataclass(frozen=True)
class Recurrent:
    """With `cells` it is an `RNN` of as many; `handover` gives it the states of one on the same x."""

    kind: str
    units: int
    options: dict[str, Any] = field(default_factory=dict)
    cells: int = 0
    merge: str | None = None
    handover: bool = False

    def layer(self, **more: Any) -> layers.Layer:
        arguments = self.options | more
        if not self.cells:
            side = KINDS[self.kind](self.units, **arguments)
        else:
            own = {"go_backwards", "zero_output_for_mask", "return_sequences", "return_state"}
            outer = {name: value for name, value in arguments.items() if name in own}
            inner = {name: value for name, value in arguments.items() if name not in own}
            cells = [CELLS[self.kind](self.units, **inner) for _ in range(self.cells)]
            side = layers.RNN(cells if len(cells) > 1 else cells[0], **outer)
        return side if self.merge is None else layers.Bidirectional(side, merge_mode=self.merge)

    def apply(self, x: Any, **more: Any) -> Any:
        if not self.handover:
            return self.layer(**more)(x)
        _, *states = self.layer(return_state=True)(x)
        return self.layer(**more)(x, initial_state=states if len(states) > 1 else states[0])


@dataclass(frozen=True)
class Around:
    """Another layer, by name; the table is in `apply`."""

    name: str

    def apply(self, x: Any, **_: Any) -> Any:
        width = x.shape[-1]
        made = {
            "TimeDistributed(Dense)": lambda: layers.TimeDistributed(layers.Dense(3))(x),
            "Dense": lambda: layers.Dense(3, activation="relu")(x),
            "causal Conv1D": lambda: layers.Conv1D(3, 3, padding="causal", dilation_rate=2)(x),
            "strided Conv1D": lambda: layers.Conv1D(3, 3, strides=2, padding="same")(x),
            "MaxPooling1D": lambda: layers.MaxPooling1D(2, padding="same")(x),
            "LayerNormalization": lambda: layers.LayerNormalization(epsilon=0.1)(x),
            "BatchNormalization": lambda: layers.BatchNormalization()(x),
            "Dropout": lambda: layers.Dropout(0.5)(x),
            "residual": lambda: layers.Add()([x, layers.Dense(width)(x)]),
            "Attention": lambda: layers.Attention()([bounded := layers.Activation("tanh")(x), bounded]),
            "MultiHeadAttention": lambda: layers.MultiHeadAttention(2, 2)(b := layers.Activation("tanh")(x), b),
            "keras.ops": lambda: ops.concatenate([ops.tanh(x), ops.flip(x, axis=1)], axis=-1),
        }
        return made[self.name]()


AROUND = (
    *("TimeDistributed(Dense)", "Dense", "causal Conv1D", "strided Conv1D", "MaxPooling1D", "LayerNormalization"),
    *("BatchNormalization", "Dropout", "residual", "Attention", "MultiHeadAttention", "keras.ops"),
)


@dataclass(frozen=True)
class Drawn:
    input: str
    steps: int | None
    blocks: tuple[Recurrent | Around, ...]
    end: str
    last: Recurrent


@st.composite
def recurrents(draw: st.DrawFn) -> Recurrent:
    kind = draw(st.sampled_from(sorted(KINDS)))
    options: dict[str, Any] = {}
    for name, values in (
        ("go_backwards", [True]),
        ("zero_output_for_mask", [True]),
        ("use_bias", [False]),
        ("activation", ACTIVATIONS[1:]),
        ("recurrent_activation", GATES[1:]),
        ("reset_after", [False]),
    ):
        fits = kind.endswith("GRU") if name == "reset_after" else name != "recurrent_activation" or kind != "SimpleRNN"
        if fits and draw(st.integers(0, 3)) == 3:
            options[name] = draw(st.sampled_from(values))
    if options.get("recurrent_activation") == "tanh":
        options.pop("activation", None)  # an unbounded one is chaos, where a rounding error is all that differs
    cells = draw(st.sampled_from([0, 0, 0, 1, 2])) if kind in CELLS else 0
    merge = draw(st.sampled_from([None, None, *MERGES]))
    if merge is not None:
        options.pop("go_backwards", None)  # the wrapper says which side goes where
    return Recurrent(kind, draw(st.integers(1, 4)), options, cells, merge, draw(st.integers(0, 4)) == 4)


def models() -> st.SearchStrategy[Drawn]:
    block = st.one_of(recurrents(), recurrents(), st.builds(Around, st.sampled_from(AROUND)))
    blocks = st.lists(block, max_size=4).map(tuple)
    steps = st.sampled_from([None, None, 5, 1])
    return st.builds(Drawn, st.sampled_from(INPUTS), steps, blocks, st.sampled_from(ENDS), recurrents())


def build(drawn: Drawn) -> keras.Model:
    """The model, weights small enough that no recurrence explodes."""
    inputs, x = _input(drawn)
    for block in drawn.blocks:
        x = block.apply(x, return_sequences=True)
    return randomised(keras.Model(inputs, _end(drawn, x)), scale=0.3)


def _input(drawn: Drawn) -> tuple[Any, Any]:
    if drawn.input == "tokens":
        words = keras.Input((drawn.steps,), dtype="int32", name="words")
        return words, layers.Embedding(9, FEATURES, mask_zero=True)(words)
    frames = keras.Input((drawn.steps, FEATURES), name="frames")
    if drawn.input == "masked frames":
        return frames, layers.Masking()(frames)
    if drawn.input == "mask of its own":
        mask = keras.Input((drawn.steps,), dtype="bool", name="mask")
        return [frames, mask], layers.LSTM(3, return_sequences=True)(frames, mask=mask)
    return frames, frames


def _end(drawn: Drawn, x: Any) -> Any:
    if drawn.end == "recurrent":
        return drawn.last.apply(x)
    if drawn.end == "recurrent with states":
        return drawn.last.apply(x, return_state=True)
    if drawn.end == "last step":
        return layers.Dense(2)(x[:, -1])
    pools = {"mean": layers.GlobalAveragePooling1D, "maximum": layers.GlobalMaxPooling1D}
    return pools[drawn.end]()(x) if drawn.end in pools else layers.Dense(2)(x)
