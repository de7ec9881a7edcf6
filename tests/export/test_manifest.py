"""The manifest: JSON both ways, inside a file and beside it, and the hashes it records."""

import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest

from export import manifest
from export.manifest import Bundle, Manifest, Parity
from tests.export import handmade
from zoo.errors import UntrustedFile
from zoo.spec import Signature

DRAFT = Manifest(
    "gru.har", "onnx", Signature((handmade.FRAMES,), (handmade.SCORES,)), labels=("walk", "sit"), sample_rate=50.0
)


def test_an_embedded_manifest_reads_back_as_it_was():
    assert manifest.parse(manifest.embedded(DRAFT), "here") == DRAFT
    assert manifest.from_onnx({"recurrent_zoo": manifest.embedded(DRAFT)}, "here") == DRAFT


def test_a_file_without_our_key_has_no_manifest():
    assert manifest.from_onnx({"author": "someone"}, "here") is None


def test_the_parity_is_completed_in_place_and_no_other_byte_changes(tmp_path):
    path = tmp_path / "m.bin"
    before = b"\x00head" + manifest.embedded(DRAFT).encode() + b"tail\xff"
    path.write_bytes(before)
    manifest.embed_parity(path, DRAFT, Parity(1.2345678901234567e-07, 0.0001))
    after = path.read_bytes()
    assert (len(after), after[:5], after[-5:]) == (len(before), before[:5], before[-5:])
    assert manifest.parse(after[5:-5].decode(), "here") == dataclasses.replace(
        DRAFT, parity=Parity(1.2345678901234567e-07, 0.0001)
    )


def test_metadata_that_do_not_parse_are_refused():
    with pytest.raises(UntrustedFile) as error:
        manifest.parse('{"name": 3}', "m.onnx")
    assert str(error.value) == (
        "m.onnx holds metadata under 'recurrent_zoo' that does not parse: Manifest lacks the field 'format'."
    )


def test_manifest_json_holds_the_sha256_of_every_file_and_leaves_nothing_else(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"abc")
    (tmp_path / "saved_model" / "variables").mkdir(parents=True)
    (tmp_path / "saved_model" / "variables" / "v").write_bytes(b"def")
    files = [manifest.tree_sha256(tmp_path / name) for name in ("model.onnx", "saved_model")]
    bundle = Bundle("gru.har", tuple(dataclasses.replace(DRAFT, files=found) for found in files))
    manifest.write(tmp_path, bundle)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "model.onnx", "saved_model"]
    assert manifest.read(tmp_path) == bundle
    raw = json.loads((tmp_path / "manifest.json").read_text())
    assert raw["artifacts"][1]["files"] == {"saved_model/variables/v": hashlib.sha256(b"def").hexdigest()}
    manifest.verify(tmp_path, bundle.files)


def test_one_file_has_its_own_sha256_and_a_folder_that_of_its_list():
    listed = b"1  a\n2  b\n"
    assert manifest.combined({"a": "1"}) == "1"
    assert manifest.combined({"b": "2", "a": "1"}) == hashlib.sha256(listed).hexdigest()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"m.onnx": "0" * 64},
            "{folder}/m.onnx has sha256 ba7816bf8f01…, but 000000000000… was recorded for it: "
            "it was changed or cut short. Fetch or export it again.",
        ),
        (
            {"lost.onnx": "0" * 64},
            "{folder}/lost.onnx is missing, though the manifest lists it. Fetch or export it again.",
        ),
        ({"../m.onnx": "0" * 64}, "The manifest of {folder} names '../m.onnx', which lies outside that folder."),
        ({"/etc/hosts": "0" * 64}, "The manifest of {folder} names '/etc/hosts', which lies outside that folder."),
    ],
)
def test_a_file_that_is_altered_missing_or_outside_is_refused(tmp_path, files, message):
    (tmp_path / "m.onnx").write_bytes(b"abc")
    with pytest.raises(UntrustedFile) as error:
        manifest.verify(tmp_path, files)
    assert str(error.value) == message.format(folder=tmp_path)


def test_a_broken_manifest_json_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UntrustedFile) as error:
        manifest.read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/manifest.json is not a manifest: Not JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1). Export the model again."
    )


def test_the_manifest_needs_neither_keras_nor_tensorflow():
    code = "import sys; sys.modules.update(tensorflow=None, keras=None); import export.manifest"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_nesting_without_end_is_refused():
    with pytest.raises(UntrustedFile) as error:
        manifest.parse("[" * 100_000, "a.onnx")
    assert str(error.value) == (
        "a.onnx holds metadata under 'recurrent_zoo' that does not parse: "
        "Not JSON that this project wrote: it is nested too deeply."
    )


def test_what_lies_beside_a_file_is_told_from_the_files_of_others(tmp_path):
    assert manifest.recorded(tmp_path) == {}
    (tmp_path / "card.json").write_text('{"name": "the card of another program"}')
    assert manifest.recorded(tmp_path) == {}
    (tmp_path / "card.json").write_text('{"multiply_adds_per_step": 1')  # cut short
    with pytest.raises(UntrustedFile) as error:
        manifest.recorded(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/card.json is not a card: Not JSON: Expecting ',' delimiter: line 1 column 29 (char 28). "
        "Fetch it again."
    )
    (tmp_path / "manifest.json").write_text('{"short_name": "a page of the web"}')
    assert manifest.recorded(tmp_path) == {}
    (tmp_path / "manifest.json").write_text("")  # as a full disk leaves it
    with pytest.raises(UntrustedFile) as error:
        manifest.recorded(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/manifest.json is not a manifest: Not JSON: Expecting value: line 1 column 1 (char 0). "
        "Export the model again."
    )
