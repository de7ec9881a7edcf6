"""Language models and translators from training to the command line: tiny ones in a registry of their own."""

import dataclasses
import json
import math
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

import zoo
from export import runtime
from export.backends import open_model
from export.runtime.pipelines.text_generation import TextGeneration
from zoo import datasets, recipes, registry
from zoo.cli import card
from zoo.datasets import Dataset, Split, Splits
from zoo.errors import InvalidInput, Unsupported
from zoo.features import translation, vocabulary
from zoo.features.search import Sampling
from zoo.recipes import training
from zoo.recipes.recipe import Recipe
from zoo.spec import DatasetRef, Published

PLAY = "FIRST: to be or not to be.\nSECOND: that is the question, or is it not?\n" * 12
WRITER, TRANSLATOR = "gru.play", "gru_attention.numbers_en_de"
ENGLISH, GERMAN = "one two three four five".split(), "eins zwei drei vier fünf".split()


def characters():
    return vocabulary.characters(PLAY)


def play() -> Splits:
    tokens = np.array(characters().encode(PLAY).ids, "int32")[None]
    parts = (tokens[:, :600], tokens[:, 600:750], tokens[:, 750:])
    return Splits(*(Split(part[:, :-1], part[:, 1:]) for part in parts))


def subwords():
    return vocabulary.byte_pairs(ENGLISH + GERMAN, 40)


def numbers() -> Splits:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 5, rng.integers(1, 5)) for _ in range(112)]
    english = [" ".join(ENGLISH[k] for k in row) for row in rows]
    german = [" ".join(GERMAN[k] for k in row) for row in rows]
    tokenizer = subwords()
    end, start = tokenizer.token_to_id("[EOS]"), tokenizer.token_to_id("[BOS]")

    def padded(sentences, before, after, padding):
        tokens = [[*before, *tokenizer.encode(sentence).ids, *after] for sentence in sentences]
        array = np.full((len(tokens), max(map(len, tokens))), padding, "int32")
        for row, values in zip(array, tokens, strict=True):
            row[: len(values)] = values
        return array

    x = {"source": padded(english, [], [end], 0), "target": padded(german, [start], [], 0)}
    whole = Split(x, padded(german, [], [end], -1), texts=np.array(german, object))
    return Splits(*(whole.take(slice(*part)) for part in ((0, 96), (96, 104), (104, 112))))


def greedy(model, split):
    from zoo.models.translator import parts
    from zoo.recipes.batches import runner

    encoder, decoder = (runner(part) for part in parts(model).values())
    return translation.Translator(encoder, decoder, subwords()).translate(split.x["source"], beam=1)


