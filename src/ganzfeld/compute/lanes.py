"""Two lanes: two threads that run the operations of a trace side by side.

A step of a small network is hundreds of operations of some microseconds each. When two threads share each of
them, they wait for each other hundreds of times. Here each thread runs whole operations, and waits only where
it needs a result of the other. A backward pass offers enough of them: the gradient of a layer's weights and
the gradient of its input do not depend on each other.

Which lane runs an operation is decided once, from measured durations, by list scheduling: the operation with
the longest path to the end comes first (Graham 1969). Every operation computes the same numbers in either
lane, so the schedule changes no result.
"""

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Interpreter, Node

from ganzfeld.compute.aliases import bases_of, written_by

NUM_LANES = 2
HANDOVER_S = 15e-6
"""What it takes to pass a result to the other lane, as the schedule assumes."""
CALL_S = 4e-6
"""What Python takes for a call, during which the other lane cannot make one."""
CANDIDATES = 12
"""The operations that the schedule looks at in each turn, longest path to the end first."""

_BACKWARD = torch.ops.aten.convolution_backward.default


class Laned:
    """A trace in two lanes: called with the inputs of the trace, it returns the results of the trace.

    ``durations`` are the seconds of its operations, by name of the node. The second lane is a thread of its
    own, which ends with this object.
    """

    def __init__(self, trace: GraphModule, durations: Mapping[str, float]) -> None:
        order = lanes_of(trace.graph, durations)
        self._channels: list[list[_Channel]] = [[], []]
        self._lanes = _split(trace, order, self._channels)
        self._process = 0
        self._failure: BaseException | None = None

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Run both lanes on these inputs. An error in either lane ends both and is raised."""
        if self._process != os.getpid():  # the threads of a process do not live on in its forks
            self._process = os.getpid()
            self._other = ThreadPoolExecutor(1, "lane", torch.set_flush_denormal, (True,))
        threads = torch.get_num_threads()
        self._failure = None
        other = self._other.submit(self._run, 1, inputs, threads)
        try:
            results = self._run(0, inputs, threads)
        finally:
            wait([other])  # also if a signal ends this lane: nobody may change weights after this call
        if self._failure is not None:
            failure, self._failure = self._failure, None
            for channel in (*self._channels[0], *self._channels[1]):
                channel.reset()
            raise failure
        assert results is not None
        return list(results)

    @torch.no_grad()
    def _run(self, lane: int, inputs: Sequence[Tensor], threads: int) -> Sequence[Tensor] | None:
        """Run one lane; keep the first error of both, and let the other lane reach its own end."""
        try:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            return self._lanes[lane].forward(*inputs)
        except BaseException as error:  # noqa: BLE001  it is raised by ``__call__``
            self._failure = self._failure or error
            for channel in self._channels[lane]:
                channel.give_up()
            return None


class Stopwatch(Interpreter):
    """Runs a trace and keeps the least seconds of each operation, by name of the node."""

    def __init__(self, trace: GraphModule) -> None:
        super().__init__(trace)
        self.extra_traceback = False  # errors keep their message
        self.durations: dict[str, float] = {}

    def run_node(self, n: Node) -> Any:
        """Run an operation and time it."""
        begun = time.perf_counter()
        result = super().run_node(n)
        seconds = time.perf_counter() - begun
        self.durations[n.name] = min(seconds, self.durations.get(n.name, seconds))
        return result


def separate_gradients(graph: Graph) -> None:
    """Split each convolution's backward operation into that of the input and that of the weights."""
    for node in list(graph.nodes):
        if node.target is not _BACKWARD or not all(node.args[-1][:2]):
            continue
        *arguments, (_, _, with_bias) = node.args
        with graph.inserting_before(node):
            of_input = graph.call_function(_BACKWARD, (*arguments, [True, False, False]))
            of_weight = graph.call_function(_BACKWARD, (*arguments, [False, True, with_bias]))
        for user in list(node.users):
            index = user.args[1]
            user.args = (of_weight if index else of_input, index)
        graph.erase_node(node)


def dependencies(graph: Graph) -> dict[Node, set[Node]]:
    """Return for each operation the earlier ones that it must follow.

    These are the operations whose results it takes, those that have changed a tensor that it reads, and, for
    an operation that changes a tensor, all earlier readers of it. Views count as the tensor they view.
    """
    bases = bases_of(graph)
    writer: dict[Any, Node] = {}
    readers: defaultdict[Any, set[Node]] = defaultdict(set)
    needs: dict[Node, set[Node]] = {}
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        sources = node.all_input_nodes
        read = {base for source in sources for base in bases[source]}
        needs[node] = {source for source in sources if source.op == "call_function"}
        needs[node] |= {writer[base] for base in read if base in writer}
        for base in {base for source in written_by(node) for base in bases[source]}:
            needs[node] |= readers[base]
            writer[base], readers[base] = node, set()
        for base in read:
            readers[base].add(node)
        needs[node].discard(node)
    return needs


