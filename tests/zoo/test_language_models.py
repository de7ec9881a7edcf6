"""Language models and translators below the command line: vocabularies, layers, training with carried states."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.real_data import needs_data
from tests.tiers import thorough
from zoo import datasets, evaluation, models, recipes
from zoo.cli.card import multiply_adds_per_step
from zoo.cli.rounding import compress, round_weights
from zoo.datasets import Dataset, Split, Splits, multi30k
from zoo.errors import InvalidInput
from zoo.features import vocabulary
from zoo.layers import DotAttention, TiedEmbedding
from zoo.models import translator
from zoo.recipes import carried, losses, training
from zoo.spec import DatasetRef

RNG = np.random.default_rng(0)
SMALL = dataclasses.replace(
    recipes.get("lstm.shakespeare"),
    config={"recurrence": "lstm", "units": [4], "vocabulary": 9, "embedding": 3, "output_dropout": 0.2},
    dataset="letters",
    epochs=3,
    batch_size=4,
    carry=8,
    average=0.9,
)


def letters() -> Splits:
    """A text in which each letter is mostly the one after the last."""
    jumps = np.where(RNG.random(600) < 0.1, RNG.integers(2, 9, 600), 1)
    tokens = (2 + np.cumsum(jumps) % 7).astype("int32")[None]
    parts = (tokens[:, :400], tokens[:, 400:500], tokens[:, 500:])
    return Splits(*(Split(part[:, :-1], part[:, 1:]) for part in parts))


SPLITS = letters()
DATA = Dataset(DatasetRef("letters", "Letters", "https://example.org", "CC0", "nobody"), (), lambda: SPLITS)


# ----------------------------------------------------------------------------------------------------- vocabulary


def test_every_character_of_a_text_comes_back_and_others_are_unknown():
    text = "A b\n\n c:é"
    tokenizer = vocabulary.characters(text)
    tokens = tokenizer.encode(text).ids
    assert tokenizer.decode(tokens) == text and min(tokens) == 2
    assert tokenizer.encode("B").ids == [vocabulary.UNKNOWN_TOKEN]


def test_subwords_of_a_sentence_give_the_sentence_back():
    tokenizer = vocabulary.byte_pairs(["Ein Hund läuft, schnell.", "Zwei Hunde laufen."] * 3, 60)
    for sentence in ("Ein Hund läuft.", "Hunde, Hund"):
        assert tokenizer.decode(tokenizer.encode(sentence).ids) == sentence
    assert [tokenizer.token_to_id(token) for token in ("[PAD]", "[UNK]", "[BOS]", "[EOS]")] == [0, 1, 2, 3]


@needs_data
@pytest.mark.parametrize(
    ("name", "sizes", "tokens"),
    [
        ("tiny_shakespeare", (948_085, 55_769, 111_540), 67),
        ("ptb", (929_590, 73_761, 82_431), 10_001),
    ],
)
def test_the_parts_of_a_text_have_their_published_sizes_and_each_target_is_the_token_that_follows(name, sizes, tokens):
    data = datasets.get(name)
    splits = data.load()
    parts = (splits.train, splits.validation, splits.test)
    assert tuple(part.x.shape[1] + 1 for part in parts) == sizes
    assert data.tokenizer().get_vocab_size() == tokens
    for part in parts:
        np.testing.assert_array_equal(part.x[:, 1:], part.y[:, :-1])


@needs_data
@thorough
def test_captions_and_their_translations_are_in_tokens_that_spell_them():
    splits, tokenizer = datasets.get("multi30k_en_de").load(), multi30k.tokenizer()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [28_998, 1014, 1000]
    assert tokenizer.get_vocab_size() == multi30k.VOCABULARY
    test = splits.test.take(slice(5))
    for row, text, read in zip(test.y, test.texts, multi30k.lines("test_2016_flickr", "en"), strict=False):
        assert tokenizer.decode([token for token in row.tolist() if token > 3]) == text
        assert tokenizer.decode(tokenizer.encode(read).ids) == read
    np.testing.assert_array_equal(test.x["target"][:, 1:][test.y[:, :-1] > 3], test.y[:, :-1][test.y[:, :-1] > 3])
    assert len(multi30k.test_2017("de", "en")) == 1000


# --------------------------------------------------------------------------------------------------------- layers


def test_a_tied_embedding_scores_with_its_own_matrix_and_keeps_its_bias(tmp_path):
    layer = TiedEmbedding(5, 3)
    tokens = np.array([[1, 4]])
    x = layer(tokens)
    layer.bias.assign(RNG.normal(size=5))
    matrix, bias = (keras.ops.convert_to_numpy(value) for value in (layer.embeddings, layer.bias))
    np.testing.assert_allclose(x, matrix[tokens])
    np.testing.assert_allclose(layer(x, reverse=True), matrix[tokens] @ matrix.T + bias, rtol=1e-5)
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layer])
    model.save_weights(tmp_path / "a.weights.h5")
    layer.bias.assign(np.zeros(5))
    model.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(layer.bias, bias)


def test_tokens_of_any_type_are_masked_and_hidden_states_are_not():
    layer = TiedEmbedding(5, 3, mask_zero=True)
    for dtype in ("int32", "float32"):
        np.testing.assert_array_equal(layer(np.array([[1, 0]], dtype))._keras_mask, [[True, False]])
    assert getattr(layer(layer(np.array([[1, 0]])), reverse=True), "_keras_mask", None) is None


def test_attention_matches_numpy_and_does_not_look_at_padding():
    query, keys, values = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 4)), RNG.normal(size=(2, 5, 6))
    valid = np.arange(5) < np.array([[3], [5]])
    shares = np.exp(query @ keys.transpose(0, 2, 1) / 2) * valid[:, None]
    shares /= shares.sum(-1, keepdims=True)
    context, look = DotAttention()(*(array.astype("float32") for array in (query, keys, values)), valid)
    np.testing.assert_allclose(look, shares, atol=1e-6)
    np.testing.assert_allclose(context, shares @ values, atol=1e-5)


def test_token_cross_entropy_is_the_mean_over_targets_that_are_not_padding():
    logits, y = RNG.normal(size=(3, 5, 6)).astype("float32"), RNG.integers(0, 6, (3, 5))
    y[0, 2:] = y[2, 4:] = -1
    targets = 0.8 * np.eye(6)[np.maximum(y, 0)] + 0.2 / 6
    costs = -(targets * (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))).sum(-1)
    recipe = dataclasses.replace(SMALL, label_smoothing=0.2)
    assert float(losses.build(recipe)(y, logits)) == pytest.approx(costs[y >= 0].mean(), rel=1e-5)


# ------------------------------------------------------------------------------------------------------- families


@pytest.mark.parametrize("settings", [{}, {"tied": True, "embedding": 4}, {"weight_drop": 0.5, "recurrence": "gru"}])
def test_a_model_in_lanes_carries_its_states_and_has_the_weights_of_the_one_without(settings):
    config = {"recurrence": "lstm", "units": [5, 4], "vocabulary": 9, "embedding": 3} | settings
    whole, lanes = models.build("language_model", config), models.build("language_model", {**config, "lanes": 2})
    lanes.set_weights(whole.get_weights())
    tokens = RNG.integers(0, 9, (2, 7)).astype("int32")
    pieces = np.concatenate([lanes(tokens[:, :4]).numpy(), lanes(tokens[:, 4:]).numpy()], 1)
    np.testing.assert_allclose(pieces, whole(tokens).numpy(), atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_what_an_embedding_looks_up_is_not_multiplied(tied):
    config = {"recurrence": "gru", "units": [6], "vocabulary": 9, "embedding": 6, "tied": tied}
    model = models.build("language_model", config)
    assert multiply_adds_per_step(model) == 3 * 6 * (6 + 6) + 6 * 9


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"recurrence": "rnn"}, "recurrence='rnn' is unknown; use one of lstm, gru."),
        ({"units": []}, "units=[] must hold one positive size for each layer."),
        (
            {"tied": True},
            "tied=True multiplies the last state with the embedding: units=[4] must end in embedding=3.",
        ),
    ],
)
def test_a_language_model_that_cannot_be_is_refused(settings, text):
    with pytest.raises(InvalidInput) as caught:
        models.build("language_model", {"recurrence": "lstm", "units": [4], "vocabulary": 9, "embedding": 3} | settings)
    assert str(caught.value) == text


def test_the_halves_of_a_translator_step_by_step_are_the_whole_and_padding_changes_nothing():
    model = models.build("translator", {"vocabulary": 12, "embedding": 5, "units": 4})
    halves = translator.parts(model)
    source, target = np.array([[5, 6, 7, 3], [8, 3, 0, 0]], "int32"), np.array([[2, 4, 5], [2, 9, 9]], "int32")
    whole = model({"source": source, "target": target}).numpy()
    memory = {name: value.numpy() for name, value in halves["encoder"]({"source": source}).items()}
    found = []
    for step in range(3):
        answer = halves["decoder"]({"target": target[:, step : step + 1], "source": source, **memory})
        memory |= {name: answer[f"{name}_out"].numpy() for name in ("first_h", "second_h")}
        found.append(answer["logits"].numpy())
    np.testing.assert_allclose(np.concatenate(found, 1), whole, atol=1e-5)
    alone = model({"source": source[1:, :2], "target": target[1:]}).numpy()
    np.testing.assert_allclose(alone, whole[1:], atol=1e-5)


# ------------------------------------------------------------------------------------------------- carried states


def test_batch_by_batch_each_lane_reads_on_where_it_stopped():
    text = np.arange(29)[None]
    split = carried.laid(Split(text[:, :-1], text[:, 1:]), lanes=3, steps=4, start=2)
    assert split.x.reshape(2, 3, 4).tolist() == [
        [[2, 3, 4, 5], [10, 11, 12, 13], [18, 19, 20, 21]],
        [[6, 7, 8, 9], [14, 15, 16, 17], [22, 23, 24, 25]],
    ]
    np.testing.assert_array_equal(split.y, split.x + 1)


def test_every_epoch_has_the_same_number_of_batches_wherever_it_starts():
    split = SPLITS.train
    sizes = {len(carried.epoch(np.random.default_rng(seed), split, 4, 8)) for seed in range(20)}
    assert sizes == {carried.batches(split, 4, 8) * 4}


def test_surprisals_in_lanes_are_those_of_each_lane_in_one_pass():
    config = {**SMALL.config, "lanes": 4}
    model, whole = models.build("language_model", config), models.build("language_model", SMALL.config)
    whole.set_weights(model.get_weights())
    found = carried.surprisals(model, SPLITS.validation, 8)
    lanes = carried.laid(SPLITS.validation, 4, 24)
    expected = evaluation.surprisals_of(whole(lanes.x).numpy(), lanes.y)
    np.testing.assert_allclose(found.reshape(3, 4, 8).swapaxes(0, 1).reshape(4, 24), expected, atol=1e-5)
    np.testing.assert_array_equal(found, carried.surprisals(model, SPLITS.validation, 8))


class Broken(Exception):
    pass


@thorough
def test_a_broken_run_with_carried_states_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    def stop(step):
        if (step.epoch, step.step) == (2, 5):
            raise Broken

    unbroken = training.train(SMALL, tmp_path / "unbroken", dataset=DATA)
    with pytest.raises(Broken):
        training.train(SMALL, tmp_path / "broken", dataset=DATA, report=stop)
    resumed = training.train(SMALL, tmp_path / "broken", dataset=DATA, resume=True)
    for ours, theirs in zip(resumed.model.get_weights(), unbroken.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    losses_of = [[epoch["validation"] for epoch in run.progress.history] for run in (resumed, unbroken)]
    assert losses_of[0] == losses_of[1] and len(losses_of[0]) == 3
    assert unbroken.model.input_shape == (None, None)


# -------------------------------------------------------------------------------------------------------- storage


@pytest.mark.parametrize(("stored", "share"), [("float16", 0.6), ("int8", 0.37)])
def test_rounded_weights_take_less_of_the_file_and_read_back_bit_for_bit(stored, share, tmp_path):
    path = tmp_path / "a.weights.h5"
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300, bias_initializer="normal")])
    model.save_weights(path)
    before = path.stat().st_size
    round_weights(model, stored)
    weights = model.get_weights()
    for value in weights:
        np.testing.assert_array_equal(value, value.astype("float16"))
    model.save_weights(path)
    compress(path)
    assert path.stat().st_size < share * before
    model.set_weights([np.zeros_like(value) for value in weights])
    model.load_weights(path)
    for ours, theirs in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_integer_weights_are_int8_numbers_times_a_power_of_two_for_each_unit():
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dense(7, bias_initializer="normal")])
    kernel, bias = model.get_weights()
    round_weights(model, "int8")
    rounded, bias_in_halves = model.get_weights()
    np.testing.assert_array_equal(bias_in_halves, bias.astype("float16"))
    for column, found in zip(kernel.T, rounded.T, strict=True):
        step = 2.0 ** np.ceil(np.log2(np.abs(column).max() / 127))
        np.testing.assert_array_equal(found, np.rint(column / step) * step)
        assert len({*(found / step).tolist()} - {*range(-127, 128)}) == 0