def small(name: str, like: str, config: dict, dataset: str, **settings) -> Recipe:
    text = dataclasses.replace(recipes.get(like).card, published=(Published(1.0, "nothing", "nowhere"),))
    base = dataclasses.replace(recipes.get(like), name=name, config=config, dataset=dataset, card=text)
    return dataclasses.replace(base, epochs=2, average=0.0, learning_rate=0.01, **settings)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        small(
            WRITER,
            "gru.shakespeare",
            {"recurrence": "gru", "units": [6], "vocabulary": characters().get_vocab_size(), "embedding": 5},
            "play",
            batch_size=4,
            carry=16,
        ),
        small(
            TRANSLATOR,
            "gru_attention.multi30k_en_de",
            {"vocabulary": 40, "embedding": 8, "units": 6, "dropout": 0.1},
            "numbers",
            batch_size=16,
            judge=greedy,
        ),
    )
}
DATA = {
    name: Dataset(DatasetRef(name, name, "https://example.org", "CC0", "nobody"), (), load, tokenizer, further)
    for name, load, tokenizer, further in (
        ("play", play, characters, {}),
        ("numbers", numbers, subwords, {"test_2017": lambda: numbers().validation}),
    )
}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory, small_probes):
    """{name: card} of the two models in a registry of their own."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "pretrained").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "ROOT", folder / "pretrained")
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(recipes, "get", RECIPES.__getitem__)
        patch.setattr(datasets, "get", DATA.__getitem__)
        patch.setattr(card, "FORMS", (("onnx", None),))  # the others are the exporter's tests
        registry.get.cache_clear()
        for name, recipe in RECIPES.items():
            training.train(recipe, folder / "runs" / name / "seed0", seed=0)
        yield {name: card.publish(name, folder / "runs")[0] for name in RECIPES}
    registry.get.cache_clear()


# ------------------------------------------------------------------------------------------------------ published


def test_a_language_model_ships_the_file_that_streams_and_a_translator_its_halves_with_rounded_weights(shipped):
    assert set(shipped[WRITER].files) == {"streaming.onnx", "model.weights.h5", "tokenizer.json"}
    assert set(shipped[TRANSLATOR].files) == {"encoder.onnx", "decoder.onnx", "model.weights.h5", "tokenizer.json"}
    for name in shipped:
        for value in zoo.load(name).get_weights():
            np.testing.assert_array_equal(value, value.astype("float16"))
    kernels = [weight.numpy() for weight in zoo.load(TRANSLATOR).weights if weight.name.endswith("kernel")]
    for value in kernels:
        numbers_of = value / np.exp2(np.ceil(np.log2(np.abs(value).max(0) / 127)))
        np.testing.assert_array_equal(numbers_of, numbers_of.astype("int8"))


def test_a_language_model_loaded_by_its_name_streams(shipped):
    tokens = play().test.x[:, :50]
    logits = runtime.load(WRITER).stream().push(tokens)
    np.testing.assert_allclose(logits, zoo.load(WRITER)(tokens), atol=1e-5)


def test_the_score_of_a_language_model_is_the_surprisal_of_one_pass_over_the_test_text(shipped):
    test, model = play().test, zoo.load(WRITER)
    logits = model(test.x).numpy().astype("float64")[0]
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.mean(np.log(chances[np.arange(len(logits)), test.y[0]]))
    spec = shipped[WRITER]
    assert [score.metric for score in spec.scores] == ["nats_per_token", "perplexity", "nats_per_token"]
    assert spec.score.examples == test.y.size
    np.testing.assert_allclose([spec.scores[0].value, spec.scores[2].value], expected, rtol=1e-5)
    np.testing.assert_allclose(spec.scores[1].value, math.exp(expected), rtol=1e-5)


def test_the_score_of_a_translator_is_the_bleu_of_its_pipeline(shipped):
    spec, test = shipped[TRANSLATOR], numbers().test
    sentences = [subwords().decode([token for token in row if token > 3]) for row in test.x["source"].tolist()]
    for width, score in ((5, spec.scores[0]), (1, spec.scores[1])):
        found = [answer.translation for answer in zoo.pipeline(TRANSLATOR)(sentences, beam=width)]
        assert score.value == pytest.approx(translation.bleu(test.texts, found))
    assert [(score.metric, score.split) for score in spec.scores] == [
        ("bleu", "test"),
        ("bleu_greedy", "test"),
        ("bleu", "test_2017"),
        ("bleu", "test"),
    ]
    assert spec.scores[2].examples == len(numbers().validation)


def test_zoo_eval_repeats_the_score_of_the_card_on_onnx(shipped, zoo_command):
    for name, spec in shipped.items():
        found = zoo_command("eval", name, "--backend", "onnx", "--json")
        assert found.code == 0, found.err
        measured = json.loads(found.out)
        assert measured["value"] == spec.scores[-1].value and measured["examples"] == spec.score.examples


def test_zoo_eval_repeats_the_score_on_a_further_split_and_names_the_splits_there_are(shipped, zoo_command):
    found = zoo_command("eval", TRANSLATOR, "--split", "test_2017", "--json")
    measured, on_card = json.loads(found.out), shipped[TRANSLATOR].scores[2]
    assert (measured["split"], measured["value"], measured["examples"]) == (
        "test_2017",
        on_card.value,
        len(numbers().validation),
    )
    answer = zoo_command("eval", TRANSLATOR, "--split", "test_2071")
    assert (answer.code, answer.err) == (
        2,
        "zoo: Unknown split 'test_2071'. Did you mean 'test_2017'? numbers has test, test_2017.\n",
    )


def test_a_model_in_parts_is_not_loaded_as_one_file(shipped):
    with pytest.raises(InvalidInput) as caught:
        runtime.load(TRANSLATOR)
    assert str(caught.value) == (
        f"Model {TRANSLATOR!r} runs in parts, decoder.onnx and encoder.onnx: zoo.pipeline({TRANSLATOR!r}) puts them "
        f"together; to run one by hand, load its path in {str(registry.folder(TRANSLATOR))!r}."
    )


# ------------------------------------------------------------------------------------------------------- generate


def by_hand(prompt: str, length: int, sampling: Sampling, seed: int) -> str:
    """Generation with the Keras model, the whole text anew for each token; padding and the unknown are never drawn."""
    model, tokenizer, rng = zoo.load(WRITER), characters(), np.random.default_rng(seed)
    answer = tf.function(lambda text: model(text)[0, -1], input_signature=[tf.TensorSpec([1, None], "int32")])
    tokens = tokenizer.encode(prompt).ids
    for _ in range(length):
        logits = np.concatenate([np.full(2, -np.inf), answer(np.array([tokens], "int32")).numpy()[2:]])
        tokens.append(sampling.draw(rng, logits))
    return tokenizer.decode(tokens[-length:])


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, top_k=5, top_p=0.9)])
def test_a_text_is_drawn_from_what_the_whole_model_says_after_all_of_it(shipped, sampling):
    pipeline = zoo.pipeline(WRITER)
    assert "".join(pipeline.generate("SECOND", 40, sampling, seed=3)) == by_hand("SECOND", 40, sampling, 3)


def test_keras_writes_the_same_text_as_onnx(shipped):
    texts = [list(zoo.pipeline(WRITER, backend).generate("to be", 30, seed=1)) for backend in ("onnx", "keras")]
    assert texts[0] == texts[1] and len(texts[0]) == 30


def test_pieces_come_one_by_one_and_two_texts_of_one_pipeline_do_not_meet(shipped):
    pipeline = zoo.pipeline(WRITER)
    first, second = pipeline.generate("to be", 12, seed=1), pipeline.generate("or not", 12, seed=2)
    mixed = [(next(first), next(second)) for _ in range(12)]
    assert "".join(one for one, _ in mixed) == "".join(pipeline.generate("to be", 12, seed=1))
    assert "".join(two for _, two in mixed) == "".join(pipeline.generate("or not", 12, seed=2))


def test_a_long_prompt_is_read_in_chunks_that_carry_the_state(shipped):
    prompt = (PLAY * 2)[:700]
    assert "".join(islice(zoo.pipeline(WRITER).generate(prompt, seed=5), 5)) == by_hand(prompt, 5, Sampling(), 5)


def test_a_text_ends_before_the_stop_and_gives_everything_up_to_it(shipped):
    pipeline = zoo.pipeline(WRITER)
    whole = "".join(pipeline.generate("to", 200, seed=4))
    for stop in (whole[:1], whole[40:43], whole[150:151]):
        assert "".join(pipeline.generate("to", 200, seed=4, stop=stop)) == whole[: whole.index(stop)]
    assert "".join(pipeline.generate("to", 200, seed=4, stop="Zebra")) == whole


def test_zoo_generate_prints_the_prompt_and_what_follows(shipped, zoo_command):
    settings = ("--length", 20, "--temperature", 0.8, "--top-k", 9, "--top-p", 0.95, "--seed", 1, "--stop", "?")
    expected = "".join(zoo.pipeline(WRITER).generate("FIRST:", 20, Sampling(0.8, 9, 0.95), seed=1, stop="?"))
    found = zoo_command("generate", WRITER, "FIRST:", *settings)
    assert (found.code, found.out) == (0, f"FIRST:{expected}\n")
    as_json = zoo_command("generate", WRITER, "FIRST:", *settings, "--json")
    assert json.loads(as_json.out) == {"prompt": "FIRST:", "text": expected}
    assert "character by character, or word by word." in " ".join(zoo_command("generate", "--help").out.split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([""], "The prompt is '': give the text to go on from, at least one character."),
        (["to €"], "gru.play does not know '€' (at 3 of the prompt): it was trained on text without it."),
        (["to[PAD]"], "gru.play does not know '[' (at 2 of the prompt): it was trained on text without it."),
        (["to", "--length", 0], "length=0 is out of range: give a number of tokens from 1 to 1,000,000."),
        (["to", "--length", 2_000_000], "length=2000000 is out of range: give a number of tokens from 1 to 1,000,000."),
        (["to", "--seed", -1], "seed=-1 is no seed: give a whole number from 0 to 4294967295."),
        (["to", "--stop", ""], "stop is empty: give the text to stop before, or leave it out."),
        (
            ["to", "--temperature", 0],
            "temperature=0 is out of range: 1 draws as the model says, less is tamer, more is wilder; top_k=1 takes "
            "the most probable token each time.",
        ),
        (["to", "--top-p", 0], "top_p=0 is out of range: it is a share above 0 and up to 1, which keeps all."),
        (["to\ud800"], "The text is not valid Unicode (surrogates not allowed at character 2)."),
    ],
)
def test_what_cannot_be_generated_is_refused_before_the_first_character(shipped, zoo_command, arguments, text):
    found = zoo_command("generate", WRITER, *arguments)
    assert (found.code, found.out, found.err) == (2, "", f"zoo: {text}\n")


@pytest.mark.parametrize("temperature", [1e-300, 1e30])
def test_any_temperature_writes_text_and_no_marks(shipped, temperature):
    found = "".join(zoo.pipeline(WRITER).generate("to", 200, Sampling(temperature)))
    assert found and "[PAD]" not in found and "[UNK]" not in found


def test_a_model_of_another_task_is_refused_with_those_that_do_it(shipped, zoo_command):
    found = zoo_command("generate", TRANSLATOR, "to be")
    assert (found.code, found.err) == (
        2,
        f"zoo: Model {TRANSLATOR!r} does no text generation: its task is translation. These do: {WRITER}.\n",
    )


# ------------------------------------------------------------------------------------------------------ translate


def test_a_batch_of_mixed_lengths_is_translated_as_each_sentence_alone(shipped):
    pipeline, sentences = zoo.pipeline(TRANSLATOR), ["one", "two three four five one two", "five four"]
    together = pipeline(sentences)
    for sentence, answer in zip(sentences, together, strict=True):
        (alone,) = pipeline(sentence)
        assert (alone.translation, alone.target_subwords) == (answer.translation, answer.target_subwords)
        np.testing.assert_allclose(alone.score, answer.score, rtol=1e-5)
        np.testing.assert_allclose(alone.alignment, answer.alignment, atol=1e-5)


def test_keras_translates_as_onnx_does_and_the_score_is_the_models_own(shipped):
    sentence = "three two one"
    (answer,) = zoo.pipeline(TRANSLATOR)(sentence)
    (other,) = zoo.pipeline(TRANSLATOR, "keras")(sentence)
    assert answer.translation == other.translation
    tokenizer = subwords()
    written = [tokenizer.token_to_id(token) for token in answer.target_subwords]
    source = np.array([[*tokenizer.encode(sentence).ids, tokenizer.token_to_id("[EOS]")]], "int32")
    target = np.array([[tokenizer.token_to_id("[BOS]"), *written[:-1]]], "int32")
    logits = zoo.load(TRANSLATOR)({"source": source, "target": target}).numpy()[0].astype("float64")
    chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(answer.score, np.mean(chances[np.arange(len(written)), written]), rtol=1e-4)


def test_each_subword_written_looks_at_the_subwords_read(shipped):
    (answer,) = zoo.pipeline(TRANSLATOR)("one five")
    assert np.shape(answer.alignment) == (len(answer.target_subwords), len(answer.source_subwords))
    np.testing.assert_allclose(np.sum(answer.alignment, 1), 1, rtol=1e-5)
    assert answer.source_subwords[-1] == "[EOS]"


def test_zoo_translate_prints_the_translation_and_draws_the_attention(shipped, zoo_command, tmp_path):
    (answer,) = zoo.pipeline(TRANSLATOR)("two five", beam=3)
    found = zoo_command("translate", TRANSLATOR, "two five", "--beam", 3, "--show", tmp_path / "attention.png")
    assert (found.code, found.out.strip()) == (0, answer.translation.strip())
    assert (tmp_path / "attention.png").read_bytes().startswith(b"\x89PNG")
    zoo_command("translate", TRANSLATOR, "two five", "--show", tmp_path / "attention.svg")
    drawn = (tmp_path / "attention.svg").read_text("utf-8")
    assert all(f"<!-- {label} -->" in drawn for label in ("read", "written", "attention"))
    as_json = zoo_command("translate", TRANSLATOR, "two five", "one", "--beam", 3, "--json")
    assert [item["source"] for item in json.loads(as_json.out)] == ["two five", "one"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["  "], "The sentence '  ' is empty: give at least one word."),
        (["one", "--beam", 0], "beam=0 is out of range: give a number of beams from 1 (greedy) to 100."),
        (["one", "two", "--show", "a.png"], "--show draws one sentence, not 2: call once for each."),
        (
            ["one €", "two"],
            f"{TRANSLATOR} does not know '€' in the sentence that begins 'one €': it was trained on text without it.",
        ),
        (["o\ud800"], "The text is not valid Unicode (surrogates not allowed at character 1)."),
        (
            ["one " * 300],
            "The sentence that begins 'one one one one one one one on' has 1201 subwords; the model takes 200. "
            "Translate it sentence by sentence.",
        ),
    ],
)
def test_what_cannot_be_translated_is_refused(shipped, zoo_command, arguments, text):
    found = zoo_command("translate", TRANSLATOR, *arguments)
    assert (found.code, found.err) == (2, f"zoo: {text}\n")


def test_texts_are_written_where_neither_tensorflow_nor_keras_can_be_imported(shipped):
    expected = (
        "".join(zoo.pipeline(WRITER).generate("to", 8, seed=2)),
        zoo.pipeline(TRANSLATOR)("one two")[0].translation,
    )
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "from pathlib import Path\n"
        "import zoo\nfrom zoo import registry\n"
        f"registry.ROOT = Path({str(registry.ROOT)!r})\n"
        f"print(repr((''.join(zoo.pipeline({WRITER!r}).generate('to', 8, seed=2)), "
        f"zoo.pipeline({TRANSLATOR!r})('one two')[0].translation)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == repr(expected), found.stderr


def test_a_half_of_a_translator_in_full_integers_is_refused(shipped):
    with pytest.raises(Unsupported) as error:
        open_model(TRANSLATOR, "tflite", "int8", "decoder")
    assert str(error.value) == (
        f"The decoder of {TRANSLATOR} has no tflite file in full integers: recurrences in integers start from zero "
        "states, its own do not. Use quantize='dynamic'."
    )


def test_a_streaming_part_opens_on_every_backend_with_the_same_answer(shipped):
    tokens = np.array([[2, 3, 4, 5]], "int32")
    answers = [open_model(WRITER, backend, part="streaming").stream().push(tokens) for backend in ("onnx", "keras")]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
    assert TextGeneration.PARTS == ("streaming",)
