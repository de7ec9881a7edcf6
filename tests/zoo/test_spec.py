import dataclasses
import json

import pytest

from zoo.errors import InvalidInput
from zoo.spec import ModelSpec, Signature, TensorSpec, from_json, to_json


def test_a_card_survives_the_round_trip_through_json(card):
    assert from_json(ModelSpec, to_json(card)) == card


def test_json_is_what_the_standard_library_reads(card):
    assert json.loads(to_json(card))["signature"]["inputs"][0]["shape"] == [None, None, 9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": None}, "ModelSpec.seed must be int, not NoneType (None)."),
        ({"seed": True}, "ModelSpec.seed must be int, not bool (True)."),
        ({"labels": ["walking", 3]}, "ModelSpec.labels[1] must be str, not int (3)."),
        ({"files": {"a": 1}}, "ModelSpec.files.a must be str, not int (1)."),
        ({"colour": "red"}, "ModelSpec has no field 'colour'; its fields are "),
    ],
)
def test_a_card_with_a_wrong_field_is_refused_by_its_place(card, change, message):
    raw = {**json.loads(to_json(card)), **change}
    with pytest.raises(InvalidInput) as error:
        from_json(ModelSpec, json.dumps(raw))
    assert str(error.value).startswith(message)


def test_a_card_without_a_field_says_which(card):
    raw = json.loads(to_json(card))
    del raw["recipe"]
    with pytest.raises(InvalidInput, match=r"^ModelSpec lacks the field 'recipe'\.$"):
        from_json(ModelSpec, json.dumps(raw))


def test_text_that_is_not_json_is_refused():
    with pytest.raises(InvalidInput, match=r"^Not JSON: Expecting value: line 1 column 1 \(char 0\)\.$"):
        from_json(ModelSpec, "nonsense")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "gru"}, "Model name 'gru' must read architecture.tag, for example 'gru.har'."),
        ({"architecture": "lstm"}, "Model 'gru.har' says architecture 'lstm'; name and card must agree."),
        ({"scores": ()}, "Model 'gru.har' has no score; a card without evidence is not shipped."),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(card, change, message):
    with pytest.raises(InvalidInput) as error:
        dataclasses.replace(card, **change)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("x", "float128", (1,), ("batch",)),
            "Tensor 'x' has dtype 'float128'; use one of float32, float16, int8, int32, int64, bool.",
        ),
        (("x", "float32", (1, 2), ("batch",)), "Tensor 'x' has 2 sizes but 1 axis names."),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(InvalidInput) as error:
        TensorSpec(*arguments)
    assert str(error.value) == message


def test_names_of_a_signature_are_in_order(card):
    (frames,), (logits,) = card.signature.inputs, card.signature.outputs
    signature = Signature((frames, logits), (logits,))
    assert (signature.input_names, signature.output_names) == (("frames", "logits"), ("logits",))
