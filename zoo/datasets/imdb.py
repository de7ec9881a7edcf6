"""IMDb: 50,000 film reviews, half of them for, half against (Large Movie Review Dataset v1.0, the labelled part).

The official split: 25,000 to train on, 25,000 to test on. Validation: the reviews of every tenth number of the training
part, of both labels.
"""

import hashlib
import json
import lzma
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.errors import UntrustedFile
from zoo.features import reviews, text
from zoo.spec import DatasetRef

LABELS = ("negative", "positive")
VOCABULARY = 15_000
_MIRROR = {
    "train": "2fd2ed2e25d9582a4424b7f2ab50c70c4ad0e8bf5b51f683e49eb7db724ce1a1",
    "test": "2e3cdd8f929eb4080b4f8a582ae429416fec561ab126db6c6fcf8511fcf3da12",
}
_REMOTE = RemoteFile("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz", None)
_MD5 = "7c2ac02c03563afcf9b574c7e56c153a"  # the sum the data set is known by
Review = tuple[int, int, str]  # number within its label, label, text


@cache
def read(part: str) -> list[Review]:
    """The reviews of "train" or "test", in the order of label and number."""
    mirror = mirrored("imdb", f"{part}.jsonl.xz", _MIRROR[part])
    found = _from_mirror(mirror) if mirror else _from_upstream(download(_REMOTE), part)
    return sorted(found, key=lambda review: (review[1], review[0]))


def _from_mirror(path: Path) -> list[Review]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["id"], row["label"], row["text"]) for row in rows]


def _from_upstream(path: Path, part: str) -> list[Review]:
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if digest != _MD5:
        raise UntrustedFile(f"{path} has md5 {digest}, expected {_MD5}: delete it and fetch it again.")
    with tarfile.open(path) as archive:
        return list(_members(archive, part))


def _members(archive: tarfile.TarFile, part: str) -> Iterator[Review]:
    """Files are named aclImdb/PART/pos/NUMBER_RATING.txt."""
    labels = {"neg": 0, "pos": 1}
    for member in archive:
        _, *where, name = member.name.split("/")
        if len(where) == 2 and where[0] == part and where[1] in labels and name.endswith(".txt"):
            file = archive.extractfile(member)
            assert file is not None  # a regular file has content
            yield int(name.partition("_")[0]), labels[where[1]], file.read().decode("utf-8")


def training_texts() -> list[str]:
    """What the tokenizer and the word vectors are learned from: validation reviews are left out."""
    return [content for number, _, content in read("train") if number % 10]


@cache
def tokenizer() -> "reviews.Tokenizer":
    return reviews.of_words(training_texts(), size=VOCABULARY)


@cache
def load() -> Splits:
    """x int32 [N, T], a token a word, padded with 0; y int32 [N], an index into `LABELS`."""
    train = read("train")
    kept = [review for review in train if review[0] % 10]
    held_out = [review for review in train if not review[0] % 10]
    return Splits(_split(kept), _split(held_out), _split(read("test")))


def _split(part: list[Review]) -> Split:
    tokens = text.encode(tokenizer(), [content for *_, content in part])
    return Split(tokens, np.array([label for _, label, _ in part], "int32"))


DATASET = Dataset(
    DatasetRef(
        name="imdb",
        title="Large Movie Review Dataset (IMDb)",
        url="https://ai.stanford.edu/~amaas/data/sentiment/",
        licence="no formal licence; free for research with citation",
        citation="Maas, Daly, Pham, Huang, Ng, Potts: Learning Word Vectors for Sentiment Analysis, ACL 2011",
    ),
    LABELS,
    load,
    tokenizer,
)
