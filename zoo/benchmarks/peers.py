"""Everything that can run a subject: our files in each format, and what people use instead, with the same weights."""

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from zoo.benchmarks import formats
from zoo.benchmarks.subjects import Subject
from zoo.errors import InvalidInput, unknown_name

Arrays = Mapping[str, np.ndarray]
Run = Callable[[], Sequence[np.ndarray]]  # one prediction: the outputs, in the order of the signature
Made = TypeVar("Made")


@dataclass(frozen=True)
class Peer:
    """One way to run a subject; a row is named by `title`.

    `open` makes it ready for some inputs and a number of threads. `file` says which file it runs, where it runs one.
    `cold` is the code by which a fresh process comes to its first answer; it is told the subject and the inputs.
    `needs` are the packages it runs on. `quantize` is the form of our file, and `own` says that it is ours.
    """

    title: str
    open: Callable[[Subject, Arrays, int], Run]
    file: Callable[[Subject], Path] | None = None
    cold: Callable[[Subject, Arrays], str] | None = None
    needs: tuple[str, ...] = ()
    backend: str = ""
    quantize: str | None = None
    own: bool = False

    def missing(self) -> str | None:
        """The first package it needs that is not installed."""
        return next((package for package in self.needs if importlib.util.find_spec(package) is None), None)


def chosen(against: Sequence[str], quantize: Sequence[str] = ()) -> list[Peer]:
    """The peers of these names and our ONNX file, which is always there; of our files also the quantised forms.

    Raises UnknownName with the nearest name.
    """
    for name in against:
        if name not in NAMES:
            raise unknown_name("peer", name, NAMES, f"The peers are {', '.join(NAMES)}.")
    forms = {form: _with_forms(make, form, quantize) for form, make in _OURS.items()}
    found: list[Peer] = []
    for name in sorted({*against, "onnx"}, key=list(NAMES).index):
        found += forms[name] if name in forms else NAMES[name]
    return found


def _with_forms(make: Callable[[str | None], Peer], form: str, quantize: Sequence[str]) -> list[Peer]:
    from export.engine import FORMATS, QUANTIZE

    for kind in quantize:
        if kind not in QUANTIZE:
            raise unknown_name("quantisation", kind, QUANTIZE, f"Use some of {', '.join(QUANTIZE)}.")
    taken = FORMATS[_FORMATS[form]].quantize
    return [make(None), *(make(kind) for kind in quantize if kind in taken)]


def _keras_predict(subject: Subject, inputs: Arrays, threads: int) -> Run:
    import keras

    nested = _nested(subject, inputs)
    return lambda: keras.tree.flatten(subject.model.predict(nested, verbose=0))


def _nested(subject: Subject, inputs: Arrays) -> Any:
    """The inputs as the model itself takes them."""
    import keras

    return keras.tree.pack_sequence_as(
        subject.source.structure, [inputs[name] for name in subject.source.signature.input_names]
    )


def _keras_graph(subject: Subject, inputs: Arrays, threads: int) -> Run:
    import tensorflow as tf

    source = subject.source
    graph = tf.function(lambda *tensors: source(tensors), autograph=False)
    tensors = [tf.constant(inputs[name]) for name in source.signature.input_names]
    return lambda: [value.numpy() for value in graph(*tensors)]


def _runtime(format: str, quantize: str | None) -> Callable[[Subject, Arrays, int], Run]:
    def open_(subject: Subject, inputs: Arrays, threads: int) -> Run:
        from export.runtime import load

        runner = load(subject.ours(format, quantize), threads=threads)
        names, arrays = runner.signature.output_names, dict(inputs)
        return lambda: list(map(runner.run_checked(arrays).__getitem__, names))

    return open_


def _saved_model(subject: Subject, inputs: Arrays, threads: int) -> Run:
    from export.executors import SavedModelExecutor

    runner = SavedModelExecutor(subject.ours("saved_model", None))
    names, arrays = subject.signature.output_names, dict(inputs)
    return lambda: list(map(runner.run_checked(arrays).__getitem__, names))


def _onnx_of_keras(subject: Subject, inputs: Arrays, threads: int) -> Run:
    return formats.run_onnx(subject.keras_export("onnx"), inputs, threads)


def _of_keras(made: Callable[..., Made]) -> Callable[..., Made]:
    """`made` on a file that Keras exported, which calls an input nobody named otherwise than ours do."""

    def renamed(subject: Subject, inputs: Arrays, *threads: int) -> Made:
        names = [tensor.name for tensor in getattr(subject.model, "inputs", None) or ()] or list(inputs)
        return made(subject, dict(zip(names, inputs.values(), strict=True)), *threads)

    return renamed


