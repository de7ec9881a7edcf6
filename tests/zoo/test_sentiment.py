import dataclasses
import io
import json
import tarfile

import numpy as np
import pytest

from export.runtime.pipelines import sentiment
from export.runtime.pipelines.sentiment import Sentiment
from tests.real_data import needs_data
from zoo import models
from zoo.datasets import Split, imdb, sst2
from zoo.errors import InvalidInput, UntrustedFile
from zoo.features import reviews
from zoo.recipes import imdb as recipe
from zoo.spec import Signature, TensorSpec

WORDS = ["dull film , bad film ! a good film . a great film"]


class _Counter:
    """Logits 0 and as many as there are good words, less the bad ones, great counting twice."""

    def __init__(self, spec, tokenizer):
        self.signature = spec.signature
        self.weights = np.zeros(tokenizer.get_vocab_size())
        for word, weight in (("dull", -1), ("bad", -1), ("good", 1), ("great", 2)):
            self.weights[tokenizer.token_to_id(word)] = weight

    def run(self, inputs):
        positive = self.weights[inputs["tokens"]].sum(1)
        return {"logits": np.stack([np.zeros_like(positive), positive], 1)}


@pytest.fixture
def judge(card, tokenizer_of):
    tokens = TensorSpec("tokens", "int32", (None, None), ("batch", "time"))
    logits = TensorSpec("logits", "float32", (None, 2), ("batch", "class"))
    spec = dataclasses.replace(card, task="sentiment", labels=imdb.LABELS, signature=Signature((tokens,), (logits,)))
    tokenizer = reviews.of_words(WORDS, size=20)
    tokenizer_of(spec.name, tokenizer)
    return Sentiment(spec, _Counter(spec, tokenizer))


def effects(answer):
    return {word.text: round(word.effect, 6) for word in answer.words if abs(word.effect) > 1e-9}


def test_the_words_that_moved_the_answer_have_their_part_of_the_log_odds(judge):
    (answer,) = judge("A great, bad film")
    assert answer.label == "positive"
    assert effects(answer) == {"great": 2.0, "bad": -1.0}
    assert answer.cells() == ("positive", "73.1 %", "great +2.00, bad -1.00")


def test_of_a_negative_answer_bad_words_speak_for_it(judge):
    (answer,) = judge("dull film, good bad")
    assert answer.label == "negative"
    assert effects(answer) == {"dull": 1.0, "good": -1.0, "bad": 1.0}


@pytest.mark.parametrize("raw", ["  GREAT<br />film!!", "é🙂 great\x07 film", "שלום great עולם"])
def test_a_word_says_where_in_the_text_it_stands(judge, raw):
    (answer,) = judge(raw)
    assert all(raw[word.start : word.end] == word.text for word in answer.words)
    assert [word.text.lower() for word in answer.words if word.effect > 1] == ["great"]


def test_answers_of_a_batch_are_those_of_each_text_alone(judge):
    texts = ["good", "a bad dull film, and more of the same", "great"]
    assert judge(texts) == [judge(text)[0] for text in texts]


def test_of_a_long_text_the_most_certain_part_is_looked_at(judge):
    raw = "film " * 1000 + "great " * 5 + "film " * 1000
    (answer,) = judge(raw)
    assert len(answer.words) == sentiment.WINDOW
    assert effects(answer) == {"great": 2.0}
    shown = judge.heading(raw, [answer]).plain
    assert shown.startswith("…") and shown.endswith("…") and shown.count("great") == 5


def test_the_end_of_a_text_somewhat_longer_than_a_part_is_looked_at(judge):
    (answer,) = judge("film " * sentiment.WINDOW + "dull dull bad")
    assert answer.label == "negative"
    assert [word.text for word in answer.words[-3:]] == ["dull", "dull", "bad"]
    assert answer.cells()[2] == "dull +1.00, bad +1.00"  # a word that comes twice is named once


