import numpy as np
import pytest

import zoo
from zoo import loading, models, registry
from zoo.errors import UntrustedFile

HAR = ("bilstm.har", "gru.har", "lstm.har", "stacked_lstm.har")


@pytest.mark.parametrize("name", HAR)
def test_a_loaded_model_is_what_its_card_says(name):
    model, spec = zoo.load(name), zoo.describe(name)
    assert model.name == name
    assert model.count_params() == spec.parameters
    assert [tensor.name for tensor in model.inputs] == list(spec.signature.input_names)
    answer = np.asarray(model(np.zeros((2, spec.window, 9), "float32")))
    assert answer.shape == (2, len(spec.labels))
    assert np.isfinite(answer).all()


def test_two_loads_give_the_same_weights():
    for first, second in zip(zoo.load("gru.har").get_weights(), zoo.load("gru.har").get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_weights_that_do_not_fit_are_named_one_by_one():
    spec = registry.get("gru.har")
    wider = models.build(spec.family, {**spec.config, "classes": 7}, name="gru.wider")
    path = registry.file("gru.har", loading.WEIGHTS)
    with pytest.raises(UntrustedFile) as error:
        loading.load_weights(wider, path)
    units = spec.config["units"][-1]
    assert str(error.value) == (
        f"{path} does not fit model 'gru.wider': the file lacks logits/kernel [{units}, 7], logits/bias [7]; "
        f"it holds besides: layers/dense/vars/0 [{units}, 6], layers/dense/vars/1 [6]."
    )


def test_a_truncated_weights_file_is_refused(tmp_path):
    spec = registry.get("gru.har")
    path = tmp_path / "model.weights.h5"
    path.write_bytes(registry.file("gru.har", loading.WEIGHTS).read_bytes()[:2000])
    with pytest.raises(UntrustedFile) as error:
        loading.load_weights(models.build(spec.family, spec.config), path)
    assert str(error.value).startswith(f"{path} is not a readable weights file (")
    assert str(error.value).endswith("). Fetch it again.")
