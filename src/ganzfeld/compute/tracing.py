"""Traced work: list torch's operations of a piece of work once, derivatives included, then run the list.

The list needs no autograd graph and none of the Python code that made it. Operations whose results nothing
uses are left out, and weights are cast to lower precision once instead of in every pass. All remaining
operations are those of the work itself, in the same order.

While torch traces, autocast keeps no cast weights for the next pass. So two passes through a network sum the
gradients of its weights in float32, where the cache lets them be summed in bfloat16: in bfloat16, traced work
differs from ordinary work by this rounding; in float32 it equals it to the bit.
"""

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from ganzfeld.compute.aliases import bases_of, written_by
from ganzfeld.compute.lanes import Laned, Stopwatch, separate_gradients

_CAST = torch.ops.aten._to_copy.default


TIMED_CALLS = 3
"""How often each kind of work runs in one lane, operation by operation, before two lanes share it."""

Traced = Callable[..., list[Tensor]]


class TracedWork:
    """The traces of a function of tensors, one per kind of work; the shapes of the inputs are fixed.

    All other tensors that the work uses, such as weights, are read and written where they are. Numbers that
    are not tensors are those of the traced call. With ``in_lanes`` two threads share the work, see
    ``compute/lanes.py``, once its operations have been timed.
    """

    def __init__(self, in_lanes: bool = False) -> None:
        self._in_lanes = in_lanes
        self._traces: dict[Hashable, Traced] = {}

    def __len__(self) -> int:
        """Return the number of kinds of work traced so far."""
        return len(self._traces)

    @property
    def is_settled(self) -> bool:
        """Check whether all kinds of work done so far will run as they did last, in one lane or in two."""
        return all(not isinstance(trace, _ToBeLaned) or trace.is_laned for trace in self._traces.values())

    def __call__(
        self, kind: Hashable, inputs: Sequence[Tensor], work: Callable[[list[Tensor]], list[Tensor]]
    ) -> list[Tensor]:
        """Return the results of ``work`` for these inputs; the first call of a kind does it and traces it."""
        if kind in self._traces:
            with torch.no_grad():
                return list(self._traces[kind](*inputs))
        results: list[Tensor] = []

        def recorded(*inputs: Tensor) -> list[Tensor]:
            results.extend(work(list(inputs)))
            return list(results)

        trace = simplified(make_fx(recorded)(*inputs))
        self._traces[kind] = _ToBeLaned(trace) if self._in_lanes else trace.forward
        return results


class _ToBeLaned:
    """A trace that is timed in its first calls and runs in two lanes from then on."""

    def __init__(self, trace: GraphModule) -> None:
        separate_gradients(trace.graph)
        trace.recompile()
        self._trace = trace
        self._stopwatch = Stopwatch(trace)
        self._calls_left = TIMED_CALLS
        self._laned: Laned | None = None

    @property
    def is_laned(self) -> bool:
        """Check whether the lanes have been chosen."""
        return self._laned is not None

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        if self._laned is not None:
            return self._laned(*inputs)
        results = self._stopwatch.run(*inputs)
        self._calls_left -= 1
        if not self._calls_left:
            self._laned = Laned(self._trace, self._stopwatch.durations)
        return results


def simplified(trace: GraphModule) -> GraphModule:
    """Remove repeated casts of weights and operations without a use from a trace; return it."""
    merge_casts(trace.graph)
    trace.graph.eliminate_dead_code()
    trace.recompile()
    return trace


def merge_casts(graph: Graph) -> None:
    """Let equal casts of a tensor from outside the graph share one result, until the tensor changes."""
    bases = bases_of(graph)
    # A cast that is itself changed later belongs to one user alone.
    changed = {base for node in graph.nodes for source in written_by(node) for base in bases[source]}
    casts: dict[tuple[str, Hashable], Node] = {}
    for node in list(graph.nodes):
        if node.target is _CAST and node.args[0].op == "get_attr" and node not in changed:
            key = node.args[0].target, tuple(sorted(node.kwargs.items(), key=str))
            if key in casts:
                node.replace_all_uses_with(casts[key])
                graph.erase_node(node)
            else:
                casts[key] = node
            continue
        written = {base for source in written_by(node) for base in bases[source]}
        casts = {key: cast for key, cast in casts.items() if key[0] not in written}
