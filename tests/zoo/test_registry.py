import shutil
import subprocess
import sys

import pytest

from zoo import registry
from zoo.errors import InvalidInput, UnknownName, UntrustedFile


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A registry of its own that holds a copy of gru.har."""
    shutil.copytree(registry.ROOT / "gru.har", tmp_path / "gru.har")
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    registry.get.cache_clear()
    yield tmp_path
    registry.get.cache_clear()


def test_a_misspelt_name_gets_its_nearest():
    with pytest.raises(UnknownName) as error:
        registry.get("bilstm.hra")
    count = len(registry.names())
    assert str(error.value) == (
        f"Unknown model 'bilstm.hra'. Did you mean 'bilstm.har'? Run `zoo list` to see all {count} names."
    )


def test_a_pattern_that_matches_nothing_says_so():
    with pytest.raises(UnknownName) as error:
        registry.names("*.nothing")
    known = len(registry.names())
    assert str(error.value) == f"No model matches '*.nothing'. Run `zoo list` to see all {known} names."


@pytest.mark.parametrize("name", ["../gru.har", "/gru.har", "gru.har/", ".."])
def test_a_name_never_leads_out_of_the_registry(name):
    with pytest.raises(UnknownName):
        registry.folder(name)


def test_deleting_the_folder_deletes_the_model(copied):
    assert registry.names() == ["gru.har"]
    shutil.rmtree(copied / "gru.har")
    with pytest.raises(UnknownName):
        registry.names()


def test_an_altered_file_is_refused_with_both_hashes(copied):
    path = copied / "gru.har" / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UntrustedFile) as error:
        registry.file("gru.har", "model.onnx")
    found, expected = (
        registry.hashlib.sha256(path.read_bytes()).hexdigest(),
        registry.get("gru.har").files["model.onnx"],
    )
    assert str(error.value) == f"{path} has sha256 {found}, its card says {expected}. Reinstall the package."


def test_a_missing_file_is_refused(copied):
    path = copied / "gru.har" / "model.onnx"
    path.unlink()
    with pytest.raises(UntrustedFile) as error:
        registry.file("gru.har", "model.onnx")
    assert str(error.value) == f"{path} is missing. Reinstall the package."


def test_a_file_the_card_does_not_know_is_refused():
    with pytest.raises(InvalidInput) as error:
        registry.file("gru.har", "card.json")
    assert str(error.value) == "Model 'gru.har' has no file 'card.json'; it has model.onnx, model.weights.h5."


def test_a_card_in_the_wrong_folder_is_refused(copied):
    (copied / "gru.har").rename(copied / "gru.other")
    with pytest.raises(UntrustedFile) as error:
        registry.get("gru.other")
    assert str(error.value) == (
        f"{copied / 'gru.other' / 'card.json'} describes 'gru.har': a folder and its card must bear the same name."
    )


def test_a_truncated_card_is_refused(copied):
    path = copied / "gru.har" / "card.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(UntrustedFile) as error:
        registry.get("gru.har")
    assert str(error.value).startswith(f"{path} is not a model card: Not JSON: ")
    assert str(error.value).endswith(" Reinstall the package.")


def test_names_and_cards_need_neither_tensorflow_nor_keras():
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "import zoo, zoo.errors, zoo.spec, zoo.features, zoo.registry, zoo.datasets\n"
        "print(zoo.list_models('*.har'), zoo.describe('gru.har').name)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer == "['bilstm.har', 'gru.har', 'lstm.har', 'stacked_lstm.har'] gru.har\n"
