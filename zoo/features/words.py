"""Words and their characters, the same in training and in serving: a splitter for raw English text, and codes.

The splitter follows the English Web Treebank (Universal Dependencies): punctuation and hyphens stand alone, clitics
(n't, 's, 're, 've, 'll, 'd, 'm) are words; numbers, addresses, abbreviations, emoticons and runs of a mark stay whole.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InvalidInput
from zoo.features import text as texts
from zoo.features.text import PAD, UNKNOWN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHARACTERS = 110  # codes of a character: 0 padding, 1 and 2 the ends of a word, 3 to 97 ASCII, then classes of Unicode
WIDTH = 16  # codes of a word: a longer word keeps its first and its last characters
_FIRST, _LAST, _ASCII = 1, 2, 3
_CLASSES = {"Lu": 98, "Lt": 98, "Ll": 99, "Lm": 100, "Lo": 100, "Nd": 101, "Nl": 101, "No": 101, "Sc": 102, "Sm": 103,
    "So": 104, "Sk": 105, "Mn": 106, "Mc": 106, "Me": 106, "Cf": 107, "Cc": 108}  # fmt: skip
_PUNCTUATION = 109  # and whatever has no class above

_CLITIC = r"(?i:n['’]t|['’](?:s|re|ve|ll|d|m))"
_ABBREVIATION = (
    r"(?:(?:[A-Za-z]\.){2,}|[A-Z]\.(?=\s+[A-Z])|(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Inc|Corp|Co|Ltd|Gen|Sen|Rep|Gov|Lt|Col|Capt|Sgt|vs|etc|Mt|"
    r"No|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec|approx|Ave|Blvd)\.(?=\s+\S|\s*$))"
)
_TOKEN = re.compile(
    "|".join(
        (
            r"(?:https?://|www\.|mailto:)[^\s<>\"\]]+",
            r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
            r"[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|co|uk|de|info|htm|html|doc|pdf|xls|jpg|ppt)\b",
            r"[<>]?[:;=8][-'^o]?[)(\]\[DPp|/\\](?!\w)|<3|[)(][-']?[:;=](?!\w)|\^_\^|[xX]D\b",
            _ABBREVIATION,
            r"\d{1,4}(?:/\d{1,4}){1,2}|\d{3}-\d{3,4}(?:-\d{4})?|\d+(?:[.,:]\d+)+|[.,]\d+",
            r"\d+(?=(?:am|pm|AM|PM|km|kg|lb|lbs|mm|cm|ft|hrs?|yrs?|Hz|days?|[kKmMbB])\b)",
            r"(?i:anti|post|pre|re|non|co|mid|ex|e)-\w+",
            r"[^\W\d_]+?(?=(?i:n['’]t)\b)|(?i:do|did|does|is|was|has|have|could|would|should|ca|wo)(?=(?i:nt)\b)",
            _CLITIC + r"\b",
            r"[Cc][Aa][Nn](?=[Nn][Oo][Tt]\b)|[Gg]on(?=na\b)|[Ww]an(?=na\b)|[Gg]ot(?=ta\b)",
            r"[\w]+(?:\.[^\W\d_]{2,})*",
            r"[.?!]{2,}|([^\w\s])\1+",
            r"[^\w\s]",
        )
    )
)


@dataclass(frozen=True)
class Word:
    """`text` stands at the characters `start` to `end` of the text it comes from."""

    text: str
    start: int
    end: int


def split(text: str) -> list[Word]:
    """The words of `text`, punctuation among them, in order; blanks and control characters part words.

    >>> [word.text for word in split("I can't work part-time on U.S. files... :)")]
    ['I', 'ca', "n't", 'work', 'part', '-', 'time', 'on', 'U.S.', 'files', '...', ':)']
    """
    return [Word(found.group(), found.start(), found.end()) for found in _TOKEN.finditer(text)]


def normal(word: str) -> str:
    """What the vocabulary knows of a word: its lower case, each digit a 0.

    >>> normal("Nov-12")
    'nov-00'
    """
    return re.sub(r"[0-9]", "0", word.lower())


def of_words(vocabulary: Sequence[str]) -> "Tokenizer":
    """A token for each word of `vocabulary`, which is in normal form; all others are unknown."""
    from tokenizers import Regex, Tokenizer, models, normalizers

    numbered = {word: index for index, word in enumerate((PAD, UNKNOWN, *vocabulary))}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex("[0-9]"), "0")])
    return tokenizer


def raw(tokenizer: "Tokenizer") -> "Tokenizer":
    """The same tokenizer for running text, which it splits nearly as `split` does, and many times faster: good enough
    for counting."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    found = Tokenizer.from_str(tokenizer.to_str())
    pattern = r"[^\W_]+?(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b|[^\W_]+|([^\w\s])\1*"
    found.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return found


def encode(tokenizer: "Tokenizer", sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """Token ids int32 [N, T], one a word, T that of the longest sentence, padded with 0."""
    ids = np.zeros((len(sentences), max(map(len, sentences))), "int32")
    found = tokenizer.encode_batch([list(sentence) for sentence in sentences], is_pretokenized=True)
    for row, sentence, item in zip(ids, sentences, found, strict=True):
        row[: len(sentence)] = item.ids
    return ids


def characters(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """Codes int32 [N, T, WIDTH] of the words of each sentence, T that of the longest, padded with 0."""
    codes = np.zeros((len(sentences), max(map(len, sentences)), WIDTH), "int32")
    for row, sentence in zip(codes, sentences, strict=True):
        for place, word in zip(row, sentence, strict=False):
            found = spell(word)
            place[: len(found)] = found
    return codes


def spell(word: str) -> list[int]:
    """The codes of one word between the codes of its ends, at most WIDTH.

    >>> spell("Aé🙂")
    [1, 36, 99, 104, 2]
    """
    room = WIDTH - 2
    kept = word if len(word) <= room else word[: room // 2] + word[-room // 2 :]
    return [_FIRST, *map(_code, kept), _LAST]


def _code(character: str) -> int:
    place = ord(character) - ord(" ")
    if 0 <= place < 95:
        return _ASCII + place
    return _CLASSES.get(unicodedata.category(character), _PUNCTUATION)


def checked(words: Sequence[str]) -> list[str]:
    """The words of one sentence. Raises InvalidInput where there is none, or one that is blank or not Unicode."""
    given = texts.several(words, "word to tag")
    for word in given:
        if not isinstance(word, str) or not texts.checked(word):
            raise InvalidInput(f"A word must be text that is not blank, not {word!r}.")
        if len(word.split()) > 1:
            raise InvalidInput(f"{word!r} is more than a word: give a sentence as one text, or a list of its words.")
    return list(map(str, given))
