import dataclasses

import numpy as np
import pytest

from export.runtime.pipelines.tagging import Tagging
from tests.real_data import needs_data
from zoo import models
from zoo.datasets import ewt
from zoo.errors import InvalidInput
from zoo.features import words
from zoo.spec import Signature, TensorSpec

CONFIG = {"recurrence": "lstm", "units": [3, 4], "bidirectional": True, "vocabulary": 9, "frequent": 5, "vectors": 4,
    "embedding": 3, "alphabet": words.CHARACTERS, "width": words.WIDTH, "character": 3, "filters": 2,
    "classes": 5}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't go.", "I ca n't go ."),
        ("We cannot, they're not, he'd", "We can not , they 're not , he 'd"),
        ("Bush's state-of-the-art plan", "Bush 's state - of - the - art plan"),
        ("Mr. Smith of the U.S. paid $3,000.50!!!", "Mr. Smith of the U.S. paid $ 3,000.50 !!!"),
        ("mail me: a.b@c.org, www.x.com/y", "mail me : a.b@c.org , www.x.com/y"),
        ("well... :) (yes)", "well ... :) ( yes )"),
        ("“It’s”", "“ It ’s ”"),
        ("a\tb\x07c", "a b \x07 c"),
        ("_x_", "_x_"),
    ],
)
def test_text_is_split_as_the_treebank_splits_it(text, expected):
    assert [word.text for word in words.split(text)] == expected.split(" ")


@pytest.mark.parametrize("text", ["naïve 日本 שלום", "🙂🙂 \u202eabc", "a\x00b", "e\u0301", "1,2,3 …", "´`", "x" * 50])
def test_words_are_in_order_and_hold_every_character_that_is_not_blank(text):
    found = words.split(text)
    assert "".join(word.text for word in found) == "".join(text.split())
    assert all(text[word.start : word.end] == word.text for word in found)


@needs_data
def test_the_splitter_finds_98_of_100_words_of_the_treebank_and_few_others():
    right = given = found = 0
    for text, sentence, _ in ewt.read("dev"):
        expected = _places(text, sentence)
        places = {(word.start, word.end) for word in words.split(text)}
        right, given, found = right + len(expected & places), given + len(expected), found + len(places)
    assert right / given > 0.98
    assert right / found > 0.98


def _places(text, sentence):
    places, at = set(), 0
    for word in sentence:
        start = text.find(word, at)
        if start >= 0:  # some words of the treebank are corrected and not in the text
            at = start + len(word)
            places.add((start, at))
    return places


def test_a_long_word_keeps_its_first_and_its_last_characters():
    middle = words.spell("abcdefg" + "x" * 40 + "tuvwxyz")
    assert middle == words.spell("abcdefgtuvwxyz")
    assert len(middle) == words.WIDTH


@pytest.mark.parametrize("character", ["a", "é", "日", "٣", "€", "🙂", "\u0301", "\u202e", "\x07", "…", "\U0010ffff"])
def test_every_character_has_a_code_below_the_size_of_the_alphabet(character):
    (code,) = words.spell(character)[1:-1]
    assert 2 < code < words.CHARACTERS


def test_words_are_known_by_lower_case_and_digits_as_0():
    tokenizer = words.of_words(["the", "00", "n't"])
    found = words.encode(tokenizer, [["The", "47", "N'T", "xyz"], ["the"]])
    np.testing.assert_array_equal(found, [[2, 3, 4, 1], [2, 0, 0, 0]])


def test_the_faster_splitter_for_counting_agrees_on_plain_text():
    tokenizer = words.of_words(["i", "ca", "n't", "see", "him", "..."])
    text = "I can't see him..."
    fast, exact = words.raw(tokenizer).encode(text).ids, words.split(text)
    assert fast == words.encode(tokenizer, [[word.text for word in exact]])[0].tolist()


def test_conllu_words_are_read_without_ranges_and_empty_nodes():
    lines = [
        "# text = don't",
        "1-2\tdon't\t_\t_\t_",
        "1\tdo\tdo\tAUX\t_",
        "2\tn't\tnot\tPART\t_",
        "2.1\tx\tx\tX\t_",
        "",
    ]
    assert list(ewt.parse(lines)) == [("don't", ("do", "n't"), ("AUX", "PART"))]


