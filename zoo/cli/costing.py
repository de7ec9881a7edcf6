"""`zoo show NAME --cost`: what a model costs to keep and to run."""

from typing import Any

from export.quiet import quiet
from zoo.cli.output import console, print_json, print_table, size
from zoo.cli.quiet import import_tensorflow

RUNTIMES = {
    "Keras predict": "keras_predict_ms",
    "Keras tf.function": "keras_tf_function_ms",
    "ONNX Runtime": "onnx_runtime_ms",
    "LiteRT": "litert_ms",
}


def show(name: str, as_json: bool) -> None:
    """Measures, then prints."""
    import_tensorflow()
    from zoo.benchmarks import cost

    with quiet():  # LiteRT announces its delegates on standard error
        found = cost.measure(name)
    if as_json:
        print_json(found)
        return
    console.print(f"[bold]{name}[/]  {found['device']}, {found['versions']}", soft_wrap=True)
    print_table(("", ""), _rows(found))


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    added = found["serving_mib"] - found["serving_mib_without_model"]
    return [
        ("parameters", f"{found['parameters']:,} ({size(found['weight_bytes'])} in float32)"),
        ("multiply-adds", f"{found['multiply_adds_per_step']:,} in a step of every layer"),
        ("ONNX file", size(found["onnx_bytes"])),
        ("state of a stream", size(found["state_bytes"])),
        ("memory to serve", f"{found['serving_mib']:.0f} MiB on ONNX Runtime, {added:.1f} MiB more than without model"),
        *(
            (
                runtime,
                f"{found[key]:.3f} ms for {found['steps']} steps, {1e3 * found[key] / found['steps']:.1f} µs a step",
            )
            for runtime, key in RUNTIMES.items()
        ),
    ]
