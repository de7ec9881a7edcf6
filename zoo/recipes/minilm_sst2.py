"""minilm.sst2: a small transformer that others pretrained, trained on for sentiment: the teacher of `bilstm.sst2`.

Run:      zoo train minilm.sst2
Cost:     10 minutes on one CPU core, and 90 MB to download.
Data:     Stanford Sentiment Treebank, two classes, sentences alone; official split. The weights it starts from are
          those of all-MiniLM-L6-v2 (zoo/datasets/minilm.py).
Expect:   88.6 % on validation. It is no recurrent model, is not published, and its test split is never read.
Departs:  from the usual fine-tuning in its higher learning rate, as the model is small.
"""

from typing import TYPE_CHECKING

from zoo.datasets import minilm
from zoo.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras


def start(model: "keras.Model") -> None:
    """Gives the model the pretrained weights; the layer of the answer stays fresh."""
    tensors, config = minilm.tensors(), minilm.CONFIG
    width, heads = config["width"], config["heads"]

    def pair(name: str) -> list:
        return [tensors[f"{name}.weight"].T, tensors[f"{name}.bias"]]

    def attention(block: str) -> list:
        """A kernel has the heads as an axis of its own, behind the inputs, or before the outputs."""
        found = []
        for part in ("query", "key", "value"):
            kernel, bias = pair(f"{block}.attention.self.{part}")
            found += [kernel.reshape(width, heads, -1), bias.reshape(heads, -1)]
        kernel, bias = pair(f"{block}.attention.output.dense")
        return [*found, kernel.reshape(heads, -1, width), bias]

    first_of_pair = tensors["embeddings.token_type_embeddings.weight"][0]  # every text is one
    weights = {
        "embedding": [tensors["embeddings.word_embeddings.weight"]],
        "positions": [tensors["embeddings.position_embeddings.weight"] + first_of_pair],
        "norm": pair("embeddings.LayerNorm"),
    }
    for index in range(config["blocks"]):
        block = f"encoder.layer.{index}"
        weights |= {
            f"attention_{index + 1}": attention(block),
            f"attention_norm_{index + 1}": pair(f"{block}.attention.output.LayerNorm"),
            f"up_{index + 1}": pair(f"{block}.intermediate.dense"),
            f"down_{index + 1}": pair(f"{block}.output.dense"),
            f"norm_{index + 1}": pair(f"{block}.output.LayerNorm"),
        }
    for name, values in weights.items():
        model.get_layer(name).set_weights(values)


RECIPE = Recipe(
    name="minilm.sst2",
    task="sentiment",
    family="transformer",
    config={**minilm.CONFIG, "classes": 2, "dropout": 0.1},
    dataset="sst2_pieces",
    loss="cross_entropy",
    metric="accuracy",
    epochs=3,
    batch_size=32,
    learning_rate=1e-4,
    weight_decay=1e-2,
    label_smoothing=0.1,
    bucketed=True,
    start=start,
)
