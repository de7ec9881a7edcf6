"""`zoo generate` and `zoo translate`: text as it is written."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

import zoo
from export.quiet import quiet
from zoo import registry
from zoo.cli.output import AsJson, console, print_json, print_table, require_picture
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput
from zoo.features.search import Sampling

Backend = Annotated[str, typer.Option(help="onnx, keras, tflite or saved_model.")]


def generate(
    name: Annotated[str, typer.Argument(help="A language model, for example lstm.shakespeare.")],
    prompt: Annotated[str, typer.Argument(help="The text to go on from.")],
    length: Annotated[int, typer.Option(help="How many tokens to write at most.")] = 300,
    temperature: Annotated[float, typer.Option(help="Below 1 tamer, above 1 wilder.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Draw from so many of the most probable tokens; 0: from all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Draw from the fewest tokens that have this share together.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    stop: Annotated[str | None, typer.Option(help="End before this text.")] = None,
    backend: Backend = "onnx",
    as_json: AsJson = False,
) -> None:
    """A text that begins with the prompt, as it is written: character by character, or word by word."""
    pipeline = _open(name, "text generation", backend)
    pieces = pipeline.generate(prompt, length, Sampling(temperature, top_k, top_p), seed=seed, stop=stop)
    if as_json:
        print_json({"prompt": prompt, "text": "".join(pieces)})
        return
    print(prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def translate(
    name: Annotated[str, typer.Argument(help="A translator, for example gru_attention.multi30k_en_de.")],
    sentences: Annotated[list[str], typer.Argument(help="One sentence each.")],
    beam: Annotated[int, typer.Option(help="How many beams the search keeps; 1 is greedy.")] = 5,
    show: Annotated[Path | None, typer.Option(help="Draw the attention of the only sentence as a picture.")] = None,
    backend: Backend = "onnx",
    as_json: AsJson = False,
) -> None:
    """Sentences in another language."""
    if show and len(sentences) > 1:
        raise InvalidInput(f"--show draws one sentence, not {len(sentences)}: call once for each.")
    require_picture("--show", show)
    pipeline = _open(name, "translation", backend)
    answers = pipeline(sentences, beam=beam)
    if show:
        pipeline.plot(sentences[0], answers, show)
    if as_json:
        print_json([dataclasses.asdict(answer) for answer in answers])
    elif len(answers) == 1:
        console.print(answers[0].translation, soft_wrap=True, markup=False, highlight=False)
    else:
        print_table(pipeline.COLUMNS, [answer.cells() for answer in answers], right=pipeline.RIGHT)


def _open(name: str, task: str, backend: str) -> Any:
    """The pipeline of a model that does `task`. Raises InvalidInput for a model that does not."""
    spec = registry.get(name)
    if spec.task != task:
        names = [other for other in registry.names() if registry.get(other).task == task]
        raise InvalidInput(
            f"Model {name!r} does no {task}: its task is {spec.task}. "
            f"These do: {', '.join(names) or 'none that is installed'}."
        )
    if backend != "onnx":
        import_tensorflow()
    with quiet():
        return zoo.pipeline(name, backend)
