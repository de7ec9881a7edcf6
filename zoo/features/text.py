"""Text to token ids, the same in training and in serving: the `tokenizers` library and its files."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InvalidInput, UntrustedFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, UNKNOWN = "[PAD]", "[UNK]"
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}
_PICTURES |= dict.fromkeys(range(128, 160), 0xFFFD)


def load(path: Path) -> "Tokenizer":
    """The tokenizer in a `tokenizer.json`. Raises UntrustedFile for a file that holds none."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise UntrustedFile(f"{path} is not a tokenizer file ({error}). Reinstall the package.") from error


def of_characters(texts: Iterable[str], *, at_least: int = 1) -> "Tokenizer":
    """One token a character that `texts` hold `at_least` so often, in lower case and composed form (NFC), most frequent
    first; all others are unknown.

    >>> of_characters(["Ann", "Bo"]).encode("Nano").ids
    [2, 3, 2, 5]
    """
    from collections import Counter

    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    counts = Counter("".join(unicodedata.normalize("NFC", text.lower()) for text in texts))
    kept = (character for character, count in counts.items() if count >= at_least)
    ranked = sorted(kept, key=lambda character: (-counts[character], character))
    vocabulary = {token: index for index, token in enumerate((PAD, UNKNOWN, *ranked))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.NFC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return tokenizer


def encode(tokenizer: "Tokenizer", texts: Sequence[str]) -> np.ndarray:
    """int32 [N, T], T that of the longest text, padded with 0. Raises InvalidInput for a text that has no token."""
    rows = [item.ids for item in tokenizer.encode_batch([checked(text) for text in texts])]
    for text, row in zip(texts, rows, strict=True):
        if not row:
            raise InvalidInput(f"The text {text!r} is empty: give at least one character that is not blank.")
    padded = np.zeros((len(rows), max(map(len, rows))), "int32")
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def several(raw: Any, what: str) -> list[Any]:
    """A text as a list of one; a list of texts as it is. Raises InvalidInput for anything else, and for no text."""
    if isinstance(raw, str):
        return [raw]
    if not isinstance(raw, Iterable):
        raise InvalidInput(f"Give a text, or a list of texts, not {type(raw).__name__}.")
    given = list(raw)
    if not given:
        raise InvalidInput(f"There is no {what}: give at least one.")
    return given


def checked(text: str) -> str:
    """`text` without blanks around it. Raises InvalidInput for what is no text."""
    return unicode(text).strip()


def printable(text: str) -> str:
    """`text` with control characters as pictures of them, one for one, so that a terminal obeys none.

    >>> printable("bad\\x1b[31m film")
    'bad␛[31m film'
    """
    return text.translate(_PICTURES)


def unicode(text: str) -> str:
    """`text` as it is. Raises InvalidInput for what is no text."""
    if not isinstance(text, str):
        raise InvalidInput(f"A text must be str, not {type(text).__name__}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(f"The text is not valid Unicode ({error.reason} at character {error.start}).") from error
    return text
