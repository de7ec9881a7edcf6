"""Character language models of Tiny Shakespeare: what the recipes share.

Data:     the text from 5 to 90 %, in 64 lanes whose states are carried along; the first 5 % choose the epoch.
Score:    a character costs the nats the model gives it, its state carried through the whole test text.
Departs:  from char-rnn (Karpathy 2015): one layer, AdamW with a cosine in place of RMSProp, the last tenth held out
          in place of a twentieth, an average of the weights, dropout that is the same at every step of a chunk.
"""

from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

_TRIED = (
    "Without weight drop, 16 epochs, the twentieth before the test as validation: the plays overfit from epoch 9 on, "
    "and the test, which begins in the middle of a play that was not read then, costs 1.67 (GRU) and 1.62 nats (LSTM).",
    "A weight drop of 0.5 with an output dropout of 0.5: slower than 20 epochs can make up for.",
)


def recipe(name: str, recurrence: str, units: int, learning_rate: float, epochs: int) -> Recipe:
    return Recipe(
        name=name,
        task="text generation",
        family="language_model",
        config={
            "recurrence": recurrence,
            "units": [units],
            "vocabulary": 67,
            "embedding": 64,
            "embedding_dropout": 0.05,
            "output_dropout": 0.4,
            "weight_drop": 0.3,
        },
        dataset="tiny_shakespeare",
        loss="token_cross_entropy",
        metric="nats_per_token",
        also=("perplexity",),
        epochs=epochs,
        batch_size=64,
        carry=64,
        learning_rate=learning_rate,
        weight_decay=1e-2,
        warmup=0.05,
        average=0.995,
        card=CardText(
            summary=f"One {recurrence.upper()} layer of {units} units over the characters of Shakespeare's plays.",
            intended_use="Write text that looks like a play by Shakespeare; show how a stream is generated.",
            limits=(
                "Spells and lays out a play, but follows no story: its memory is one state vector.",
                "Knows the 65 characters of its text and no others.",
                "There is no TFLite file in full integers: one would neither take nor hand out the states that a text "
                "is carried on with. Use `--quantize dynamic`.",
            ),
            preprocessing="One token a character as written (tokenizer.json); other characters are refused.",
            input_unit="token ids",
            published=(
                Published(
                    1.4697,
                    "transformer of six layers, loss on the last tenth, at its best epoch",
                    "https://github.com/karpathy/nanoGPT (README)",
                ),
            ),
            tried=_TRIED,
            stored="float16",
        ),
    )
