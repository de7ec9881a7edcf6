"""Copy memory: repeat ten symbols after a long blank. Generated, so it needs no download.

A sequence holds ten symbols, `blank` - 1 blanks, a signal, and ten blanks; the target is blank until the last ten
steps, which want the symbols in their order. Without memory the best answer guesses them: a cross-entropy of
10 log(8) / (blank + 20) over all steps, and one symbol of eight right.
Source: Hochreiter & Schmidhuber 1997; the form of Arjovsky, Shah & Bengio 2016, arXiv:1511.06464.
"""

import numpy as np

from zoo.datasets.base import Split

SYMBOLS, COPIED = 8, 10
BLANK, SIGNAL = SYMBOLS, SYMBOLS + 1
CLASSES = SYMBOLS + 1  # of the target: the symbols and the blank


def generate(rng: np.random.Generator, examples: int, blank: int) -> Split:
    """x float32 [N, blank + 20, 10], one-hot; y int32 [N, blank + 20].

    >>> split = generate(np.random.default_rng(0), 2, blank=5)
    >>> tokens = split.x.argmax(-1)
    >>> split.x.shape, bool((split.y[:, -10:] == tokens[:, :10]).all()), tokens[0, 10:15].tolist()
    ((2, 25, 10), True, [8, 8, 8, 8, 9])
    """
    symbols = rng.integers(0, SYMBOLS, (examples, COPIED))
    tokens = np.full((examples, blank + 2 * COPIED), BLANK)
    tokens[:, :COPIED], tokens[:, COPIED + blank - 1] = symbols, SIGNAL
    target = np.full_like(tokens, BLANK)
    target[:, -COPIED:] = symbols
    return Split(np.eye(SYMBOLS + 2, dtype="float32")[tokens], target.astype("int32"))
