"""`make demo`: the whole path. Lists the models, loads one by name, exports it three ways with native operators, checks
and times what was written, and predicts in a process that cannot import TensorFlow or Keras."""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from zoo.cli import bench, exporting, listing, quiet
from zoo.cli.output import console

MODEL = "gru.har"
SERVE = """
import os, sys
sys.modules.update(tensorflow=None, keras=None, jax=None, torch=None)   # importing any of them now fails
from export.runtime.pipelines import Pipeline, pipeline
import zoo
for prediction in zoo.pipeline({model!r}, backend="onnx")({path!r}):
    seconds = f"{{prediction.start / 50:.1f}} to {{prediction.end / 50:.1f}}"
    print(f"  seconds {{seconds}}: {{prediction.label}} ({{100 * prediction.score:.1f}} %)")
times = os.times()
print(f"  from a cold process to these answers: {{times.user + times.system:.2f}} s of CPU time")
"""


def main() -> None:
    quiet.import_tensorflow()
    _title("1. Pretrained models, by name: zoo list '*.har'")
    listing.list_models("*.har")
    _title(f"2. Load one: zoo.load({MODEL!r})")
    _load()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _title(f"3. Export it three ways and check each file against Keras: zoo export {MODEL}")
        exporting.export(MODEL, "onnx,tflite,saved_model", Path("out"))
        _title(f"4. What one prediction costs: zoo bench {MODEL}")
        bench.bench(MODEL, batch="1", rounds=20)
        _title("5. Predict where TensorFlow and Keras cannot be imported")
        recording = Path("recording.npy")
        np.save(recording, made_up_recording())
        console.print("  a made-up recording: upright for 5 s, then lying down for 5 s")
        subprocess.run([sys.executable, "-c", SERVE.format(model=MODEL, path=str(recording))], check=True)


def made_up_recording() -> np.ndarray:
    """[500, 9] at 50 Hz: gravity along the phone's x axis, after 256 steps (two windows) across it; a little tremor."""
    rng = np.random.default_rng(0)
    recording = rng.normal(0, 0.004, (500, 9)).astype("float32")
    recording[:256, 6:] += (0.98, -0.2, -0.1)
    recording[256:, 6:] += (-0.15, 0.6, 0.75)
    return recording


def _load() -> None:
    from zoo.loading import load

    started = time.perf_counter()
    model = load(MODEL)
    console.print(
        f"  {MODEL}: {model.count_params():,} parameters, verified and loaded in {time.perf_counter() - started:.1f} s"
    )
    for layer in model.layers:
        console.print(f"  {layer.name:<16} {type(layer).__module__.partition('.')[0]}.{type(layer).__name__}")


def _title(text: str) -> None:
    console.print(f"\n[bold]{text}[/]")


if __name__ == "__main__":
    main()
