import sys
from dataclasses import dataclass

import pytest

from zoo import cli, registry
from zoo.spec import DatasetRef, ModelSpec, Published, Score, Signature, StateSpec, TensorSpec


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def zoo_command(monkeypatch, capsys):
    """`zoo_command("list", "--json")`: the command line in this process, with its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return Answer(stop.value.code or 0, out, err)

    return run


_FRAMES = TensorSpec("frames", "float32", (None, None, 9), ("batch", "time", "feature"), unit="g")
_LOGITS = TensorSpec("logits", "float32", (None, 6), ("batch", "class"))
_CARD = ModelSpec(
    name="gru.har",
    task="sequence classification",
    family="classifier",
    architecture="gru",
    summary="A GRU.",
    intended_use="Tests.",
    limits=("one", "two"),
    config={"units": [64], "dropout": 0.3},
    signature=Signature((_FRAMES,), (_LOGITS,), (StateSpec("gru_1", "gru_1_h", "gru_1_h_out", "float32", (None, 64)),)),
    labels=("walking", "laying"),
    preprocessing="none",
    dataset=DatasetRef("har", "HAR", "https://example.org", "CC BY 4.0", "Anguita 2013"),
    scores=(Score("accuracy", "test", 0.93, 2947, seeds=(0.92, 0.93)),),
    published=(Published(0.91, "two-layer LSTM", "a README"),),
    parameters=100,
    multiply_adds_per_step=90,
    recipe="zoo/recipes/gru_har.py",
    seed=1,
    training={"seconds": 60},
    commit="abc",
    files={"model.onnx": "00"},
)


@pytest.fixture
def card():
    """A complete card that names no shipped file."""
    return _CARD


@pytest.fixture
def tokenizer_of(monkeypatch, tmp_path):
    """`tokenizer_of(name, tokenizer)`: the folder of that model holds this `tokenizer.json`."""

    def put(name, tokenizer):
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        monkeypatch.setattr(registry, "file", lambda model, file: {name: tmp_path}[model] / file)

    return put