def _litert(file: Callable[[Subject], Path]) -> Callable[[Subject, Arrays, int], Run]:
    return lambda subject, inputs, threads: formats.run_litert(file(subject), inputs, threads)


def _openvino(file: Callable[[Subject], Path]) -> Callable[[Subject, Arrays, int], Run]:
    """Compiled for the very sizes of the inputs, in float32, which is the best OpenVINO can do."""

    def open_(subject: Subject, inputs: Arrays, threads: int) -> Run:
        import openvino

        model = openvino.Core().read_model(str(file(subject)))
        model.reshape({name: array.shape for name, array in inputs.items()})
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        request = openvino.compile_model(model, "CPU", settings).create_infer_request()
        given = dict(inputs)

        def run() -> list[np.ndarray]:
            return list(request.infer(given, share_inputs=True, share_outputs=True).values())

        return run

    return open_


def _torch(subject: Subject, inputs: Arrays, threads: int) -> Run:
    from zoo.benchmarks.torch_translation import twin
    from zoo.benchmarks.torch_twin import import_torch

    import_torch().set_num_threads(threads)
    made, arrays = twin(subject.model), list(inputs.values())
    return lambda: made(arrays)


def _made(arrays: Arrays) -> str:
    """Python that makes arrays of the same sizes."""
    return ", ".join(f"{name!r}: np.ones({array.shape}, {str(array.dtype)!r})" for name, array in arrays.items())


def _cold_runtime(format: str, quantize: str | None) -> Callable[[Subject, Arrays], str]:
    return lambda subject, arrays: (
        "import numpy as np\nfrom export.runtime import load\n"
        f"load({str(subject.ours(format, quantize))!r}).run({{{_made(arrays)}}})"
    )


def _cold_saved_model(subject: Subject, arrays: Arrays) -> str:
    return (
        "import numpy as np\nfrom pathlib import Path\nfrom export.executors import SavedModelExecutor\n"
        f"SavedModelExecutor(Path({str(subject.ours('saved_model', None))!r})).run({{{_made(arrays)}}})"
    )


def _cold_keras(subject: Subject, arrays: Arrays) -> str:
    """Loads what was given and predicts."""
    return (
        f"import numpy as np\nfrom zoo.benchmarks.subjects import subject\nfrom zoo.benchmarks import peers\n"
        f"peers.of('Keras predict').open(subject({subject.given!r}), {{{_made(arrays)}}}, 1)()"
    )


def _cold_onnx(file: Callable[[Subject], Path]) -> Callable[[Subject, Arrays], str]:
    return lambda subject, arrays: (
        f"import numpy as np, onnxruntime\nsession = onnxruntime.InferenceSession({str(file(subject))!r})\n"
        f"session.run(None, {{{_made(arrays)}}})"
    )


def _cold_openvino(file: Callable[[Subject], Path]) -> Callable[[Subject, Arrays], str]:
    return lambda subject, arrays: (
        f"import numpy as np, openvino\nopenvino.compile_model({str(file(subject))!r}, 'CPU')({{{_made(arrays)}}})"
    )


def _cold_torch(subject: Subject, arrays: Arrays) -> str:
    from zoo.benchmarks.torch_translation import twin
    from zoo.benchmarks.torch_twin import import_torch

    path = subject.folder / "twin.pt"
    import_torch().save(twin(subject.model), path)
    made = f"list({{{_made(arrays)}}}.values())"
    return f"import numpy as np, torch\ntorch.load({str(path)!r}, weights_only=False)({made})"


def _ours_onnx(subject: Subject) -> Path:
    return subject.ours("onnx", None)


def _theirs_onnx(subject: Subject) -> Path:
    return subject.keras_export("onnx")


def _theirs_litert(subject: Subject) -> Path:
    return subject.keras_export("tflite")


def _theirs_unrolled(subject: Subject) -> Path:
    return subject.keras_export("tflite", unroll=True)


def _onnx_peer(quantize: str | None) -> Peer:
    return _own_file("ONNX Runtime", "onnx", quantize, ("onnxruntime",))


def alone(quantize: str | None = None) -> Peer:
    """Our ONNX file on one thread, however many the others have: a step of a small layer is too little to share."""
    several = _onnx_peer(quantize)
    return dataclasses.replace(
        several, title=f"{several.title}, 1 thread", open=lambda subject, inputs, _: several.open(subject, inputs, 1)
    )


def of_batch(found: Sequence[Peer], fixed: Subject) -> list[Peer]:
    """`found`, of which our TFLite files are those of `fixed`, whose batch is fixed: a file for any batch holds one row
    and runs several one by one."""
    return [_on(peer, fixed) if peer.own and peer.backend == "tflite" else peer for peer in found]


