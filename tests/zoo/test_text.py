import numpy as np
import pytest

from zoo.errors import InvalidInput, UntrustedFile
from zoo.features import text


@pytest.fixture(scope="module")
def tokenizer():
    return text.of_characters(["Ann", "Bo", "Zoë", "a b"])


def test_a_batch_is_padded_to_its_longest_text_with_token_0(tokenizer):
    ids = tokenizer.get_vocab()
    expected = [[ids["b"], ids["o"], 0, 0], [ids["a"], ids["n"], ids["n"], ids["a"]]]
    np.testing.assert_array_equal(text.encode(tokenizer, ["Bo", "anna"]), expected)


def test_case_blanks_around_and_the_form_of_an_accent_do_not_matter(tokenizer):
    rows = text.encode(tokenizer, ["Zoë", "zoë", "  ZOE\u0308\n"])
    np.testing.assert_array_equal(rows, rows[:1].repeat(3, 0))


@pytest.mark.parametrize("odd", ["🙂", "ش", "\x07", "\u202e", "\ufeff"])
def test_a_character_never_seen_is_the_unknown_token(tokenizer, odd):
    ids = tokenizer.get_vocab()
    assert text.encode(tokenizer, [f"a{odd}b"])[0].tolist() == [ids["a"], 1, ids["b"]]


def test_a_rare_character_is_unknown_too():
    assert text.of_characters(["aab", "a"], at_least=2).encode("ab").ids == [2, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "The text '' is empty: give at least one character that is not blank."),
        (" \n", "The text ' \\n' is empty: give at least one character that is not blank."),
        (3, "A text must be str, not int."),
        ("a\udcff", "The text is not valid Unicode (surrogates not allowed at character 1)."),
    ],
)
def test_what_is_no_text_is_refused(tokenizer, given, message):
    with pytest.raises(InvalidInput) as error:
        text.encode(tokenizer, ["Ann", given])
    assert str(error.value) == message


def test_one_text_is_a_list_of_one():
    assert (text.several("a", "text"), text.several(("a", "b"), "text")) == (["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "Give a text, or a list of texts, not NoneType."),
        ([], "There is no text: give at least one."),
    ],
)
def test_what_is_no_list_of_texts_is_refused(given, message):
    with pytest.raises(InvalidInput) as error:
        text.several(given, "text")
    assert str(error.value) == message


def test_a_tokenizer_comes_back_from_its_file(tokenizer, tmp_path):
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = text.load(tmp_path / "tokenizer.json")
    assert found.encode("Zoë Ann").ids == tokenizer.encode("Zoë Ann").ids


def test_a_truncated_tokenizer_file_is_refused(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_str()[:100])
    with pytest.raises(UntrustedFile) as error:
        text.load(path)
    assert str(error.value).startswith(f"{path} is not a tokenizer file (")
    assert str(error.value).endswith("). Reinstall the package.")
