"""A `GRU` node of ONNX in integer steps: one product for the inputs of all steps, and a `Scan` with one product a step.

    p  = x W + b_W                  all steps at once
    q  = h R + b_R                  each step
    z, r = sigmoid(p_zr + q_zr)     update and reset gate
    n  = tanh(p_n + r q_n)          candidate, `linear_before_reset`
    h' = n + z (h - n)              h where the step is behind the row's length

Products are `DynamicQuantizeMatMul`: int8 weights, the range of x and h measured at each call. The other operators of
a step cost what they cost at any size, so this pays where the weights are large: from `UNITS` on, at batch 1, see
`zoo/benchmarks/results/quantized.csv`.
Source: https://onnx.ai/onnx/operators/onnx__GRU.html, gates in the order z, r, n.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from export.onnx_graph import attribute

MICROSOFT = "com.microsoft"
UNITS = 384
_ACTIVATIONS = (None, [b"Sigmoid", b"Tanh"], [b"Sigmoid", b"Tanh"] * 2)
Add = Callable[[str, np.ndarray], str]  # makes a constant, gives its name
Factor = Callable[[str, np.ndarray], tuple[str, str]]  # stores a matrix in int8: the names of its values and its scales


def is_eligible(node: NodeProto) -> bool:
    """Whether `integer_gru` computes what `node` does."""
    return (
        attribute(node, "linear_before_reset") == 1
        and attribute(node, "activations") in _ACTIVATIONS
        and attribute(node, "clip") is None
        and not attribute(node, "layout")
    )


def integer_gru(node: NodeProto, weights: Sequence[np.ndarray], factor: Factor, add: Add) -> list[NodeProto]:
    """What stands for `node`; `weights` are its W [S, 3 H, D], R [S, 3 H, H] and B [S, 6 H], S directions."""
    return _Steps(node, factor, add).written(*weights)


class _Steps:
    def __init__(self, node: NodeProto, factor: Factor, add: Add) -> None:
        self.node, self.name, self.factor, self.add = node, node.name, factor, add
        self.x = node.input[0]
        self.lengths, self.initial = [*node.input, "", "", ""][4:6]
        self.nodes: list[NodeProto] = []

    def written(self, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> list[NodeProto]:
        units = recurrent.shape[-1]
        valid = self._valid() if self.lengths else ""
        backward = attribute(self.node, "direction") == b"reverse"
        sides = [
            self._side(side, backward or side == 1, valid, self._initial(side, units), *arrays)
            for side, arrays in enumerate(zip(kernel, recurrent, bias, strict=True))
        ]
        for place, (output, axis) in enumerate(zip(self.node.output, (1, 0), strict=False)):
            if output:
                axes = self._integers(f"axis_{axis}", [axis])
                parts = [
                    self._make("Unsqueeze", [found[place], axes], f"{side}_side_{axis}")
                    for side, found in enumerate(sides)
                ]
                self.nodes.append(helper.make_node("Concat", parts, [output], f"{self.name}_sides_{axis}", axis=axis))
        return self.nodes

    def _side(
        self, side: int, backward: bool, valid: str, h: str, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray
    ) -> tuple[str, str]:
        """The names of all hidden states [T, B, H] and of the last one [B, H]."""
        units, name = recurrent.shape[1], f"{self.name}_{side}"
        biases = [
            self.add(f"{name}_{what}", part) for what, part in zip(("b_W", "b_R"), np.split(bias, 2), strict=True)
        ]
        (w, w_scale), (r, r_scale) = (
            self.factor(f"{name}_{what}", m.T) for what, m in (("W", kernel), ("R", recurrent))
        )
        parts = self._integers("parts", [2 * units, units])
        p = self._make("DynamicQuantizeMatMul", [self.x, w, w_scale, "", biases[0]], f"{side}_p", domain=MICROSOFT)
        scanned = [p, valid] if valid else [p]
        body = _body(f"{name}_step", units, [r, r_scale, "", biases[1]], parts, masked=bool(valid))
        outputs = [f"{name}_last", f"{name}_all"]
        self.nodes.append(
            helper.make_node(
                "Scan",
                [h, *scanned],
                outputs,
                f"{name}_steps",
                body=body,
                num_scan_inputs=len(scanned),
                scan_input_directions=[int(backward)] * len(scanned),
                scan_output_directions=[int(backward)],
            )
        )
        return outputs[1], outputs[0]

    def _initial(self, side: int, units: int) -> str:
        if self.initial:
            return self._make("Gather", [self.initial, self._integers(f"side_{side}", side)], f"start_{side}", axis=0)
        batch = self._make("Shape", [self.x], f"batch_{side}", start=1, end=2)
        sizes = self._make("Concat", [batch, self._integers("units", [units])], f"sizes_{side}", axis=0)
        zero = numpy_helper.from_array(np.zeros(1, "float32"))
        return self._make("ConstantOfShape", [sizes], f"start_{side}", value=zero)

    def _valid(self) -> str:
        """bool [T, B, 1]: whether a step lies within the length of its row."""
        steps = self._make("Shape", [self.x], "steps", start=0, end=1)
        last = self._make("Squeeze", [steps], "last")
        ends = [self._integers(f"number_{number}", number) for number in (0, 1)]
        places = self._make("Range", [ends[0], last, ends[1]], "range")
        by_time = self._make("Unsqueeze", [places, self._integers("axes_1_2", [1, 2])], "places")
        wide = self._make("Cast", [self.lengths], "lengths", to=TensorProto.INT64)
        by_row = self._make("Unsqueeze", [wide, self._integers("axes_0_2", [0, 2])], "ends")
        return self._make("Less", [by_time, by_row], "valid")

    def _make(self, kind: str, reads: Sequence[str], name: str, **attributes: Any) -> str:
        output = f"{self.name}_{name}"
        self.nodes.append(helper.make_node(kind, reads, [output], output, **attributes))
        return output

    def _integers(self, name: str, value: Any) -> str:
        return self.add(f"{self.name}_{name}", np.array(value, "int64"))


def _body(name: str, units: int, factor: Sequence[str], parts: str, masked: bool) -> GraphProto:
    """h, p and, if `masked`, whether the step is valid -> the next h, what the step gives out."""
    steps = [
        ("DynamicQuantizeMatMul", ["h", *factor], ["q"]),
        ("Split", ["p", parts], ["p_zr", "p_n"]),
        ("Split", ["q", parts], ["q_zr", "q_n"]),
        ("Add", ["p_zr", "q_zr"], ["sum_zr"]),
        ("Sigmoid", ["sum_zr"], ["zr"]),
        ("Split", ["zr"], ["z", "r"]),
        ("Mul", ["r", "q_n"], ["reset"]),
        ("Add", ["p_n", "reset"], ["sum_n"]),
        ("Tanh", ["sum_n"], ["n"]),
        ("Sub", ["h", "n"], ["difference"]),
        ("Mul", ["z", "difference"], ["kept"]),
        ("Add", ["n", "kept"], ["new"]),
    ]
    if masked:
        steps += [
            ("Where", ["valid", "new", "h"], ["h_next"]),
            ("Sub", ["new", "new"], ["zero"]),
            ("Where", ["valid", "new", "zero"], ["y"]),
        ]
    else:
        steps += [("Identity", ["new"], ["h_next"]), ("Identity", ["new"], ["y"])]
    options: dict[str, dict[str, Any]] = {"DynamicQuantizeMatMul": {"domain": MICROSOFT}, "Split": {"axis": -1}}
    outer = {parts, *factor}

    def own(names: Sequence[str]) -> list[str]:
        return [item if item in outer else f"{name}_{item}" for item in names]

    nodes = [helper.make_node(kind, own(reads), own(makes), **options.get(kind, {})) for kind, reads, makes in steps]

    def value(item: str, size: int, dtype: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(f"{name}_{item}", dtype, [None, size])

    inputs = [value("h", units), value("p", 3 * units)] + [value("valid", 1, TensorProto.BOOL)] * masked
    return helper.make_graph(nodes, name, inputs, [value("h_next", units), value("y", units)])
