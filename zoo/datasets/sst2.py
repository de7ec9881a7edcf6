"""SST-2: 9,613 sentences of film reviews, for or against (Stanford Sentiment Treebank, sentences alone, no phrases).

Official split: 6,920 to train on, 872 to validate, 1,821 to test. The treebank parts clitics from their words
("does n't"); they are joined again here, so that the tokens are those of running text.
"""

import gzip
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zoo.datasets import imdb, minilm
from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.features import text
from zoo.spec import DatasetRef

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LABELS = imdb.LABELS
_ADDRESS = "https://raw.githubusercontent.com/clairett/pytorch-sentiment-classification/master/data/SST2"
_SHA256 = {  # of the mirror's packed file, of the file itself
    "train": (
        "6bd7ceeeb9eac01b55c854be40e71bdf4c54849638217b8b4fc2408bf17843af",
        "ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920",
    ),
    "dev": (
        "190402b0a0144b832cd9bd994dc693cff2f6aee24c22a5437938fc3564d51d33",
        "eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359",
    ),
    "test": (
        "e33b978bf9561af553946a8e7f30f945c46ca74a0c1e44c7b5a4cfc17ce22db3",
        "831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7",
    ),
}
_PARTED = re.compile(r" (n't|'(?:s|re|ve|ll|d|m))\b")


def read(part: str) -> list[tuple[str, int]]:
    """(sentence, label) of "train", "dev" or "test"."""
    packed, plain = _SHA256[part]
    mirror = mirrored("sst2", f"{part}.tsv.gz", packed)
    if mirror:
        content = gzip.decompress(mirror.read_bytes())
    else:
        content = download(RemoteFile(f"{_ADDRESS}/{part}.tsv", plain)).read_bytes()
    return parse(content.decode("utf-8").splitlines())


def parse(lines: Iterable[str]) -> list[tuple[str, int]]:
    """
    >>> parse(["it does n't work , it 's dull .\\t0"])
    [("it doesn't work , it's dull .", 0)]
    """
    rows = (line.split("\t") for line in lines)
    return [(_PARTED.sub(r"\1", sentence), int(label)) for sentence, label in rows]


def load() -> Splits:
    """x int32 [N, T], the tokens of IMDb, padded with 0; y int32 [N], an index into `LABELS`."""
    return _splits(imdb.tokenizer())


def load_pieces() -> Splits:
    """The same with the word pieces of MiniLM as tokens."""
    return _splits(minilm.tokenizer())


def _splits(tokenizer: "Tokenizer") -> Splits:
    return Splits(*(_split(tokenizer, read(part)) for part in ("train", "dev", "test")))


def _split(tokenizer: "Tokenizer", part: list[tuple[str, int]]) -> Split:
    sentences, labels = zip(*part, strict=True)
    return Split(text.encode(tokenizer, sentences), np.array(labels, "int32"))


_REF = DatasetRef(
    name="sst2",
    title="Stanford Sentiment Treebank, two classes, sentences",
    url="https://nlp.stanford.edu/sentiment/",
    licence="no explicit licence; research use",
    citation="Socher, Perelygin, Wu, Chuang, Manning, Ng, Potts: Recursive Deep Models for Semantic "
    "Compositionality Over a Sentiment Treebank, EMNLP 2013",
)
DATASET = Dataset(_REF, LABELS, load, imdb.tokenizer)
PIECES = Dataset(replace(_REF, name="sst2_pieces"), LABELS, load_pieces, minilm.tokenizer)
