"""An ONNX graph in canonical form: only what the outputs need, in one order, under short names that say what is what.

Nothing here depends on the names or the order a converter happened to choose, so equal graphs become equal bytes.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

_RECURRENT = {"LSTM": ("Y", "Y_h", "Y_c"), "GRU": ("Y", "Y_h"), "RNN": ("Y", "Y_h")}


def walk(graph: GraphProto) -> Iterator[NodeProto]:
    """Every node, those of nested graphs included."""
    for node in graph.node:
        yield node
        for inner in nested(node):
            yield from walk(inner)


def nested(node: NodeProto) -> list[GraphProto]:
    return [item.g for item in node.attribute if item.type == AttributeProto.GRAPH]


def attribute(node: NodeProto, name: str) -> Any:
    """The value of an attribute, None where the node does not have it."""
    return next((onnx.helper.get_attribute_value(item) for item in node.attribute if item.name == name), None)


def reads(node: NodeProto) -> list[str]:
    """What a node reads, by itself or from within its nested graphs."""
    return [name for name in node.input if name] + [name for inner in nested(node) for name in free_reads(inner)]


def free_reads(graph: GraphProto) -> list[str]:
    """Names that a nested graph takes from around it."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    used = [name for node in graph.node for name in reads(node)] + [value.name for value in graph.output]
    return [name for name in dict.fromkeys(used) if name not in own]


def rename_reads(node: NodeProto, names: Mapping[str, str]) -> None:
    """Every read of a key becomes a read of its value, in nested graphs too unless they define that name themselves."""
    node.input[:] = [names.get(name, name) for name in node.input]
    for inner in nested(node):
        outer = {name: names[name] for name in free_reads(inner) if name in names}
        for child in inner.node if outer else ():
            rename_reads(child, outer)


class Graph:
    """A graph while it is being changed: nodes in any order, constants as arrays.

    `outputs` maps the name of each output to the tensor it hands out, so that a tensor can be replaced by another.
    """

    def __init__(self, proto: GraphProto) -> None:
        self.inputs = [value.name for value in proto.input]
        self.outputs = {value.name: value.name for value in proto.output}
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.initializer}
        self.nodes: list[NodeProto] = []
        for node in proto.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(attribute(node, "value"))
            else:
                self.nodes.append(node)
        self.final_constants: dict[
            tuple[str, tuple[int, ...], bytes], str
        ] = {}  # by value, the name it is written under
        self._numbers = itertools.count()

    def new_name(self) -> str:
        """A name for a tensor that no converter gives and no other tensor has."""
        return f"new tensor {next(self._numbers)}"

    def makers(self) -> dict[str, NodeProto]:
        """The node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.output if name}

    def reads(self) -> dict[str, int]:
        """How often each tensor is read, as an output too."""
        count: dict[str, int] = {}
        for name in [*self.outputs.values(), *(name for node in self.nodes for name in reads(node))]:
            count[name] = count.get(name, 0) + 1
        return count

    def replace(self, old: str, new: str) -> None:
        """Everything that reads `old` reads `new`."""
        self.outputs = {name: new if tensor == old else tensor for name, tensor in self.outputs.items()}
        for node in self.nodes:
            rename_reads(node, {old: new})

    def drop_identities(self) -> None:
        for node in self.nodes:
            if node.op_type == "Identity":
                self.replace(node.output[0], node.input[0])

    def ordered(self) -> list[NodeProto]:
        """The nodes that the outputs need, each after what it reads, in the order of a walk back from the outputs."""
        makers = self.makers()
        done: dict[int, NodeProto] = {}
        stack = [(makers[name], False) for name in reversed(self.outputs.values()) if name in makers]
        while stack:
            node, ready = stack.pop()
            if id(node) in done:
                continue
            if ready:
                done[id(node)] = node
                continue
            stack.append((node, True))
            needed = (makers[name] for name in reversed(reads(node)) if name in makers)
            stack += [(other, False) for other in needed if id(other) not in done]
        return list(done.values())


def written(
    graph: Graph, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes and constants of `graph` in canonical form. `inputs` and `outputs` map the names it has to final ones."""
    graph.outputs = {name: graph.outputs[name] for name in outputs}
    scope, writer = dict(inputs), _Writer([*inputs.values(), *outputs.values()])
    aliases = []
    for name, tensor in graph.outputs.items():
        if tensor in scope or tensor in graph.constants:
            aliases.append((tensor, outputs[name]))
        else:
            scope[tensor] = outputs[name]
    nodes, constants = writer.body(graph, scope)
    for tensor, name in aliases:
        constants += writer.constants([tensor], [name], graph, scope)
        nodes.append(onnx.helper.make_node("Identity", [scope[tensor]], [name], name=writer.node("Identity")))
    return nodes, constants


