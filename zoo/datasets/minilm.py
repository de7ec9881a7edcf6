"""all-MiniLM-L6-v2: the weights and the word pieces of a transformer of 22.7 M parameters that others pretrained.

English, not cased; pretrained on running text and on a billion pairs of sentences, none of them labelled with a
sentiment. Licence: Apache 2.0. Source: Wang et al. 2020, arXiv:2002.10957; huggingface.co/sentence-transformers.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from zoo.datasets.base import RemoteFile, download

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONFIG = {"vocabulary": 30_522, "positions": 512, "width": 384, "heads": 12, "hidden": 1536, "blocks": 6}
_ADDRESS = (
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
)
_WEIGHTS = RemoteFile(
    f"{_ADDRESS}/model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
)
_PIECES = RemoteFile(f"{_ADDRESS}/tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037")
_LONGEST = 128


@cache
def tokenizer() -> "Tokenizer":
    """Word pieces in lower case between [CLS] and [SEP], at most 128 of them; 0 is padding."""
    from zoo.features import text

    found = text.load(download(_PIECES))
    found.no_padding()
    found.enable_truncation(_LONGEST)
    return found


def tensors() -> dict[str, np.ndarray]:
    """The weights by their names in the file."""
    from safetensors.numpy import load_file

    return load_file(download(_WEIGHTS))