@needs_data
def test_the_treebank_has_the_words_its_publishers_count():
    counted = [sum(len(sentence) for _, sentence, _ in ewt.read(part)) for part in ("train", "dev", "test")]
    assert counted == [204_577, 25_147, 25_094]


def test_padding_changes_no_tag():
    model = models.build("tagger", CONFIG)
    rng = np.random.default_rng(0)
    sentence = {"words": rng.integers(1, 9, (1, 4)), "characters": rng.integers(1, 110, (1, 4, words.WIDTH))}
    longer = {"words": rng.integers(1, 9, (1, 7)), "characters": rng.integers(1, 110, (1, 7, words.WIDTH))}
    batch = {}
    for name, array in sentence.items():
        filled = np.zeros_like(longer[name])
        filled[:, :4] = array
        batch[name] = np.concatenate([filled, longer[name]])
    alone = np.asarray(model(sentence))[0]
    np.testing.assert_allclose(np.asarray(model(batch))[0, :4], alone, atol=1e-6)


def test_vectors_of_unlabelled_text_are_not_trained():
    model = models.build("tagger", CONFIG)
    names = [weight.path for weight in model.trainable_weights]
    assert not [name for name in names if name.startswith("vectors/")]
    assert "vectors/embeddings" in [weight.path for weight in model.weights]


class _Tagger:
    """Says that a word is the class of its number of characters."""

    def __init__(self, spec):
        self.signature = spec.signature

    def run(self, inputs):
        count = np.minimum((inputs["characters"] > 0).sum(-1) - 2, 4)
        return {"logits": 9 * np.eye(5, dtype="float32")[count]}


@pytest.fixture
def tagging(card, tokenizer_of):
    inputs = (
        TensorSpec("words", "int32", (None, None), ("batch", "time")),
        TensorSpec("characters", "int32", (None, None, words.WIDTH), ("batch", "time", "feature")),
    )
    signature = Signature(inputs, (TensorSpec("logits", "float32", (None, None, 5), ("batch", "time", "class")),))
    spec = dataclasses.replace(card, task="tagging", labels=tuple("VWXYZ"), signature=signature)
    tokenizer_of(spec.name, words.of_words(["go", "away"]))
    return Tagging(spec, _Tagger(spec))


def test_sentences_of_a_batch_are_tagged_as_each_alone(tagging):
    sentences = ["Go away!", ["go"], "away, go away"]
    assert tagging.several(sentences) == [tagging(sentence) for sentence in sentences]


def test_raw_text_becomes_words_with_tags_and_places(tagging):
    found = tagging("Go away!")
    assert [(word.word, word.tag, word.start, word.end) for word in found] == [
        ("Go", "X", 0, 2),
        ("away", "Z", 3, 7),
        ("!", "W", 7, 8),
    ]
    assert found[0].cells() == ("Go", "X", "100.0 %")


def test_words_that_are_given_stay_as_they_are(tagging):
    assert [(word.word, word.tag, word.start) for word in tagging(["a-b", "c"])] == [
        ("a-b", "Y", None),
        ("c", "W", None),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "The text '' is empty: give at least one character that is not blank."),
        ("\n ", "The text '\\n ' is empty: give at least one character that is not blank."),
        ("\udcff", "The text is not valid Unicode (surrogates not allowed at character 0)."),
        ([], "There is no word to tag: give at least one."),
        (["a", " "], "A word must be text that is not blank, not ' '."),
        (5, "Give a text, or a list of texts, not int."),
        (["I am here."], "'I am here.' is more than a word: give a sentence as one text, or a list of its words."),
        (["a", 3], "A word must be text that is not blank, not 3."),
        (["\udcff"], "The text is not valid Unicode (surrogates not allowed at character 0)."),
    ],
)
def test_what_cannot_be_tagged_is_refused(tagging, given, message):
    with pytest.raises(InvalidInput) as error:
        tagging(given)
    assert str(error.value) == message


def test_a_hundred_thousand_words_are_tagged(tagging):
    assert len(tagging("word " * 100_000)) == 100_000
