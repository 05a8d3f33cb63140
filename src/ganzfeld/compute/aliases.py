"""Which values of a trace share memory, and which of them an operation changes."""

import operator
from collections.abc import Iterable
from typing import Any

import torch
from torch.fx import Graph, Node

_BATCH_NORM = torch.ops.aten.native_batch_norm.default


def bases_of(graph: Graph) -> dict[Node, frozenset[Any]]:
    """Return for each node the tensors whose memory its value may share.

    A tensor is named by the node that makes it, or by its attribute, which several nodes may fetch.
    """
    bases: dict[Node, frozenset[Any]] = {}
    for node in graph.nodes:
        if node.op == "get_attr":
            bases[node] = frozenset([node.target])
        else:
            viewed = {base for source in _nodes_in(_viewed(node)) for base in bases[source]}
            bases[node] = frozenset(viewed or [node])
    return bases


def written_by(node: Node) -> list[Node]:
    """Return the nodes whose values an operation changes."""
    if node.target is _BATCH_NORM:  # its running statistics, which the schema does not mention
        return list(_nodes_in(node.args[3:5]))
    return list(_nodes_in(value for value, info in _aliases(node) if info.is_write))


def _viewed(node: Node) -> list[Any]:
    """Return the arguments of which the result of an operation may be a view or a part."""
    if node.target is operator.getitem:
        return [node.args[0]]
    if not isinstance(node.target, torch._ops.OpOverload):
        return []
    returns_alias = any(result.alias_info is not None for result in node.target._schema.returns)
    return [value for value, _ in _aliases(node)] if returns_alias else []


def _aliases(node: Node) -> list[tuple[Any, Any]]:
    """Return the arguments of an operation that its schema marks as changed or viewed, with that mark."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return []
    arguments = zip(range(len(node.target._schema.arguments)), node.target._schema.arguments, strict=True)
    return [
        (node.args[index] if index < len(node.args) else node.kwargs.get(argument.name), argument.alias_info)
        for index, argument in arguments
        if argument.alias_info is not None
    ]


def _nodes_in(values: Iterable[Any]) -> Iterable[Node]:
    """Yield the nodes among some arguments, and in lists of them."""
    for value in values:
        if isinstance(value, Node):
            yield value
        elif isinstance(value, list | tuple):
            yield from _nodes_in(value)
