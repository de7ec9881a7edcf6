"""The tokens of a review: words in lower case, marks of a film ("7/10") and runs of marks whole, `<br />` a blank.

Every character that is not blank is in some token, so only blank text has none.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zoo.features.text import PAD, UNKNOWN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKEN = r"\d+/\d+|[^\W_]+(?:['’][^\W_]+)*|[!?.]+|[^\w\s]|_"


def of_words(texts: Iterable[str], *, size: int) -> "Tokenizer":
    """A token for each of the `size` - 2 most frequent words of `texts`; all others are unknown.

    >>> of_words(["A film. A FILM!<br />10/10"], size=5).encode("a film 10/10").tokens
    ['a', 'film', '[UNK]']
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"<br */?>"), " "), normalizers.NFC(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_TOKEN), "removed", invert=True)
    tokenizer.train_from_iterator(
        texts, trainers.WordLevelTrainer(vocab_size=size, special_tokens=[PAD, UNKNOWN], show_progress=False)
    )
    return tokenizer