def test_a_text_of_which_no_word_is_known_was_moved_by_none(judge):
    assert judge("xyzzy")[0].cells() == ("negative", "50.0 %", "none")


def test_control_characters_are_shown_not_obeyed(judge):
    raw = "a great\x07 \x1b[31m bad\x9b film\x7f"
    shown = judge.heading(raw, judge(raw))
    assert shown.plain == "a great␇ ␛[31m bad\ufffd film␡"
    assert [raw[span.start : span.end] for span in shown.spans] == ["great", "bad"]


@pytest.fixture
def judged(judge, monkeypatch):
    monkeypatch.setattr("zoo.pipeline", lambda name, backend: judge)


def test_predict_reads_text_from_a_file_and_from_standard_input(zoo_command, judged, monkeypatch, tmp_path):
    path = tmp_path / "review.txt"
    path.write_bytes("\ufeffA great,\r\nbad film".encode())
    answer = zoo_command("predict", "gru.har", path)
    assert (answer.code, answer.out.splitlines()[:2]) == (0, ["A great,", "bad film"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"film " * 99_999 + b"bad")))
    (found,) = json.loads(zoo_command("predict", "gru.har", "-", "--json").out)
    assert (found["input"], found["label"]) == ("-", "negative")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no file 'review.txt'. Check the path."),
        (b"caf\xff", "review.txt is not UTF-8 text (invalid start byte at byte 3)."),
        (b" \n", "The text ' \\n' is empty: give at least one character that is not blank."),
    ],
)
def test_predict_refuses_a_file_that_holds_no_text(zoo_command, judged, monkeypatch, tmp_path, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "review.txt").write_bytes(content)
    answer = zoo_command("predict", "gru.har", "review.txt")
    assert (answer.code, answer.out, answer.err) == (2, "", f"zoo: {message}\n")


def test_a_hundred_thousand_words_get_an_answer(judge):
    (answer,) = judge("film " * 99_999 + "bad")
    assert answer.label == "negative"


def test_the_terminal_shows_words_for_the_label_on_green_and_against_it_on_red(judge):
    (answer,) = judge("a great, bad film")
    shown = judge.heading("a great, bad film", [answer])
    assert shown.plain == "a great, bad film"
    assert [(span.start, span.end, span.style) for span in shown.spans] == [
        (2, 7, "white on rgb(0,160,0)"),
        (9, 12, "white on rgb(80,0,0)"),
    ]


@pytest.mark.parametrize("raw", ["film", "🙂", "\u202e", "\x07", "日本語", "___", "?"])
def test_one_word_of_any_kind_gets_an_answer(judge, raw):
    (answer,) = judge(raw)
    assert len(answer.words) == len(raw) or len(answer.words) == 1


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "The text '' is empty: give at least one character that is not blank."),
        (" \t", "The text ' \\t' is empty: give at least one character that is not blank."),
        ("<br />", "The text '<br />' is empty: give at least one character that is not blank."),
        ("good \udcff", "The text is not valid Unicode (surrogates not allowed at character 5)."),
        ([], "There is no text to classify: give at least one."),
    ],
)
def test_what_is_no_text_is_refused(judge, raw, message):
    with pytest.raises(InvalidInput) as error:
        judge(raw)
    assert str(error.value) == message


def test_a_review_becomes_words_marks_and_runs_of_punctuation():
    tokenizer = reviews.of_words(["It isn't bad... 7/10!<br /><br />Go"], size=20)
    assert tokenizer.encode("It isn't bad... 7/10!<br /><br />Go").tokens == [
        *("it", "isn't", "bad", "...", "7/10", "!", "go"),
    ]


def test_the_vocabulary_holds_the_most_frequent_words_first():
    tokenizer = reviews.of_words(["b b b a a c"], size=4)
    assert [tokenizer.id_to_token(index) for index in range(4)] == ["[PAD]", "[UNK]", "b", "a"]
    assert tokenizer.encode("c").ids == [1]


