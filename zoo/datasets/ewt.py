"""English Web Treebank (Universal Dependencies 2.16): 254,818 words of weblogs, newsgroups, mails, reviews and answers,
each with its universal part of speech. Official split: 12,544 sentences to train on, 2,001 to validate, 2,077 to test.

Words are the treebank's own: in training and in the scores no splitter stands between.
"""

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np

from zoo.datasets import imdb
from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.datasets.padding import TARGET
from zoo.features import words
from zoo.spec import DatasetRef

LABELS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
VOCABULARY = 12_000
_ADDRESS = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/r2.16"
_SHA256 = {  # of the mirror's packed file, of the file itself
    "train": (
        "4861d76b9c49cb3524dfdf7d02e78c1d6a4c4e6fb892f9e6128cc671a6f195a8",
        "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
    ),
    "dev": (
        "24656b4a407808e7b9e42959b2e39e18ae5580bfbf3b27938d6873dabaed8845",
        "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
    ),
    "test": (
        "0506bfdbccef68634d5429369e67a7d4418b2340bd2b2ddcfca8373514af83bc",
        "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
    ),
}
Sentence = tuple[str, tuple[str, ...], tuple[str, ...]]  # the raw text, its words, their tags


@cache
def read(part: str) -> list[Sentence]:
    """The sentences of "train", "dev" or "test" in order."""
    packed, plain = _SHA256[part]
    mirror = mirrored("ud_ewt", f"en_ewt-ud-{part}.conllu.gz", packed)
    if mirror:
        content = gzip.decompress(mirror.read_bytes())
    else:
        content = download(RemoteFile(f"{_ADDRESS}/en_ewt-ud-{part}.conllu", plain)).read_bytes()
    return list(parse(content.decode("utf-8").split("\n")))


def parse(lines: Iterable[str]) -> Iterator[Sentence]:
    """CoNLL-U: a word a line, columns with tabs between, a blank line after each sentence. Ranges (1-2) and empty nodes
    (1.1) are no words."""
    text, found = "", []
    for line in lines:
        if line.startswith("# text = "):
            text = line.removeprefix("# text = ")
        elif line and not line.startswith("#"):
            number, word, _, tag, *_ = line.split("\t")
            if number.isdigit():
                found.append((word, tag))
        elif not line and found:
            sentence, tags = zip(*found, strict=True)
            yield text, sentence, tags
            found = []


@cache
def tokenizer() -> "words.Tokenizer":
    """The words the treebank's training part holds twice or more, then the most frequent of the training reviews of
    IMDb: their vectors are learned from unlabelled text."""
    counts = Counter(words.normal(word) for _, sentence, _ in read("train") for word in sentence)
    known = [word for word, count in counts.most_common() if count > 1]
    ids = imdb.tokenizer().get_vocab()
    fresh = [word for word in sorted(ids, key=ids.__getitem__) if word.isalpha() and counts[word] < 2]
    return words.of_words([*known, *fresh][: VOCABULARY - 2])


@cache
def load() -> Splits:
    """x: words int32 [N, T] and characters int32 [N, T, words.WIDTH], padded with 0; y int32 [N, T], an index into
    `LABELS`, padded with -1."""
    return Splits(*(_split(read(part)) for part in ("train", "dev", "test")))


def _split(part: Sequence[Sentence]) -> Split:
    sentences = [sentence for _, sentence, _ in part]
    place = {tag: index for index, tag in enumerate(LABELS)}
    y = np.full((len(part), max(map(len, sentences))), TARGET, "int32")
    for row, (_, _, tags) in zip(y, part, strict=True):
        row[: len(tags)] = [place[tag] for tag in tags]
    return Split({"words": words.encode(tokenizer(), sentences), "characters": words.characters(sentences)}, y)


DATASET = Dataset(
    DatasetRef(
        name="ewt_pos",
        title="Universal Dependencies English Web Treebank 2.16",
        url="https://github.com/UniversalDependencies/UD_English-EWT",
        licence="CC BY-SA 4.0 (annotations); the texts keep their owners' rights",
        citation="Silveira, Dozat, de Marneffe, Bowman, Connor, Bauer, Manning: A Gold Standard Dependency Corpus for "
        "English, LREC 2014",
    ),
    LABELS,
    load,
    tokenizer,
)