def _on(peer: Peer, subject: Subject) -> Peer:
    """`peer` on the file of this very subject."""
    assert peer.file is not None, "ours run files"
    file = peer.file
    return dataclasses.replace(
        peer, open=lambda _, inputs, threads: peer.open(subject, inputs, threads), file=lambda _: file(subject)
    )


def _litert_peer(quantize: str | None) -> Peer:
    return _own_file("LiteRT", "tflite", quantize, ("ai_edge_litert",))


def _own_file(title: str, format: str, quantize: str | None, needs: tuple[str, ...]) -> Peer:
    return Peer(
        title=f"{title}, {quantize}" if quantize else title,
        open=_runtime(format, quantize),
        file=lambda subject: subject.ours(format, quantize),
        cold=_cold_runtime(format, quantize),
        needs=needs,
        backend=format,
        quantize=quantize,
        own=True,
    )


def _saved_model_peer(quantize: str | None) -> Peer:
    return Peer(
        "SavedModel",
        _saved_model,
        lambda subject: subject.ours("saved_model", None),
        _cold_saved_model,
        needs=("tensorflow",),
        backend="saved_model",
        own=True,
    )


_FORMATS = {"onnx": "onnx", "litert": "tflite", "saved-model": "saved_model"}
_OURS: Mapping[str, Callable[[str | None], Peer]] = {
    "onnx": _onnx_peer,
    "litert": _litert_peer,
    "saved-model": _saved_model_peer,
}
_KERAS = ("keras", "tensorflow")
# By the names that --against takes, in the order of the rows.
NAMES: Mapping[str, Sequence[Peer]] = {
    "keras": (
        Peer("Keras predict", _keras_predict, cold=_cold_keras, needs=_KERAS, backend="keras"),
        Peer("Keras tf.function", _keras_graph, needs=_KERAS, backend="keras"),
    ),
    "onnx": (_onnx_peer(None),),
    "litert": (_litert_peer(None),),
    "saved-model": (_saved_model_peer(None),),
    "keras-export": (
        Peer(
            "ONNX Runtime, Keras export",
            _of_keras(_onnx_of_keras),
            _theirs_onnx,
            _of_keras(_cold_onnx(_theirs_onnx)),
            needs=("onnxruntime", "tf2onnx"),
        ),
    ),
    "litert-default": (
        Peer("LiteRT, Keras export", _of_keras(_litert(_theirs_litert)), _theirs_litert, needs=("ai_edge_litert",)),
        Peer(
            "LiteRT, Keras export unrolled",
            _of_keras(_litert(_theirs_unrolled)),
            _theirs_unrolled,
            needs=("ai_edge_litert",),
        ),
    ),
    "torch": (Peer("PyTorch", _torch, cold=_cold_torch, needs=("torch",)),),
    "openvino": (
        Peer("OpenVINO", _openvino(_ours_onnx), _ours_onnx, _cold_openvino(_ours_onnx), needs=("openvino",)),
        Peer(
            "OpenVINO, Keras export",
            _of_keras(_openvino(_theirs_onnx)),
            _theirs_onnx,
            _of_keras(_cold_openvino(_theirs_onnx)),
            needs=("openvino", "tf2onnx"),
        ),
    ),
}


def of(title: str) -> Peer:
    """The peer whose rows are named so."""
    return next(peer for peers in NAMES.values() for peer in peers if peer.title == title)


def usual(subject: Subject) -> Sequence[str]:
    """Against what a subject is timed where nothing else is asked for."""
    return ("keras", "litert") if subject.runs_keras else ()


def able(subject: Subject, against: Sequence[str], quantize: Sequence[str] = ()) -> list[Peer]:
    """The peers of these names, of a file those that can read it.

    Raises UnknownName; InvalidInput for a peer, or a quantised form, that needs the Keras model where there is none.
    """
    if subject.runs_keras:
        return chosen(against, quantize)
    names, titles = _READERS[Path(subject.given).suffix]
    found = [peer for peer in chosen([names[0], *against], quantize) if peer.title in titles]
    refused = [*(name for name in against if name not in names), *quantize]
    if refused:
        raise InvalidInput(
            f"{subject.given} is compared on {' and '.join(names)} only: {', '.join(refused)} would need the Keras "
            "model it came from. Give its .keras file or a zoo name."
        )
    return found


# By the suffix of a file: the names of the peers that read it, its own runtime first, and the titles of their rows.
_READERS = {".onnx": (("onnx", "openvino"), ("ONNX Runtime", "OpenVINO")), ".tflite": (("litert",), ("LiteRT",))}
