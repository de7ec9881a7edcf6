"""The rows of the coverage table that are about the LSTM family and what goes around it."""

from keras import layers

from tests.conformance.matrix import Feature, fused, loops, onnx, rounds
from tests.conformance.models import H, masked
from tests.export.onnx_parity import FEATURES, chain
from zoo import cells
from zoo import layers as zoo_layers

BI = layers.Bidirectional
SEQUENCES = {"return_sequences": True}


def zoneout(rate):
    return zoo_layers.RNN(cells.ZoneoutCell(cells.LSTMCell(H), rate, rate), **SEQUENCES)


def residual():
    return zoo_layers.ResidualStack([zoo_layers.LSTM(H, **SEQUENCES), zoo_layers.CoupledLSTM(H, **SEQUENCES)])


LSTM_FAMILY: dict[str, tuple[Feature, ...]] = {
    "the LSTM family": (
        Feature("`PeepholeLSTM`", lambda: chain(zoo_layers.PeepholeLSTM(H)), onnx(LSTM=1), loops()),
        Feature(
            "`Bidirectional(PeepholeLSTM)`, masked",
            lambda: masked(BI(zoo_layers.PeepholeLSTM(H, **SEQUENCES))),
            onnx(LSTM=1),
            loops(2),
        ),
        Feature("`CoupledLSTM`", lambda: chain(zoo_layers.CoupledLSTM(H)), onnx(LSTM=1), fused()),
        Feature(
            "`Bidirectional(CoupledLSTM)`, masked",
            lambda: masked(BI(zoo_layers.CoupledLSTM(H, **SEQUENCES))),
            onnx(LSTM=1),
            fused(2),
        ),
        Feature("`LayerNormLSTM`", lambda: chain(zoo_layers.LayerNormLSTM(H)), onnx(Loop=1), loops()),
        Feature(
            "`LayerNormLSTM` of 5 steps",
            lambda: chain(zoo_layers.LayerNormLSTM(H), shape=(5, FEATURES)),
            onnx(),
            loops(0),
        ),
        Feature("`LayerNormGRU`, masked", lambda: masked(zoo_layers.LayerNormGRU(H)), onnx(Loop=1), loops()),
        Feature(
            "`ProjectedLSTM`", lambda: chain(zoo_layers.ProjectedLSTM(H, projection_units=2)), onnx(Loop=1), loops()
        ),
        Feature("`MinimalGated`", lambda: chain(zoo_layers.MinimalGated(H)), onnx(GRU=1), loops()),
        Feature("`IndRNN`", lambda: chain(zoo_layers.IndRNN(H)), onnx(RNN=1), loops()),
        Feature("`MinGRU` (log2 T rounds)", lambda: chain(zoo_layers.MinGRU(H)), onnx(Loop=1), rounds()),
        Feature(
            "`Bidirectional(MinLSTM)`, masked",
            lambda: masked(BI(zoo_layers.MinLSTM(H, **SEQUENCES))),
            onnx(Loop=2),
            rounds(2),
        ),
        Feature(
            "`MinLSTM` and `MinGRU` of 7 steps (3 rounds, written out)",
            lambda: chain(zoo_layers.MinLSTM(H, **SEQUENCES), zoo_layers.MinGRU(H), shape=(7, FEATURES)),
            onnx(),
            loops(0),
        ),
        Feature(
            "`RNN` of several of these cells",
            lambda: chain(
                layers.RNN(
                    [cells.LSTMCell(H), cells.PeepholeLSTMCell(3), cells.MinGRUCell(H), cells.CoupledLSTMCell(H)]
                )
            ),
            onnx(LSTM=3, Loop=1),
            fused(2, WHILE=3),
        ),
    ),
    "around recurrent layers": (
        Feature("`ZoneoutCell(LSTMCell)`", lambda: chain(zoneout(0.1)), onnx(Loop=1), loops()),
        Feature("`ZoneoutCell(LSTMCell)` with rates of 0", lambda: chain(zoneout(0.0)), onnx(LSTM=1), fused()),
        Feature(
            "variational dropout: `LSTM(dropout=0.2, recurrent_dropout=0.2)`",
            lambda: chain(zoo_layers.LSTM(H, dropout=0.2, recurrent_dropout=0.2)),
            onnx(LSTM=1),
            fused(),
        ),
        Feature("`WeightDrop(LSTM)`", lambda: chain(zoo_layers.WeightDrop(layers.LSTM(H))), onnx(LSTM=1), fused()),
        Feature(
            "`WeightDrop(Bidirectional(GRU))`, masked",
            lambda: masked(zoo_layers.WeightDrop(BI(zoo_layers.GRU(H, **SEQUENCES)))),
            onnx(GRU=1),
            loops(2),
        ),
        Feature("`ResidualStack`, masked", lambda: masked(residual()), onnx(LSTM=2), fused(2)),
    ),
}
