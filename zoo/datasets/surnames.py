"""Surnames by nationality: 20,050 surnames of 18 languages, very uneven (Russian 9,384, Vietnamese 73).

No split is given. Here each different surname, however many languages list it, falls into one part by the sha256 of
its spelling: about 80 % train, 10 % validation, 10 % test. Surnames that several languages share cap any score.
"""

import hashlib
import unicodedata
import zipfile
from collections.abc import Sequence
from functools import cache

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.features import text as texts
from zoo.spec import DatasetRef

_SHA256 = {
    "Arabic": "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
    "Chinese": "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
    "Czech": "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
    "Dutch": "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
    "English": "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
    "French": "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
    "German": "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
    "Greek": "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
    "Irish": "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
    "Italian": "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
    "Japanese": "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
    "Korean": "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
    "Polish": "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
    "Portuguese": "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
    "Russian": "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
    "Scottish": "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
    "Spanish": "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
    "Vietnamese": "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
}
LABELS = tuple(_SHA256)
_ADDRESS = "https://raw.githubusercontent.com/spro/practical-pytorch/master/data/names"
MIRROR = ("names", "names.zip", "9cc8ec098cdfd7cb9e1b5620342bb89c13276d384f5e99410e19b79601b19bbc")
_PARTS = (range(8), range(8, 9), range(9, 10))  # tenths of the hash: train, validation, test


@cache
def parts() -> tuple[list[tuple[str, int]], ...]:
    """(surname, index into `LABELS`) of train, validation and test."""
    named = [(name, index) for index, names in enumerate(_read()) for name in names]
    tenth = [int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 for name, _ in named]
    return tuple([item for item, place in zip(named, tenth, strict=True) if place in part] for part in _PARTS)


def _read() -> list[list[str]]:
    lines = [content.decode("utf-8").split("\n") for content in _files()]
    return [[unicodedata.normalize("NFC", name.strip()) for name in found if name.strip()] for found in lines]


def _files() -> list[bytes]:
    """The bytes of each label's file."""
    mirror = mirrored(*MIRROR)
    if mirror is None:
        return [download(RemoteFile(f"{_ADDRESS}/{label}.txt", sha)).read_bytes() for label, sha in _SHA256.items()]
    with zipfile.ZipFile(mirror) as archive:
        return [archive.read(f"names/{label}.txt") for label in LABELS]


@cache
def tokenizer() -> "texts.Tokenizer":
    return texts.of_characters((name for name, _ in parts()[0]), at_least=5)


def load() -> Splits:
    """x int32 [N, T], a token a character, padded with 0; y int32 [N], an index into `LABELS`."""
    return Splits(*map(_split, parts()))


def _split(part: Sequence[tuple[str, int]]) -> Split:
    names, labels = zip(*part, strict=True)
    return Split(texts.encode(tokenizer(), names), np.array(labels, "int32"))


DATASET = Dataset(
    DatasetRef(
        name="names",
        title="Surnames of 18 languages",
        url="https://github.com/spro/practical-pytorch",
        licence="MIT (the repository that holds the lists; where they come from is not documented)",
        citation="S. Robertson: practical-pytorch, Classifying Names with a Character-Level RNN",
    ),
    LABELS,
    load,
    tokenizer,
)