def test_padding_changes_no_answer_and_is_in_neither_mean_nor_maximum():
    config = {"recurrence": "gru", "units": [3], "bidirectional": True, "vocabulary": 9, "embedding": 4, "classes": 2}
    model = models.build("review_classifier", config)
    tokens = np.array([[3, 4, 8, 0, 0, 0], [1, 2, 3, 4, 5, 6]], "int32")
    alone = np.asarray(model(tokens[:1, :3]))
    np.testing.assert_allclose(np.asarray(model(tokens))[:1], alone, atol=1e-6)
    states = np.array([[[-0.5], [-0.2], [0.9]]], "float32")
    pooled = models.review_classifier.MeanAndMax()(states, mask=np.array([[True, True, False]]))
    np.testing.assert_allclose(pooled, [[-0.35, -0.2]], atol=1e-6)


def test_a_piece_of_a_long_review_is_in_its_order_and_short_ones_stay():
    x = np.zeros((2, 8), "int32")
    x[0], x[1, :3] = np.arange(2, 10), [5, 6, 7]
    found = {tuple(recipe.augment(np.random.default_rng(seed), Split(x, np.zeros(2)), steps=4, hidden=0.0).x[0])
             for seed in range(60)}  # fmt: skip
    assert found == {tuple(range(first, first + 4)) for first in range(2, 7)}
    cut = recipe.augment(np.random.default_rng(0), Split(x, np.zeros(2)), steps=4, hidden=0.0)
    assert cut.x[1].tolist() == [5, 6, 7, 0]


def test_hidden_words_become_unknown_and_padding_stays():
    x = np.full((400, 5), 7, "int32")
    x[:, 3:] = 0
    found = recipe.augment(np.random.default_rng(0), Split(x, np.zeros(400)), steps=5, hidden=0.2).x
    assert set(np.unique(found[:, :3])) == {1, 7} and not found[:, 3:].any()
    assert abs(np.mean(found[:, :3] == 1) - 0.2) < 0.04


def test_the_log_count_ratio_is_that_of_the_shares_of_texts():
    tokens, labels = np.array([[2, 2, 3], [2, 3, 0], [3, 0, 0], [3, 0, 0]]), np.array([1, 1, 0, 0])
    np.testing.assert_allclose(recipe.log_count_ratio(tokens, labels, 4)[2:], np.log([3, 1]))


@needs_data
def test_validation_is_a_tenth_of_the_training_reviews_and_the_test_part_is_whole():
    numbers = [(number, label) for number, label, _ in imdb.read("train")]
    assert len(set(numbers)) == 25_000 == len(imdb.read("test"))
    assert len(imdb.training_texts()) == 22_500


@needs_data
def test_the_sentences_of_sst2_are_those_its_publishers_count():
    counted = {part: len(sst2.read(part)) for part in ("train", "dev", "test")}
    assert counted == {"train": 6920, "dev": 872, "test": 1821}


def test_another_archive_of_the_reviews_is_refused(tmp_path):
    path = tmp_path / "aclImdb_v1.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(UntrustedFile) as error:
        imdb._from_upstream(path, "train")
    assert str(error.value) == (
        f"{path} has md5 e7870f97196c5a5a5bc170081adb83fc, expected 7c2ac02c03563afcf9b574c7e56c153a: "
        "delete it and fetch it again."
    )


def test_reviews_are_read_from_the_published_archive(tmp_path):
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("test/pos/3_8.txt", "test/neg/0_1.txt", "train/pos/1_9.txt", "train/unsup/2_0.txt", "README"):
            entry = tarfile.TarInfo(f"aclImdb/{name}")
            entry.size = 4
            archive.addfile(entry, io.BytesIO("né.".encode()))
    with tarfile.open(path) as archive:
        assert list(imdb._members(archive, "test")) == [(3, 1, "né."), (0, 0, "né.")]
