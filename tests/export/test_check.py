"""The check finds what is wrong with a file and says where: every fault here is planted by hand."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from export import check as checks
from export import to_onnx
from export.check import Checked, Report, check, check_file, check_stream
from export.executors import KerasExecutor, domains
from export.lowering import source
from export.probes import Domain, probes
from tests.export import handmade
from tests.export.handmade import FRAMES, SCORES, NumpyExecutor
from zoo.errors import InvalidInput, ParityError
from zoo.layers import DotAttention
from zoo.spec import TensorSpec

TOKENS = TensorSpec("tokens", "int32", (None, None), ("batch", "time"))
MASK = TensorSpec("mask", "bool", (None, None), ("batch", "time"))


class Off(NumpyExecutor):
    """Off by `by` from step `start` on, most at step `worst`, where there are so many steps."""

    def __init__(self, by, start=0, worst=0):
        super().__init__()
        self.by, self.start, self.worst = by, start, worst

    def run_checked(self, arrays):
        scores = super().run_checked(arrays)["scores"].copy()
        scores[-1:, self.start :] += self.by / 2
        scores[-1:, self.worst : self.worst + 1] += self.by / 2
        return {"scores": scores}


class Leaky(NumpyExecutor):
    """Adds what it saw in the call before, as a fused TFLite LSTM without a reset does."""

    before = 0.0

    def run_checked(self, arrays):
        scores = super().run_checked(arrays)["scores"] + self.before
        self.before = 1e-5
        return {"scores": scores}


def found(executor, reference=None, **options):
    with pytest.raises(ParityError) as error:
        check(Checked("gru.har", "onnx", executor), reference or NumpyExecutor(), {}, **options)
    return str(error.value)


def test_equal_executors_pass_with_difference_zero_and_every_call_made_twice():
    report = check(Checked("gru.har", "onnx", NumpyExecutor()), NumpyExecutor(), {})
    assert report == Report(max_abs_diff=0.0, allowed=1e-4, calls=18, skipped=())


def test_the_worst_element_and_the_first_bad_step_are_named():
    assert found(Off(0.013, start=12, worst=15)) == (
        "gru.har: onnx output 'scores' differs by 1.3e-2 at batch 6, step 15 (allowed 1e-4). First bad step: 12. "
        "Input: normal values, frames [7, 17, 3]."
    )


def test_outputs_above_one_are_held_to_the_difference_relative_to_their_largest():
    class Scaled(NumpyExecutor):
        by = 0.0

        def run_checked(self, arrays):
            scores = np.zeros((*arrays["frames"].shape[:2], 2), "float32")
            scores[:, 0, 0], scores[0, 0, 1] = 500.0, self.by
            return {"scores": scores}

    class Near(Scaled):
        by = 0.04

    class Far(Scaled):
        by = 0.06

    assert check(Checked("m", "tflite", Near()), Scaled(), {}).max_abs_diff == pytest.approx(0.04 / 500)
    assert found(Far(), Scaled()) == (
        "gru.har: onnx output 'scores' differs by 6e-2 at batch 0, step 0 (allowed 1e-4 × 5e2, its largest value). "
        "First bad step: 0. Input: normal values, frames [1, 1, 3]."
    )


def test_a_difference_within_the_allowance_is_reported():
    report = check(Checked("gru.har", "onnx", Off(5e-5)), NumpyExecutor(), {})
    assert 1e-5 < report.max_abs_diff <= 5.1e-5


def test_a_fault_that_shows_in_long_sequences_only_is_found():
    assert "First bad step: 390. Input: normal values, frames [1, 400, 3]." in found(Off(1.0, start=390, worst=390))


def test_state_that_leaks_into_the_next_call_is_found():
    assert found(Leaky()) == (
        "gru.har: onnx output 'scores' changed by 1e-5 when the same call was made again: "
        "state leaks from call to call. Input: normal values, frames [1, 1, 3]."
    )


def test_a_nan_that_keras_does_not_have_is_found():
    class Broken(NumpyExecutor):
        def run_checked(self, arrays):
            return {"scores": np.where(arrays["frames"][..., :1] > 100, np.nan, super().run_checked(arrays)["scores"])}

    assert "differs by inf at batch" in found(Broken())


def test_what_keras_computes_as_nan_may_be_nan():
    class Infinite(NumpyExecutor):
        def run_checked(self, arrays):
            return {"scores": np.full((*arrays["frames"].shape[:2], 2), np.inf, "float32")}

    class NaN(NumpyExecutor):
        def run_checked(self, arrays):
            return {"scores": np.full((*arrays["frames"].shape[:2], 2), np.nan, "float32")}

    assert check(Checked("m", "onnx", NaN()), Infinite(), {}).max_abs_diff == 0.0


def test_integers_must_be_equal():
    labels = TensorSpec("scores", "int64", (None, None), ("batch", "time"))

    class Labels(NumpyExecutor):
        def __init__(self, add):
            super().__init__(outputs=(labels,))
            self.add = add

        def run_checked(self, arrays):
            return {"scores": super().run_checked(arrays)["scores"].argmax(-1) + self.add}

    assert found(Labels(1), Labels(0)) == (
        "gru.har: onnx output 'scores' differs by 1 at batch 0, step 0 (allowed 0). First bad step: 0. "
        "Input: normal values, frames [1, 1, 3]."
    )


def test_a_wrong_shape_is_found():
    class Short(NumpyExecutor):
        def run_checked(self, arrays):
            return {"scores": super().run_checked(arrays)["scores"][:, :2]}

    assert found(Short()) == (
        "gru.har: onnx output 'scores' is float32 [7, 2, 2]; Keras gives float32 [7, 17, 2] "
        "(normal values, frames [7, 17, 3])."
    )


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ((dataclasses.replace(SCORES, name="logits"),), "outputs are 'logits'; Keras has 'scores'."),
        (
            (dataclasses.replace(SCORES, dtype="float16"),),
            "output is scores float16 [batch, time, 2]; Keras has scores float32 [batch, time, 2].",
        ),
        (
            (dataclasses.replace(SCORES, shape=(1, None, 2)),),
            "output is scores float32 [1, time, 2]; Keras has scores float32 [batch, time, 2].",
        ),
    ],
)
def test_wrong_names_dtypes_and_fixed_sizes_are_found(outputs, message):
    assert found(NumpyExecutor(outputs=outputs)) == f"gru.har: onnx {message}"


def test_a_format_that_fixes_sizes_may_do_so():
    fixed = (dataclasses.replace(FRAMES, shape=(None, 5, 3)),), (dataclasses.replace(SCORES, shape=(None, 5, 2)),)
    candidate = Checked("gru.har", "tflite", NumpyExecutor(*fixed), fixes_sizes=True)
    assert check(candidate, NumpyExecutor(), {}).calls > 0


def test_inputs_that_keras_refuses_are_skipped_and_reported_and_never_all():
    class Picky(NumpyExecutor):
        least = 2

        def run_checked(self, arrays):
            if arrays["frames"].shape[1] < self.least:
                raise InvalidInput("too short.")
            return super().run_checked(arrays)

    report = check(Checked("m", "onnx", NumpyExecutor()), Picky(), {})
    assert report.skipped == ("normal values, frames [1, 1, 3]: too short.",)
    Picky.least = 1000
    with pytest.raises(InvalidInput) as error:
        check(Checked("m", "onnx", NumpyExecutor()), Picky(), {})
    assert str(error.value) == (
        "m: Keras refuses every input the check tried, so nothing was compared. Give real ones with samples=. "
        "First refusal: normal values, frames [1, 1, 3]: too short."
    )


def test_an_input_that_only_the_file_refuses_is_a_fault():
    class Refusing(NumpyExecutor):
        def run_checked(self, arrays):
            if len(arrays["frames"]) == 7:
                raise InvalidInput("no memory.")
            return super().run_checked(arrays)

    assert found(Refusing()) == (
        "gru.har: onnx refuses what Keras takes (normal values, frames [7, 17, 3]): no memory."
    )


def test_samples_are_run_and_alone_decide_about_int8():
    samples = [{"frames": np.ones((1, 2, 3), "float32")}] * 20
    report = check(Checked("m", "tflite", Off(0.05)), NumpyExecutor(), {}, quantize="int8", samples=samples)
    assert (report.calls, report.allowed) == (16, 0.1)


def test_probes_cover_batches_lengths_and_kinds():
    tried = list(probes((FRAMES, TOKENS, MASK), {"tokens": Domain(5)}))
    assert {probe.inputs["frames"].shape[0] for probe in tried} == {1, 2, 7}
    assert {probe.inputs["frames"].shape[1] for probe in tried} == {1, 2, 17, 400}
    assert max(probe.inputs["tokens"].max() for probe in tried) == 4
    padded = next(probe.inputs for probe in tried if probe.what.startswith("padded rows"))
    lengths = padded["mask"].sum(1)
    assert lengths.tolist() == [12, 6]
    for row, length in enumerate(lengths):
        assert (padded["tokens"][row, :length] > 0).all()
        assert not padded["tokens"][row, length:].any()
        assert not padded["frames"][row, length:].any()


def test_probes_keep_the_sizes_that_are_fixed():
    fixed = TensorSpec("frames", "float32", (2, 9, 3), ("batch", "time", "feature"))
    assert {probe.inputs["frames"].shape for probe in probes((fixed,), {})} == {(2, 9, 3)}


def test_probes_pad_with_the_value_that_is_masked():
    padded = next(p for p in probes((FRAMES,), {"frames": Domain(padding=-1.0)}) if p.what.startswith("padded rows"))
    assert (padded.inputs["frames"][0, 12:] == -1.0).all()


def token_model():
    a, b = keras.Input((None,), dtype="int32", name="a"), keras.Input((None,), dtype="int32", name="b")
    frames = keras.Input((None, 3), name="frames")
    inner = keras.Sequential([layers.Embedding(7, 2)])
    joined = layers.Concatenate()([layers.Embedding(50, 2)(a), inner(b), layers.Masking(-1.0)(frames)])
    return keras.Model([a, b, frames], layers.Dense(2)(layers.LSTM(3)(joined)))


def test_domains_come_from_the_embedding_each_input_feeds_nested_ones_too():
    model = token_model()
    assert domains(source.read(model)) == {"a": Domain(50), "b": Domain(7), "frames": Domain(padding=-1.0)}
    assert model.layers[-1](np.zeros((1, 3))).shape == (1, 2)


def test_hidden_states_that_are_inputs_are_tried_within_one():
    frames, first = keras.Input((None, 3), name="frames"), keras.Input((4,), name="first")
    cell, keys = keras.Input((4,), name="cell"), keras.Input((None, 4), name="keys")
    states = layers.LSTM(4, return_sequences=True)(frames, initial_state=[first, cell])
    context, _ = DotAttention()(states, keys, keys, keras.ops.ones((1, 1), "bool"))
    known = domains(source.read(keras.Model([frames, first, cell, keys], context)))
    assert {name: domain.bound for name, domain in known.items()} == {
        "frames": np.inf, "first": 1.0, "cell": np.inf, "keys": 1.0
    }  # fmt: skip
    spec = TensorSpec("keys", "float32", (None, None, 4), ("batch", "time", "feature"))
    assert all(np.abs(probe.inputs["keys"]).max() <= 1 for probe in probes((spec,), known))


def test_chunks_are_compared_with_one_pass():
    class Whole(NumpyExecutor):
        def run_checked(self, arrays):
            return {"scores": np.cumsum(arrays["frames"] @ handmade.WEIGHT, axis=1)}

    class Streaming(NumpyExecutor):
        forgets = False

        def __init__(self):
            self.signature = handmade.streaming_signature()

        def run_checked(self, arrays):
            sums = np.cumsum(arrays["frames"] @ handmade.WEIGHT, axis=1) + arrays["sum_h"][:, None]
            return {"scores": sums, "sum_h_out": sums[:, -1] * (not self.forgets)}

    report = check_stream(Checked("m", "onnx", Streaming()), Whole(), {})
    assert (report.calls, report.max_abs_diff < 1e-5) == (2, True)
    Streaming.forgets = True
    with pytest.raises(ParityError, match=r"^m: onnx output 'scores' differs by .*: a stream of 200 steps in chunks"):
        check_stream(Checked("m", "onnx", Streaming()), Whole(), {})


def test_a_stream_of_other_tensors_is_found():
    class Streaming(NumpyExecutor):
        def __init__(self):
            self.signature = handmade.streaming_signature()

    class Whole(NumpyExecutor):
        def __init__(self):
            super().__init__()
            self.signature = dataclasses.replace(
                self.signature, inputs=(dataclasses.replace(self.signature.inputs[0], name="sound"),)
            )

    with pytest.raises(ParityError) as error:
        check_stream(Checked("m", "onnx", Streaming()), Whole(), {})
    assert str(error.value) == "m: onnx inputs are float32 'frames'; Keras has float32 'sound'."


def test_a_probe_of_one_step_gives_no_advice_about_attention():
    inputs = keras.Input((None, 3))
    read = source.read(keras.Model(inputs, layers.Attention()([inputs, inputs])))
    assert check(Checked("m", "keras", KerasExecutor(read)), KerasExecutor(read), {}).calls > 0


def stateful_model():
    return keras.Sequential([keras.Input((4, 3), batch_size=2), layers.LSTM(3, stateful=True)])


def test_a_stateful_model_starts_from_zero_and_keeps_its_states():
    model, x = stateful_model(), np.ones((2, 4, 3), "float32")
    first = model(x).numpy()
    states = [state.numpy() for state in model.layers[0].states]
    executor = KerasExecutor(source.read(model))
    (got,) = executor.run({"input": x}).values()
    np.testing.assert_allclose(got, first, atol=1e-6)
    assert [state.numpy().tolist() for state in model.layers[0].states] == [state.tolist() for state in states]


def test_the_reference_computes_in_float32_whatever_the_policy():
    inputs = keras.Input((5, 3))
    mixed = keras.Model(inputs, layers.GRU(4, dtype="mixed_float16")(inputs))
    plain = keras.Model(inputs, layers.GRU(4)(inputs))
    plain.set_weights(mixed.get_weights())
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype("float32")
    (got,) = KerasExecutor(source.read(mixed), float32=True).run({"input": x}).values()
    np.testing.assert_allclose(got, plain(x), atol=1e-6)
    assert mixed.layers[1].dtype_policy.name == "mixed_float16"


@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # Keras patches NumPy for tf2onnx
def test_the_wrong_file_that_plain_keras_writes_for_time_distributed_is_found_out(tmp_path):
    inputs = keras.Input((None, 4), name="x")
    hidden = layers.LSTM(5, use_bias=False, return_sequences=True)(inputs)
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(3), name="y")(hidden))
    model(np.zeros((1, 3, 4)))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    with pytest.raises(ParityError) as error:
        check_file(tmp_path / "model.onnx", against=tmp_path / "model.keras")
    assert str(error.value) == (
        "model.onnx: onnx output 'y' is float32 [7, 7, 3]; "
        "Keras gives float32 [7, 17, 3] (normal values, x [7, 17, 4])."
    )


@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
def test_a_right_file_from_plain_keras_passes_under_other_names(tmp_path):
    model = keras.Sequential([keras.Input((6, 4), name="x"), layers.Flatten(), layers.Dense(3, name="y")])
    model(np.zeros((1, 6, 4)))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    assert check_file(tmp_path / "model.onnx", against=model).max_abs_diff < 1e-4


def test_a_foreign_file_needs_a_model_to_be_held_against(tmp_path):
    path = handmade.projection(tmp_path / "m.onnx")
    with pytest.raises(InvalidInput) as error:
        check_file(path)
    assert str(error.value) == (
        f"{path} does not say which model it was made from. Name it: zoo check {path} --against model.keras"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0134, "1.3e-2"), (1e-4, "1e-4"), (0.6149, "0.61"), (5123.0, "5.1e3"), (np.inf, "inf"), (7, "7")],
)
def test_numbers_in_messages_are_short(value, text):
    assert checks._short(float(value)) == text


def test_a_file_of_ours_that_is_no_zoo_model_has_to_be_told_its_model(tmp_path):
    model = keras.Sequential([keras.Input((None, 2)), layers.GRU(3)], name="mine")
    path = to_onnx(model, tmp_path / "mine.onnx").path
    with pytest.raises(InvalidInput) as error:
        check_file(path)
    assert str(error.value) == (
        f"{path} does not say which model it was made from. Name it: zoo check {path} --against model.keras"
    )
