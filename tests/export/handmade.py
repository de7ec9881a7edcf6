"""Small ONNX files written node by node, and executors written in NumPy: nothing of the exporter stands in them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.runtime import Executor
from zoo.spec import Signature, StateSpec, TensorSpec

FRAMES = TensorSpec("frames", "float32", (None, None, 3), ("batch", "time", "feature"))
SCORES = TensorSpec("scores", "float32", (None, None, 2), ("batch", "time", "feature"))
STATE = StateSpec("sum", "sum_h", "sum_h_out", "float32", (None, 2))
WEIGHT = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 3.0]], "float32")


def projection(path: Path, metadata: str | None = None) -> Path:
    """scores = frames @ WEIGHT, every step alone."""
    return _save(path, [helper.make_node("MatMul", ["frames", "w"], ["scores"])], [], metadata)


def running_sum(path: Path, metadata: str) -> Path:
    """scores[t] = sum over s <= t of frames[s] @ WEIGHT: the state is the sum so far, [batch, 2]."""
    nodes = [
        helper.make_node("MatMul", ["frames", "w"], ["steps"]),
        helper.make_node("CumSum", ["steps", "axis"], ["sums"]),
        helper.make_node("Unsqueeze", ["sum_h", "axis1"], ["start"]),
        helper.make_node("Add", ["sums", "start"], ["scores"]),
        helper.make_node("Gather", ["scores", "last"], ["sum_h_out"], axis=1),
    ]
    return _save(path, nodes, ["sum_h"], metadata)


def _save(path: Path, nodes: list[onnx.NodeProto], states: list[str], metadata: str | None) -> Path:
    constants = {"w": WEIGHT, "axis": np.array(1), "axis1": np.array([1]), "last": np.array(-1)}
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "handmade",
        [
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", "time", 3]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in states),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "time", 2]),
            *(helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, ["batch", 2]) for name in states),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata is not None:
        helper.set_model_props(model, {"recurrent_zoo": metadata})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def streaming_signature() -> Signature:
    states = TensorSpec("sum_h", "float32", (None, 2), ("batch", "feature"))
    returned = TensorSpec("sum_h_out", "float32", (None, 2), ("batch", "feature"))
    return Signature((FRAMES, states), (SCORES, returned), (STATE,))


class NumpyExecutor(Executor):
    """scores = tanh(frames @ WEIGHT) / 2, every step alone; subclasses err in one way each."""

    def __init__(self, inputs: tuple[TensorSpec, ...] = (FRAMES,), outputs: tuple[TensorSpec, ...] = (SCORES,)) -> None:
        self.signature = Signature(inputs, outputs)

    def run_checked(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"scores": np.tanh(arrays["frames"] @ WEIGHT) / 2}
