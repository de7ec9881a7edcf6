"""Tiny Shakespeare: 1,115,394 characters of plays, as one text.

The last tenth is the test split, the first twentieth validation: training reads up to where the test begins, in the
middle of a play, as that of the published number does. The text is never shuffled, so a model that carries its state
reads every part as it was written.
"""

import gzip
from functools import cache

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.features import vocabulary
from zoo.spec import DatasetRef

FILE = RemoteFile(
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
MIRROR = ("tinyshakespeare", "input.txt.gz", "13125fe8f49092165d7d489e3944db52d1ba546e64a60080cc9523bcd0c5e46a")


@cache
def parts() -> tuple[str, str, str]:
    """The texts of train, validation and test, each without a gap."""
    mirror = mirrored(*MIRROR)
    content = gzip.decompress(mirror.read_bytes()) if mirror else download(FILE).read_bytes()
    text = content.decode("ascii")
    first, second = len(text) // 20, len(text) * 9 // 10
    return text[first:second], text[:first], text[second:]


@cache
def tokenizer() -> "vocabulary.Tokenizer":
    return vocabulary.characters(parts()[0])


def load() -> Splits:
    """x int32 [1, N], the characters of a part; y int32 [1, N], at each place the character that follows."""
    return Splits(*map(_split, parts()))


def _split(text: str) -> Split:
    tokens = np.array(tokenizer().encode(text).ids, "int32")[None]
    return Split(tokens[:, :-1], tokens[:, 1:])


DATASET = Dataset(
    DatasetRef(
        name="tiny_shakespeare",
        title="Tiny Shakespeare",
        url="https://github.com/karpathy/char-rnn",
        licence="public domain (the plays)",
        citation="A. Karpathy: char-rnn, 2015",
    ),
    (),
    load,
    tokenizer,
)
