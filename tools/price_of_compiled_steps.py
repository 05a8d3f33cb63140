"""Measure what compiling the traced step with inductor costs and gains on this machine.

    python tools/price_of_compiled_steps.py BATCH [BATCH ...]

Trains ``modern`` on the built-in faces at each batch, with the trace run operation by operation and with its
parts compiled (those between two operations that change tensors in place), and prints the seconds of
compiling and the milliseconds per step of both (medians of alternating rounds). It needs a C++ compiler.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # so that the first call compiles

from torch import Tensor, nn
from torch._inductor.compile_fx import compile_fx
from torch.fx import GraphModule, Node
from torch.fx.passes.split_module import split_module

from ganzfeld.compute import tracing
from ganzfeld.options import TrainOptions
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.routes import time_steps

ROUNDS = 7
STEPS = 8
FIRST_STEPS = 16
LEAST_OPERATIONS = 5
"""Smaller parts are not compiled."""

simplified = tracing.simplified


def main() -> None:
    """Print one line per batch."""
    parser = argparse.ArgumentParser(description="Cost and gain of compiling the traced step.")
    parser.add_argument("batches", nargs="+", type=int)
    for batch in parser.parse_args().batches:
        trainer = resolve_options(TrainOptions(minutes=1, batch=batch)).build("faces")
        compilation = Compilation()
        traced, compiled = (
            replace(trainer, graphed_update=None, traces_from=0, _traced_updates={}) for _ in range(2)
        )
        route = trainer.route.model_copy(update={"lanes": 1})
        time_steps(traced, route, FIRST_STEPS)
        tracing.simplified = compilation.compiled
        time_steps(compiled, route, FIRST_STEPS)
        pairs = [_milliseconds(traced, compiled, route) for _ in range(ROUNDS)]
        tracing.simplified = simplified
        one_by_one, in_parts = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(
            f"batch {batch}: {one_by_one:.1f} ms operation by operation, {in_parts:.1f} ms compiled"
            f" ({1 - in_parts / one_by_one:.0%} less), after {compilation.seconds:.0f} s of compiling",
            flush=True,
        )


def _milliseconds(traced: Trainer, compiled: Trainer, route) -> tuple[float, float]:
    traced_s, compiled_s = (time_steps(each, route, STEPS) for each in (traced, compiled))
    return 1000 * traced_s / STEPS, 1000 * compiled_s / STEPS


class Compilation:
    """Compiles traces, and counts the ``seconds`` that takes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def compiled(self, trace: GraphModule) -> nn.Module:
        """Return a trace, as ``tracing.simplified`` makes it, whose parts will be compiled when called."""
        trace = simplified(trace)
        tensors = _tensors_as_inputs(trace)
        parts = split_module(trace, trace, _numbers_of_parts(trace).__getitem__)
        for name, part in list(parts.named_children()):
            assert isinstance(part, GraphModule)
            operations = [node for node in part.graph.nodes if node.op == "call_function"]
            if len(operations) >= LEAST_OPERATIONS and not any(map(_changes_tensors, operations)):
                setattr(parts, name, _CompiledPart(part, self))
        return _WithTensors(parts, tensors)


class _WithTensors(nn.Module):
    def __init__(self, parts: nn.Module, tensors: Sequence[Tensor]) -> None:
        super().__init__()
        self.parts, self.tensors = parts, tensors

    def forward(self, *inputs: Tensor) -> Sequence[Tensor]:
        return self.parts(*inputs, *(tensor.detach() for tensor in self.tensors))


class _CompiledPart(nn.Module):
    def __init__(self, part: GraphModule, compilation: Compilation) -> None:
        super().__init__()
        self.part, self.compilation = part, compilation
        self.compiled: Any = None

    def forward(self, *inputs: Tensor) -> Sequence[Tensor]:
        inputs = tuple(tensor.detach() for tensor in inputs)
        if self.compiled is None:
            begun = time.perf_counter()
            self.compiled = compile_fx(self.part, inputs)
            self.compilation.seconds += time.perf_counter() - begun
        return self.compiled(*inputs)


def _tensors_as_inputs(trace: GraphModule) -> list[Tensor]:
    """Turn the tensors that a trace uses, such as weights, into inputs after its own; return them."""
    graph, tensors, inputs = trace.graph, [], {}
    for node in reversed(list(graph.nodes)):
        if "record_function" in str(node.target):  # marks for a profiler, which inductor cannot compile
            graph.erase_node(node)
    last = [node for node in graph.nodes if node.op == "placeholder"][-1]
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        if node.target not in inputs:
            with graph.inserting_after(last):
                last = inputs[node.target] = graph.placeholder(f"tensor_{len(tensors)}")
            last.meta = dict(node.meta)
            tensors.append(getattr(trace, node.target))
        node.replace_all_uses_with(inputs[node.target])
        graph.erase_node(node)
    trace.recompile()
    return tensors


def _numbers_of_parts(trace: GraphModule) -> dict[Node, int]:
    """Return the number of the part of every operation: parts change tensors in place, or do not."""
    numbers, number, before = {}, 0, False
    for node in trace.graph.nodes:
        if node.op == "call_function":
            number += _changes_tensors(node) != before
            before = _changes_tensors(node)
            numbers[node] = number
    return numbers


def _changes_tensors(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


if __name__ == "__main__":
    main()
