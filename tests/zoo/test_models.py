import numpy as np
import pytest

from zoo import models
from zoo.errors import InvalidInput, UnknownName
from zoo.layers import GRU, LSTM

GRU_CONFIG = {"recurrence": "gru", "units": [4, 5], "features": 3, "classes": 2}


def layer_types(model):
    return [type(layer) for layer in model.layers]


@pytest.mark.parametrize(("recurrence", "kind"), [("lstm", LSTM), ("gru", GRU)])
def test_a_classifier_is_built_from_our_layers(recurrence, kind):
    model = models.build("classifier", {**GRU_CONFIG, "recurrence": recurrence})
    assert layer_types(model).count(kind) == 2
    assert model.output_shape == (None, 2)


def test_both_directions_double_the_features_of_the_head():
    model = models.build("classifier", {**GRU_CONFIG, "bidirectional": True, "pooling": "mean"})
    assert model.get_layer("logits").kernel.shape == (10, 2)


def test_companding_shows_small_movements_beside_large_ones():
    config = {**GRU_CONFIG, "normalize": False, "compand": 10.0, "compand_features": 2}
    model = models.build("classifier", config)
    x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    seen = np.asarray(model.get_layer("companded")([x, np.asarray(model.get_layer("saturated")(10 * x[..., :2]))]))
    np.testing.assert_allclose(seen, np.concatenate([x, np.tanh(10 * x[..., :2])], -1), atol=1e-6)
    assert model.get_layer("gru_1").cell.kernel.shape == (5, 12)


def test_a_regressor_answers_one_value():
    config = {"recurrence": "simple_rnn", "units": [4], "features": 2, "normalize": False}
    assert models.build("regressor", config).output_shape == (None, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recurrence": "qrnn"}, "recurrence='qrnn' is unknown; use one of lstm, gru, simple_rnn."),
        ({"units": []}, "units=[] must hold one positive size for each layer."),
        ({"units": [4, 0]}, "units=[4, 0] must hold one positive size for each layer."),
        ({"pooling": "max"}, "pooling='max' is unknown; use 'last', 'mean' or 'each'."),
    ],
)
def test_a_config_that_cannot_be_built_says_which_setting(change, message):
    with pytest.raises(InvalidInput) as error:
        models.build("classifier", {**GRU_CONFIG, **change})
    assert str(error.value) == message


def test_an_unknown_setting_is_refused():
    with pytest.raises(InvalidInput, match=r"^The classifier config .* does not fit: .*'width'\.$"):
        models.build("classifier", {**GRU_CONFIG, "width": 3})


def test_an_unknown_family_gets_its_nearest():
    with pytest.raises(UnknownName) as error:
        models.build("clasifier", GRU_CONFIG)
    families = ", ".join(models.FAMILIES)
    assert str(error.value) == (
        f"Unknown model family 'clasifier'. Did you mean 'classifier'? The families are {families}."
    )