def lanes_of(graph: Graph, durations: Mapping[str, float]) -> list[list[Node]]:
    """Assign the operations of a graph to two lanes; return each lane's operations in order."""
    needs = dependencies(graph)
    users: defaultdict[Node, list[Node]] = defaultdict(list)
    for node, sources in needs.items():
        for source in sources:
            users[source].append(node)
    to_end: dict[Node, float] = {}
    for node in reversed(needs):
        to_end[node] = durations.get(node.name, 0.0) + max((to_end[user] for user in users[node]), default=0)
    waiting = {node: len(sources) for node, sources in needs.items()}
    ready = [node for node, count in waiting.items() if not count]
    free_at, end, lane_of = [0.0] * NUM_LANES, dict[Node, float](), dict[Node, int]()
    lanes: list[list[Node]] = [[], []]
    while ready:
        ready.sort(key=to_end.__getitem__, reverse=True)
        starts = (
            (
                max([free_at[lane], *(end[n] + HANDOVER_S * (lane_of[n] != lane) for n in needs[node])]),
                rank,
                lane,
            )
            for rank, node in enumerate(ready[:CANDIDATES])
            for lane in range(NUM_LANES)
        )
        start, rank, lane = min(starts)
        node = ready.pop(rank)
        lanes[lane].append(node)
        lane_of[node] = lane
        free_at[lane] = end[node] = start + CALL_S + durations.get(node.name, 0.0)
        for user in users[node]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return lanes


@dataclass
class _Channel:
    """Passes one value per run from one lane to the other."""

    _value: Any = None
    _is_empty: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Empty the channel after a run that failed."""
        self._value, self._is_empty = None, threading.Lock()
        self._is_empty.acquire()

    def give_up(self) -> None:
        """Let the other lane continue, with no value."""
        with contextlib.suppress(RuntimeError):  # it was given already
            self._is_empty.release()

    def functions(self) -> tuple[Callable[[Any], None], Callable[[], Any]]:
        """Return the functions that give and take the value, as operations of a graph."""

        def give(value: Any) -> None:
            self._value = value
            self._is_empty.release()

        def take() -> Any:
            self._is_empty.acquire()
            value, self._value = self._value, None
            return value

        return give, take


def _split(
    trace: GraphModule, lanes: Sequence[Sequence[Node]], channels: Sequence[list[_Channel]]
) -> list[GraphModule]:
    """Return one module per lane, joined by channels, which are added to ``channels`` by the giving lane."""
    needs = dependencies(trace.graph)
    lane_of = {node: lane for lane, nodes in enumerate(lanes) for node in nodes}
    (output,) = trace.graph.find_nodes(op="output")
    results = {node for node in output.all_input_nodes if lane_of.get(node) == 1}
    takers: dict[Node, Callable[[], Any]] = {}
    givers: dict[Node, Callable[[Any], None]] = {}
    crossing = {
        source for node, sources in needs.items() for source in sources if lane_of[source] != lane_of[node]
    }
    for node in lane_of:
        if node in crossing or node in results:
            channel = _Channel()
            channels[lane_of[node]].append(channel)
            givers[node], takers[node] = channel.functions()
    modules = []
    for lane, nodes in enumerate(lanes):
        graph, copies = Graph(), dict[Node, Node]()
        for node in trace.graph.nodes:
            if node.op in ("placeholder", "get_attr"):
                copies[node] = graph.node_copy(node)

        def copied(source: Node, graph: Graph = graph, copies: dict[Node, Node] = copies) -> Node:
            """Return the copy of a node in this lane, taken from the other lane if it is made there."""
            if source not in copies:
                copies[source] = graph.call_function(takers[source])
            return copies[source]

        for node in nodes:
            for source in sorted(needs[node], key=lambda source: source.name):
                copied(source)
            copies[node] = graph.node_copy(node, copied)
            if node in givers:
                graph.call_function(givers[node], (copies[node],))
        graph.output(torch.fx.map_arg(output.args[0], copied) if lane == 0 else None)
        modules.append(GraphModule(trace, graph))
    return modules
