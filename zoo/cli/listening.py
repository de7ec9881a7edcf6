"""`zoo listen`: keywords as they are said."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from export import runtime
from export.runtime.pipelines.sound import KeywordSpotting, packets
from zoo import registry
from zoo.cli.output import console
from zoo.errors import InvalidInput, MissingDependency
from zoo.features import audio
from zoo.features.keywords import THRESHOLD
from zoo.spec import ModelSpec

PACKET = 0.02  # seconds


def listen(
    name: Annotated[str, typer.Argument(help="A model that spots keywords, for example gru_stream.kws.")],
    file: Annotated[Path | None, typer.Argument(help="A WAV file with one channel.")] = None,
    microphone: Annotated[bool, typer.Option("--microphone", help="Listen until Ctrl-C is pressed.")] = False,
    threshold: Annotated[
        float, typer.Option(help="The probability from which it is a keyword: a higher one misses more and errs less.")
    ] = THRESHOLD,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Keywords with their times, each as soon as it is known."""
    spec = registry.get(name)
    if (file is None) != microphone:
        raise InvalidInput(f"Listen to what? zoo listen {name} FILE.wav, or zoo listen {name} --microphone.")
    spotter, rate = _spotter(spec), int(spec.sample_rate or 0)
    size = int(PACKET * rate)
    sound = packets(audio.load(file, rate), size) if file else _microphone(rate, size)
    heard = False
    try:
        for found in spotter.listen(sound, threshold):
            heard = True
            line = json.dumps(dataclasses.asdict(found)) if as_json else "  ".join(found.cells())
            print(line, flush=True)
    except KeyboardInterrupt:
        pass
    if not heard and not as_json:
        console.print(f"No keyword was heard ({', '.join(spec.labels[2:])}).", soft_wrap=True, markup=False)


def _spotter(spec: ModelSpec) -> KeywordSpotting:
    if spec.task != "keyword spotting":
        names = [name for name in registry.names() if registry.get(name).task == "keyword spotting"]
        raise InvalidInput(
            f"Model {spec.name!r} spots no keywords: its task is {spec.task}. "
            f"These do: {', '.join(names) or 'none that is installed'}."
        )
    return KeywordSpotting(spec, runtime.load(registry.file(spec.name, "streaming.onnx")))


def _microphone(rate: int, size: int) -> Iterator[np.ndarray]:
    """Packets [size] of the default input device, until the caller stops asking."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, the PortAudio library is not
        raise MissingDependency(
            f"--microphone needs the package sounddevice and the PortAudio library ({error}). "
            "Run: pip install 'recurrent-zoo[microphone]'. A recording works without: zoo listen NAME FILE.wav"
        ) from error
    with sounddevice.InputStream(samplerate=rate, channels=1, blocksize=size, dtype="float32") as device:
        print(f"listening to {sounddevice.query_devices(device.device)['name']}", file=sys.stderr, flush=True)
        late = False
        while True:
            sound, lost = device.read(size)
            if lost and not late:
                print("some sound was lost: this machine does not keep up", file=sys.stderr, flush=True)
            late = late or lost
            yield np.clip(sound[:, 0], -1, 1)
