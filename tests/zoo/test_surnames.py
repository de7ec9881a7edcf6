import numpy as np
import pytest

from tests.real_data import needs_data
from zoo import models
from zoo.datasets import Split, surnames
from zoo.recipes.sampling import balanced, masked


@needs_data
def test_no_spelling_is_in_two_parts_and_every_line_is_in_one():
    spellings = [{name for name, _ in part} for part in surnames.parts()]
    assert sum(len(part) for part in surnames.parts()) == 20_050
    assert not spellings[0] & spellings[1] and not spellings[0] & spellings[2] and not spellings[1] & spellings[2]
    shares = [len(part) / 20_050 for part in surnames.parts()]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.01)


@needs_data
def test_every_language_is_in_every_part():
    for part in surnames.parts():
        assert {label for _, label in part} == set(range(len(surnames.LABELS)))


@needs_data
def test_the_tokens_spell_the_surname():
    splits, (name, _) = surnames.load(), surnames.parts()[2][0]
    characters = {index: token for token, index in surnames.tokenizer().get_vocab().items()}
    assert "".join(characters[index] for index in splits.test.x[0] if index) == name.lower()


def test_balanced_drawing_makes_classes_equally_frequent():
    split = Split(np.arange(1000), np.repeat([0, 1], [900, 100]))
    rng = np.random.default_rng(0)
    assert abs(balanced(rng, split).y.mean() - 0.5) < 0.06
    drawn = balanced(rng, split)
    np.testing.assert_array_equal(drawn.y, split.y[drawn.x])


def test_masking_makes_a_share_of_the_tokens_unknown_and_leaves_padding():
    tokens = np.tile(np.array([5, 6, 7, 0], "int32"), (1000, 1))
    found = masked(np.random.default_rng(0), tokens, 0.2)
    assert abs((found[:, :3] == 1).mean() - 0.2) < 0.03 and not found[:, 3].any()
    np.testing.assert_array_equal(found[found > 1], tokens[found > 1])


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_padding_changes_no_answer(pooling):
    config = {"recurrence": "lstm", "units": [3, 4], "bidirectional": True, "pooling": pooling,
        "vocabulary": 9, "embedding": 5, "classes": 2}  # fmt: skip
    model = models.build("text_classifier", config)
    tokens = np.array([[3, 4, 8, 0, 0, 0], [1, 2, 3, 4, 5, 6]], "int32")
    alone = np.asarray(model(tokens[:1, :3]))
    np.testing.assert_allclose(np.asarray(model(tokens))[:1], alone, atol=1e-6)
