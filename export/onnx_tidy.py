"""Small rewrites that leave an ONNX graph as a person would have drawn it. They move data and change no number.

Identity                                   -> nothing
Transpose, Transpose                       -> one, or nothing
Squeeze, Unsqueeze of the same axes        -> nothing
Cast of a position to int32 and to int64   -> nothing
both directions of a node, then Concat     -> Transpose, Reshape (and a Transpose to batch-major)
Transpose, Reshape, Transpose of these     -> Transpose, Reshape
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto

from export.onnx_graph import Graph, attribute, rename_reads

TIME_MAJOR = [1, 0, 2]  # batch-major [B, T, F] <-> time-major [T, B, F]


def tidy(graph: Graph) -> None:
    """Applies the rewrites until none fits: first those that cancel, then the one that would stand in their way."""
    for rewrites in (
        (_identity, _transposes, _squeeze_unsqueeze, _casts, _directions),
        (_transpose_reshape_transpose,),
    ):
        while _Pass(graph).run(rewrites):
            pass


class _Pass:
    """One walk from inputs to outputs. A rewrite answers with the tensor to read in place of the node's output (its own
    output if the node was changed where it stands), or None if it does not fit."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers: dict[str, NodeProto] = {}
        self.reads = graph.reads()
        self._walked: list[NodeProto] = []

    def run(self, rewrites: Sequence[Callable[["_Pass", NodeProto], str | None]]) -> bool:
        aliases: dict[str, str] = {}
        changed = False
        for node in self.graph.ordered():
            rename_reads(node, aliases)
            tensor = next((found for rewrite in rewrites if (found := rewrite(self, node)) is not None), None)
            changed |= tensor is not None
            if tensor is not None and tensor != node.output[0]:
                aliases[node.output[0]] = tensor
            else:
                self._keep(node)
        self.graph.nodes = self._walked
        self.graph.outputs = {name: aliases.get(tensor, tensor) for name, tensor in self.graph.outputs.items()}
        return changed

    def maker(self, tensor: str, kind: str) -> NodeProto | None:
        """The node of operator `kind` that makes `tensor`, if it is one."""
        node = self.makers.get(tensor)
        return node if node is not None and node.op_type == kind else None

    def constant(self, node: NodeProto, position: int) -> list[int] | int | None:
        value = self.graph.constants.get(node.input[position]) if len(node.input) > position else None
        return None if value is None else value.tolist()

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """A new node before the one being looked at; the tensor it makes."""
        output = self.graph.new_name()
        self._keep(onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def add_constant(self, value: Sequence[int]) -> str:
        name = self.graph.new_name()
        self.graph.constants[name] = np.array(value, "int64")
        return name

    def _keep(self, node: NodeProto) -> None:
        self._walked.append(node)
        self.makers.update((name, node) for name in node.output if name)


def _identity(step: _Pass, node: NodeProto) -> str | None:
    return str(node.input[0]) if node.op_type == "Identity" else None


def _transposes(step: _Pass, node: NodeProto) -> str | None:
    perm = attribute(node, "perm") if node.op_type == "Transpose" else None
    if perm is None:
        return None
    if perm == sorted(perm):
        return str(node.input[0])
    before = step.maker(node.input[0], "Transpose")
    if before is None:
        return None
    inner = attribute(before, "perm")
    return step.add("Transpose", [before.input[0]], perm=[inner[axis] for axis in perm])


def _squeeze_unsqueeze(step: _Pass, node: NodeProto) -> str | None:
    before = step.maker(node.input[0], "Squeeze") if node.op_type == "Unsqueeze" else None
    if before is None:
        return None
    axes = step.constant(node, 1)
    return str(before.input[0]) if axes is not None and axes == step.constant(before, 1) else None


def _casts(step: _Pass, node: NodeProto) -> str | None:
    """TensorFlow counts in int32, ONNX in int64; what `Shape` and `TopK` make fits both."""
    before = step.maker(node.input[0], "Cast") if attribute(node, "to") == TensorProto.INT64 else None
    if before is None or attribute(before, "to") != TensorProto.INT32:
        return None
    counted = step.maker(before.input[0], "Shape") or step.maker(before.input[0], "TopK")
    return str(before.input[0]) if counted is not None and before.input[0] == counted.output[-1] else None


def _directions(step: _Pass, node: NodeProto) -> str | None:
    """Concat of both directions on the last axis: of sequences, batch-major or time-major, or of states [B, H]."""
    if node.op_type != "Concat" or len(node.input) != 2:
        return None
    if (states := _both_directions(step, node.input, axis=0)) and attribute(node, "axis") in (1, -1):
        return step.add("Reshape", [step.add("Transpose", [states], perm=TIME_MAJOR), step.add_constant([0, -1])])
    makers = [step.maker(name, "Transpose") for name in node.input]
    turned = [maker.input[0] for maker in makers if maker is not None and attribute(maker, "perm") == TIME_MAJOR]
    both = _both_directions(step, turned if len(turned) == 2 else node.input, axis=1)
    if both is None or attribute(node, "axis") not in (2, -1):
        return None
    by_step = step.add("Transpose", [both], perm=[0, 2, 1, 3])
    joined = step.add("Reshape", [by_step, step.add_constant([0, 0, -1])])
    return step.add("Transpose", [joined], perm=TIME_MAJOR) if turned else joined


def _both_directions(step: _Pass, halves: Sequence[str], axis: int) -> str | None:
    """The tensor whose entries 0 and 1 along `axis` are the two `halves`."""
    makers = [step.maker(half, "Gather") for half in halves]
    if makers[0] is None or makers[1] is None or makers[0].input[0] != makers[1].input[0]:
        return None
    picked = [step.constant(maker, 1) for maker in makers if maker is not None and attribute(maker, "axis") == axis]
    return str(makers[0].input[0]) if picked == [0, 1] else None


def _transpose_reshape_transpose(step: _Pass, node: NodeProto) -> str | None:
    if node.op_type != "Transpose" or attribute(node, "perm") != TIME_MAJOR or step.reads.get(node.input[0], 0) != 1:
        return None
    reshape = step.maker(node.input[0], "Reshape")
    before = step.maker(reshape.input[0], "Transpose") if reshape is not None else None
    if reshape is None or before is None or step.constant(reshape, 1) != [0, 0, -1]:
        return None
    if attribute(before, "perm") != [0, 2, 1, 3]:
        return None
    by_row = step.add("Transpose", [before.input[0]], perm=[2, 0, 1, 3])
    return step.add("Reshape", [by_row, reshape.input[1]])
