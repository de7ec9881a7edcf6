"""Tokenizers of language models and translation: characters as written, words, and byte-pair subwords.

Each is learned from a training split alone; token 0 is padding, token 1 what the vocabulary does not have.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zoo.features.text import PAD, UNKNOWN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START, END = "[BOS]", "[EOS]"
UNKNOWN_TOKEN, START_TOKEN, END_TOKEN = 1, 2, 3


def characters(text: str) -> "Tokenizer":
    """One token for each character, blanks, line ends and case as they are, in the order of their code points.

    >>> tokenizer = characters("To be,\\nor")
    >>> tokenizer.encode("or\\n").ids, tokenizer.decode([8, 9, 2])
    ([8, 9, 2], 'or\\n')
    """
    from tokenizers import Regex, decoders, pre_tokenizers

    tokenizer = _word_level(sorted(set(text)))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def words(lines: Iterable[str]) -> "Tokenizer":
    """One token for each word between blanks, most frequent first; `<unk>` of a prepared text is the unknown word.

    >>> words(["a b", "b <unk>"]).encode("b c").ids
    [2, 1]
    """
    from tokenizers import pre_tokenizers

    counts = Counter(word for line in lines for word in line.split())
    counts.pop("<unk>", None)
    tokenizer = _word_level(sorted(counts, key=lambda word: (-counts[word], word)), unknown="<unk>")
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def byte_pairs(texts: Iterable[str], size: int) -> "Tokenizer":
    """`size` subwords learned by byte-pair encoding; a blank is a part of the word that follows, so that decoding gives
    the text back. `START_TOKEN` and `END_TOKEN` begin and end a sentence.

    Source: Sennrich, Haddow & Birch 2016, arXiv:1508.07909.

    >>> tokenizer = byte_pairs(["a dog, a dog"], 20)
    >>> tokenizer.decode(tokenizer.encode("a dog, dog").ids)
    'a dog, dog'
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.NFC()
    metaspace = pre_tokenizers.Metaspace()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([metaspace, pre_tokenizers.Punctuation("isolated")])
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[PAD, UNKNOWN, START, END], min_frequency=2, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _word_level(tokens: Iterable[str], unknown: str = UNKNOWN) -> "Tokenizer":
    from tokenizers import Tokenizer, models

    vocabulary = {token: index for index, token in enumerate((PAD, unknown, *tokens))}
    return Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
