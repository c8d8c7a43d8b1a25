"""Calls of functions that a model defines itself, taken apart into ONNX's own operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

Functions = Mapping[tuple[str, str], onnx.FunctionProto]


def functions_of(model: onnx.ModelProto) -> Functions:
    """The model's functions by domain and name."""
    return {(function.domain, function.name): function for function in model.functions}


def expand_call(call: onnx.NodeProto, function: onnx.FunctionProto, prefix: str) -> Iterator[onnx.NodeProto]:
    """The nodes of a function's body with the caller's tensors and attributes in place of its own.

    Args:
        call: the node that calls the function.
        function: its definition.
        prefix: put before the names of tensors inside, to tell calls apart.
    """
    names = dict.fromkeys(function.input, "")
    names |= dict(zip(function.input, call.input, strict=False))
    names |= {formal: actual for formal, actual in zip(function.output, call.output, strict=False) if actual}
    attributes = {attribute.name: attribute for attribute in (*function.attribute_proto, *call.attribute)}
    for inner in function.node:
        node = onnx.NodeProto()
        node.CopyFrom(inner)
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, prefix + name) if name else "" for name in ends]
        del node.attribute[:]
        for attribute in inner.attribute:
            actual = attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
            if actual is not None:
                node.attribute.add().CopyFrom(actual)
                node.attribute[-1].name = attribute.name
        yield node
