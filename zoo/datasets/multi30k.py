"""Multi30k, task 1: captions of photographs in English with translations into German, both directions.

29,000 pairs train, 1,014 validation, 1,000 of 2016 test; the 1,000 of 2017 are a second test (`test_2017`). One
vocabulary of subwords serves both languages.
"""

import gzip
from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.features import vocabulary
from zoo.spec import DatasetRef

VOCABULARY = 4000
LONGEST = 60  # subwords of a training sentence
_ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
_SHA256 = {
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2017_flickr.de": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    "test_2017_flickr.en": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
}


@cache
def lines(part: str, language: str) -> tuple[str, ...]:
    """The sentences of `part` ("train", "val", "test_2016_flickr", "test_2017_flickr") in "en" or "de"."""
    name = f"{part}.{language}"
    mirror = mirrored("multi30k", f"{name}.gz", _SHA256[name])
    path = mirror or download(RemoteFile(f"{_ADDRESS}/{name}.gz", _SHA256[name]))
    return tuple(
        line.strip() for line in gzip.decompress(path.read_bytes()).decode("utf-8").split("\n") if line.strip()
    )


@cache
def tokenizer() -> "vocabulary.Tokenizer":
    return vocabulary.byte_pairs([*lines("train", "en"), *lines("train", "de")], VOCABULARY)


def load(source: str, target: str) -> Splits:
    """x {"source": int32 [N, S], "target": int32 [N, T]}, y int32 [N, T], texts [N]: the translations as written.

    The source ends with `[EOS]`; the target begins with `[BOS]`, and y is the target a step on, with `[EOS]` behind it.
    """
    train = _split("train", source, target)
    short = (train.x["source"][:, LONGEST:] == 0).all(1) & (train.x["target"][:, LONGEST:] == 0).all(1)
    return Splits(train.take(short), _split("val", source, target), _split("test_2016_flickr", source, target))


def test_2017(source: str, target: str) -> Split:
    return _split("test_2017_flickr", source, target)


def _split(part: str, source: str, target: str) -> Split:
    read, written = _tokens(lines(part, source)), _tokens(lines(part, target))
    x = {
        "source": _padded([[*row, vocabulary.END_TOKEN] for row in read]),
        "target": _padded([[vocabulary.START_TOKEN, *row] for row in written]),
    }
    y = _padded([[*row, vocabulary.END_TOKEN] for row in written], padding=-1)
    return Split(x, y, texts=np.array(lines(part, target), object))


def _tokens(sentences: Sequence[str]) -> list[list[int]]:
    return [item.ids for item in tokenizer().encode_batch(list(sentences))]


def _padded(rows: Sequence[Sequence[int]], padding: int = 0) -> np.ndarray:
    padded = np.full((len(rows), max(map(len, rows))), padding, "int32")
    for row, tokens in zip(padded, rows, strict=True):
        row[: len(tokens)] = tokens
    return padded


def _dataset(source: str, target: str) -> Dataset:
    title = {"en": "English", "de": "German"}
    return Dataset(
        DatasetRef(
            name=f"multi30k_{source}_{target}",
            title=f"Multi30k, {title[source]} to {title[target]}",
            url="https://github.com/multi30k/dataset",
            licence="non-commercial research and education (the terms of Flickr30k); no licence file",
            citation="Elliott, Frank, Sima'an & Specia: Multi30K, VL 2016; Elliott et al., WMT 2017",
        ),
        (),
        partial(load, source, target),
        tokenizer,
        {"test_2017": partial(test_2017, source, target)},
    )


DATASETS = (_dataset("en", "de"), _dataset("de", "en"))
