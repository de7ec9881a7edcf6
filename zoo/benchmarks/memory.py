"""Training on one sequence of 100,000 steps: peak memory and time of each way to do it.

A layer of 128 units predicts the next value of a noisy wave at every step; each way has a process of its own, whose
peak resident memory the operating system reports, and one pass over the sequence, timed with the tracing of its graph.
"truncated" forgets what lies more than 1,000 steps back; the others have the gradient of the whole sequence.

Run `python -m zoo.benchmarks.memory` (about three minutes on two cores) to write `results/memory.csv`.
"""

import sys
import time
from typing import Any

import numpy as np

from zoo.benchmarks import process, results
from zoo.benchmarks.process import peak_mib

PACKAGES = ("tensorflow-cpu", "keras")
STEPS, UNITS, PIECE = 100_000, 128, 1_000
WAYS = {
    "LSTM": "every step kept",
    "LSTM, checkpointed": "316 states kept, each piece between them computed twice",
    "LSTM, truncated": f"pieces of {PIECE:,} steps, the state carried on",
    "minLSTM": "every step kept, one parallel scan",
}


def wave(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """x float32 [1, steps, 1] and y, the same one step later."""
    rng, place = np.random.default_rng(0), np.arange(steps + 1)
    values = np.sin(place / 7) * np.sin(place / 1300) + 0.05 * rng.standard_normal(steps + 1)
    values = values.astype("float32")[None, :, None]
    return values[:, :-1], values[:, 1:]


def train(way: str, steps: int, units: int, passes: int = 1) -> dict[str, Any]:
    """Runs in this process: loss and seconds of each pass, and the peak memory of the process so far, in MiB."""
    import keras

    from zoo.recipes.truncated import train_on_sequence

    keras.utils.set_random_seed(0)
    before, (x, y) = peak_mib(), wave(steps)
    truncated = way == "LSTM, truncated"
    frames = keras.Input(batch_shape=(1, None if truncated else steps, 1))
    model = keras.Model(frames, keras.layers.Dense(1)(_layer(way, units)(frames)))
    model.compile(keras.optimizers.Adam(1e-2, clipnorm=1.0), "mse", jit_compile=False)
    losses, seconds = [], []
    for _ in range(passes):
        started = time.perf_counter()
        loss = train_on_sequence(model, x, y, PIECE) if truncated else model.train_on_batch(x, y)
        losses.append(float(np.ravel(loss)[0]))
        seconds.append(time.perf_counter() - started)
    return {"losses": losses, "seconds": seconds, "before": before, "peak": peak_mib()}


def _layer(way: str, units: int) -> Any:
    from zoo.layers import LSTM, Checkpointed, MinLSTM

    if way == "LSTM, checkpointed":
        return Checkpointed(LSTM(units, return_sequences=True))
    if way == "minLSTM":
        return MinLSTM(units, return_sequences=True)
    return LSTM(units, return_sequences=True, stateful=way == "LSTM, truncated")


def measure(way: str, steps: int = STEPS, units: int = UNITS) -> dict[str, Any]:
    """One row, measured in a process of its own."""
    found = process.apart("zoo.benchmarks.memory:train", {"way": way, "steps": steps, "units": units})
    return {
        "way": way,
        "what": WAYS[way],
        "steps": steps,
        "units": units,
        "peak_mib": round(found["peak"]),
        "mib_before_training": round(found["before"]),
        "seconds_per_pass": round(found["seconds"][-1], 1),
        "loss": f"{found['losses'][-1]:.4g}",
        **results.conditions(PACKAGES, threads=process.cores()),
    }


def run(steps: int = STEPS) -> list[dict[str, Any]]:
    rows = []
    for way in WAYS:
        rows.append(measure(way, steps))
        results.write("memory", rows)
        print({key: rows[-1][key] for key in ("way", "peak_mib", "seconds_per_pass")}, file=sys.stderr)
    return rows


if __name__ == "__main__":
    run()
