"""`path="cudnn"` on a GPU: parity with `path="cell"` in value and gradient, and training time beside PyTorch alone.

Every backend of Keras has a process of its own; a row that cannot be measured here says why in `status`.
Run `python -m zoo.benchmarks.cudnn` to write `results/cudnn.csv`.
"""

import importlib.util
import itertools
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.benchmarks import process, results, timing
from zoo.benchmarks.training_steps import GATES, Point, problem, torch_step
from zoo.errors import PathNotEligible

BACKENDS = ("torch", "jax", "tensorflow")
SMALL = Point(4, 11, 6, 8)
GRID = (Point(32, 100, 64, 128), Point(64, 50, 256, 512), Point(16, 400, 32, 256))
ROUNDS = 9
MEASURED = "measured"
EMPTY = dict.fromkeys(("value_difference", "gradient_difference", "cudnn_ms", "cell_ms", "torch_ms"), "")


def plan(backend: str) -> list[dict[str, Any]]:
    """Every row that a backend should have, with nothing measured."""
    parity = [
        {"kind": "parity", "cell": cell, "bidirectional": both, "masked": masked, **SMALL._asdict()}
        for cell, both, masked in itertools.product(GATES, (False, True), (False, True))
    ]
    times = [
        {"kind": "time", "cell": cell, "bidirectional": False, "masked": False, **point._asdict()}
        for cell, point in itertools.product(GATES, GRID)
    ]
    return [{"backend": backend, **row, **EMPTY, "status": "", "gpu": ""} for row in (*parity, *times)]


def run() -> list[dict[str, Any]]:
    """The rows of every backend."""
    facts = results.conditions(["keras"])
    return [{**row, **facts} for backend in BACKENDS for row in _rows(backend)]


def _rows(backend: str) -> list[dict[str, Any]]:
    if importlib.util.find_spec(backend) is None:
        return [{**row, "status": f"missing: {backend} is not installed"} for row in plan(backend)]
    return list(process.apart("zoo.benchmarks.cudnn:measure", {}, KERAS_BACKEND=backend))


def measure(path: str = "cudnn", rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """The rows of the backend of this process, `path` compared with the cell."""
    import keras

    from zoo.layers import paths

    rows = plan(keras.backend.backend())
    if path == "cudnn" and not paths.gpu_is_there():
        return [{**row, "status": "missing: no GPU was at hand"} for row in rows]
    gpu = _gpu_name()
    return [{**row, **_measured(row, path, rounds), "gpu": gpu} for row in rows]


def _measured(row: dict[str, Any], path: str, rounds: int) -> dict[str, Any]:
    point = Point(*(row[name] for name in Point._fields))
    try:
        fast, cell = (_step(row, point, name) for name in (path, "cell"))
        if row["kind"] == "parity":
            return {**_differences(_arrays(fast()), _arrays(cell())), "status": MEASURED}
        steps = {"cudnn": _until_done(fast), "cell": _until_done(cell)}
        return {**_medians(steps, row["cell"], point, rounds), "status": MEASURED}
    except PathNotEligible as error:
        return {"status": f"refused: {error}"}


def _arrays(tensors: list[Any]) -> list[np.ndarray]:
    import keras

    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def _until_done(step: Callable[[], list[Any]]) -> Callable[[], float]:
    """The step, waited for: one number of its last gradient is fetched, as PyTorch's step fetches its loss."""
    import keras

    return lambda: float(keras.ops.convert_to_numpy(keras.ops.sum(step()[-1])))


def _differences(one: list[np.ndarray], other: list[np.ndarray]) -> dict[str, str]:
    """The largest difference of the outputs (the first arrays) and of the gradients (the others)."""
    each = [float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True)]
    return {"value_difference": f"{each[0]:.1e}", "gradient_difference": f"{max(each[1:]):.1e}"}


def _medians(steps: dict[str, Callable[[], Any]], cell: str, point: Point, rounds: int) -> dict[str, float]:
    if importlib.util.find_spec("torch") and _on_gpu():
        steps = {**steps, "torch": torch_step(cell, point, "cuda")}
    seconds = timing.interleaved(steps, rounds, settle=1)
    return {f"{name}_ms": round(1e3 * float(np.median(values)), 3) for name, values in seconds.items()}


def _step(row: dict[str, Any], point: Point, path: str) -> Callable[[], list[Any]]:
    """A training step that returns the output and the gradients of the mean square in every weight, where they lie."""
    import keras

    from zoo import layers

    kind = {"lstm": layers.LSTM, "gru": layers.GRU}[row["cell"]]
    x, weights = problem(row["cell"], point)
    layer = kind(point.units, return_sequences=True, path=path)
    if row["bidirectional"]:
        layer, weights = layers.Bidirectional(layer), weights * 2
    layer.build(x.shape)
    layer.set_weights(weights)
    lengths = np.arange(len(x)) % point.steps + 1
    mask = np.arange(point.steps) < lengths[:, None] if row["masked"] else None
    tensors = [part if part is None else keras.ops.convert_to_tensor(part) for part in (x, mask)]
    step: Callable[[], list[Any]] = _DIFFERENTIATED[keras.backend.backend()](layer, *tensors)
    return step


def _with_torch(layer: Any, x: Any, mask: Any) -> Callable[[], list[Any]]:
    def step() -> list[Any]:
        layer.zero_grad()
        output = layer(x, mask=mask, training=True)
        output.square().mean().backward()
        return [output, *(variable.value.grad for variable in layer.trainable_variables)]

    return step


def _with_jax(layer: Any, x: Any, mask: Any) -> Callable[[], list[Any]]:
    import jax

    trainable = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]

    def loss(weights: Any) -> Any:
        output, _ = layer.stateless_call(weights, others, x, mask=mask, training=True)
        return (output**2).mean(), output

    compiled = jax.jit(jax.grad(loss, has_aux=True))

    def step() -> list[Any]:
        gradients, output = compiled(trainable)
        return [output, *gradients]

    return step


def _with_tensorflow(layer: Any, x: Any, mask: Any) -> Callable[[], list[Any]]:
    import tensorflow as tf

    variables = [variable.value for variable in layer.trainable_variables]

    @tf.function(autograph=False)
    def step() -> list[Any]:
        with tf.GradientTape() as tape:
            output = layer(x, mask=mask, training=True)
            loss = tf.reduce_mean(tf.square(output))
        return [output, *tape.gradient(loss, variables)]

    return step


_DIFFERENTIATED = {"torch": _with_torch, "jax": _with_jax, "tensorflow": _with_tensorflow}


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _gpu_name() -> str:
    """What `nvidia-smi` calls the first GPU; empty where there is none."""
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""


if __name__ == "__main__":
    print(results.write("cudnn", run()))
