"""lstm.ptb: two LSTM layers predict the next word of newspaper text, in 4.6 M parameters.

Run:      zoo train lstm.ptb --seed 0 --resume
Cost:     113 minutes on one of 2 shared CPU cores, 76 on both.
Data:     Penn Treebank as Mikolov prepared it, official split.
Expect:   perplexity 79.8 on the test split, 84.4 on validation (seed 0 alone: a run takes over an hour); published:
          82.7 (20 M parameters), 78.4 (66 M), 57.3 (24 M, fine-tuned).
Departs:  from AWD-LSTM (Merity et al. 2017): two layers in place of three, AdamW with a cosine and a moving average of
          the weights in place of averaged SGD, chunks of one length, no activation regularisation; the embedding starts
          from counts of neighbours, the bias of the output from the frequencies of the words.
"""

from typing import TYPE_CHECKING

import numpy as np

from zoo.datasets import ptb
from zoo.recipes import word_vectors
from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

if TYPE_CHECKING:
    import keras


def start(model: "keras.Model") -> None:
    """Gives the model word vectors of the training part, and each word the logit that says how frequent it is."""
    text = ptb.load().train.x[0]
    embedding = model.get_layer("embedding")
    vectors = word_vectors.learn([text], embedding.input_dim, embedding.output_dim, distance=3)
    counts = np.bincount(text, minlength=embedding.input_dim)
    embedding.set_weights([0.1 * vectors, np.log((counts + 0.5) / len(text))])


RECIPE = Recipe(
    name="lstm.ptb",
    task="text generation",
    family="language_model",
    config={
        "recurrence": "lstm",
        "units": [448, 256],
        "vocabulary": 10001,
        "embedding": 256,
        "tied": True,
        "embedding_dropout": 0.2,
        "dropout": 0.25,
        "output_dropout": 0.3,
        "weight_drop": 0.25,
    },
    dataset="ptb",
    loss="token_cross_entropy",
    metric="perplexity",
    also=("nats_per_token",),
    epochs=15,
    batch_size=20,
    carry=35,
    start=start,
    learning_rate=2e-3,
    weight_decay=1e-2,
    warmup=0.05,
    average=0.999,
    card=CardText(
        summary="Two LSTM layers predict the next word of newspaper text; one matrix is embedding and output.",
        intended_use="Compare language models on the Penn Treebank; show a language model of words in 5 MB.",
        limits=(
            "Research only: the Treebank belongs to the LDC, and its text carries no open licence.",
            "Writes lower case without punctuation, numbers as N and rare words as <unk>; it knows 10,000 words.",
            "There is no TFLite file in full integers: one would neither take nor hand out the states that a text "
            "is carried on with. Use `--quantize dynamic`.",
        ),
        preprocessing="One token a word, <eos> at the end of a sentence (tokenizer.json); a prompt with words "
        "that it does not know is refused.",
        input_unit="token ids",
        published=(
            Published(82.7, "LSTM of 20 M parameters", "Zaremba et al. 2014, arXiv:1409.2329, medium"),
            Published(78.4, "LSTM of 66 M parameters", "Zaremba et al. 2014, arXiv:1409.2329, large"),
            Published(57.3, "LSTM of 24 M parameters, fine-tuned", "Merity et al. 2017, arXiv:1708.02182"),
        ),
        stored="int8",
        tried=(
            "Perplexity on validation. The first recipe, from random weights with 32 rows and a learning rate of "
            "0.003: 117 after 16 epochs (test 107). After 400 of its steps, on the first 30,000 words: 4946; with "
            "the logits starting from the frequencies of the words 315; with word vectors from counts of neighbours "
            "as well 231.",
        ),
    ),
)
