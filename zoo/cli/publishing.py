"""`zoo publish`, for maintainers."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.output import console
from zoo.cli.quiet import import_tensorflow
from zoo.evaluation import number


def publish(
    name: Annotated[str, typer.Argument(help="A recipe whose runs are finished.")],
    runs: Annotated[Path, typer.Option(help="The folder that holds NAME/seed0, NAME/seed1, …")] = Path("runs"),
) -> None:
    """Ships the seed that is best on validation; scores every seed on the test split, once."""
    import_tensorflow()
    from zoo.cli.card import publish

    spec, scores = publish(name, runs)
    values = ", ".join(f"seed {seed} {number(spec.score.metric, value)}" for seed, value in scores.items())
    console.print(
        f"{name}: seed {spec.seed} shipped; test {spec.score.metric}: {values}; {spec.bytes}",
        soft_wrap=True,
        markup=False,
    )