class _Writer:
    """Names nodes by operator (recurrent ones by layer), tensors by their node, constants by their first reader."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._tensors = set(taken)
        self._nodes: set[str] = set()

    def tensor(self, name: str) -> str:
        return _free_name(name, self._tensors)

    def node(self, name: str) -> str:
        return _free_name(name, self._nodes)

    def body(self, graph: Graph, scope: dict[str, str]) -> tuple[list[NodeProto], list[TensorProto]]:
        """The nodes renamed and the constants they read; `scope` maps every name that is in sight to its final one."""
        nodes, read = graph.ordered(), graph.reads()
        constants: list[TensorProto] = []
        for node in nodes:
            node.name = self.node(node.name.rpartition(":")[0] if node.op_type in _RECURRENT else node.op_type)
            outer = [name for inner in nested(node) for name in free_reads(inner)]
            wanted = [f"{node.name}_{_formal(node, position)}" for position in range(len(node.input))]
            constants += self.constants([*node.input, *outer], [*wanted, *(node.name for _ in outer)], graph, scope)
            self._outputs(node, scope, read)
            self._rewrite(node, scope)
        return nodes, constants

    def constants(
        self, tensors: Iterable[str], wanted: Iterable[str], graph: Graph, scope: dict[str, str]
    ) -> list[TensorProto]:
        """Those of `tensors` that are constants of `graph` and not yet in `scope`; equal ones are written once."""
        new = []
        for tensor, name in zip(tensors, wanted, strict=True):
            if tensor not in graph.constants or tensor in scope:
                continue
            value = np.ascontiguousarray(graph.constants[tensor]).reshape(graph.constants[tensor].shape)
            key = (value.dtype.str, value.shape, value.tobytes())
            if key not in graph.final_constants:
                graph.final_constants[key] = self.tensor(name)
                new.append(numpy_helper.from_array(value, graph.final_constants[key]))
            scope[tensor] = graph.final_constants[key]
        return new

    def _outputs(self, node: NodeProto, scope: dict[str, str], read: Mapping[str, int]) -> None:
        """Names what a node makes; what nobody reads of a recurrent node is not made at all."""
        suffixes = _RECURRENT.get(node.op_type) or [str(position) for position in range(len(node.output))]
        for position, name in enumerate(node.output):
            if node.op_type in _RECURRENT and not read.get(name):
                node.output[position] = ""
            elif name and name not in scope:
                single = len(node.output) == 1
                scope[name] = self.tensor(node.name if single else f"{node.name}_{suffixes[position]}")
        while not node.output[-1]:
            node.output.pop()

    def _rewrite(self, node: NodeProto, scope: dict[str, str]) -> None:
        for field in (node.input, node.output):
            field[:] = [scope[name] if name else "" for name in field]
        for inner in nested(node):
            self._nest(inner, dict(scope), node.name)
        node.doc_string = ""
        in_order = sorted(node.attribute, key=lambda item: item.name)
        node.attribute.clear()
        node.attribute.extend(in_order)

    def _nest(self, proto: GraphProto, scope: dict[str, str], label: str) -> None:
        """A nested graph in place. It hands out only what it made, and each tensor once: `Identity` does the rest."""
        _separate_outputs(proto)
        graph = Graph(proto)
        graph.drop_identities()
        for value in proto.input:
            scope[value.name] = self.tensor(f"{label}_in")
            value.name = scope[value.name]
        made = set(graph.makers())
        nodes, constants = self.body(graph, scope)
        for value, tensor in zip(proto.output, graph.outputs.values(), strict=True):
            if tensor in made:
                made.remove(tensor)
                value.name = scope[tensor]
                continue
            constants += self.constants([tensor], [f"{label}_out"], graph, scope)
            value.name = self.tensor("Identity")
            nodes.append(onnx.helper.make_node("Identity", [scope[tensor]], [value.name], name=self.node("Identity")))
        for value in (*proto.input, *proto.output):
            _forget_free_sizes(value)
        for field, items in ((proto.node, nodes), (proto.initializer, constants)):
            kept = [type(item).FromString(item.SerializeToString()) for item in items]
            field.clear()
            field.extend(kept)
        proto.value_info.clear()
        proto.name, proto.doc_string = self.node(f"{label}_body"), ""


def _separate_outputs(proto: GraphProto) -> None:
    """A tensor handed out twice (a cell whose output is its state) gets a name for each time."""
    seen: set[str] = set()
    for position, value in enumerate(proto.output):
        if value.name in seen:
            again = f"{value.name} as output {position}"
            proto.node.append(onnx.helper.make_node("Identity", [value.name], [again]))
            value.name = again
        seen.add(value.name)


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name` with the first number from 2 on that makes it new; taken from then on."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free


def _formal(node: NodeProto, position: int) -> str:
    """What the operator calls its input number `position`."""
    formal = onnx.defs.get_schema(node.op_type, domain=node.domain).inputs
    return str(formal[min(position, len(formal) - 1)].name)


def _forget_free_sizes(value: ValueInfoProto) -> None:
    for dim in value.type.tensor_type.shape.dim:
        if dim.HasField("dim_param"):
            dim.Clear()
