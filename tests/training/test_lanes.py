"""Two lanes make of a trace what one makes of it, however its operations are shared between them."""

import gc
import multiprocessing
import random
import threading
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from ganzfeld.compute.lanes import NUM_LANES, Laned, dependencies, lanes_of, separate_gradients
from ganzfeld.compute.tracing import TIMED_CALLS, TracedWork, merge_casts, simplified

pytestmark = pytest.mark.machine


class Work:
    """Layers, running statistics, an update in place, views, and a read after the update."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 3, 3), nn.Tanh()
        )
        self.total = torch.zeros(3)

    def __call__(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        (images,) = inputs
        weights = list(self.layers.parameters())
        loss = (self.layers(images) - images).square().mean()
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.view(-1).sub_(0.1 * gradient.reshape(-1))
            self.total[:2].add_(loss)
            before = self.total * 2
            self.total.mul_(0.5)
        return [loss, before, self.layers(images).sum(), *gradients]

    def state(self) -> list[torch.Tensor]:
        return [*self.layers.state_dict().values(), self.total]


def images(index: int) -> torch.Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(index))


def same(results: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(results, others, strict=True))


def traced(work: Work, index: int = 0):
    trace = simplified(make_fx(lambda images: work([images]))(images(index)))
    separate_gradients(trace.graph)
    trace.recompile()
    return trace


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_schedule_gives_the_same_bits(seed):
    """Durations decide who runs what and when; these are invented."""
    ordinary, laned = Work(), Work()
    trace = traced(laned)
    ordinary([images(0)])
    draws = random.Random(seed)
    durations = {node.name: draws.choice((0.0, 1e-5, 1e-3)) for node in trace.graph.nodes}
    run = Laned(trace, durations)
    for index in range(1, 4):
        assert same(ordinary([images(index)]), run(images(index)))
        assert same(ordinary.state(), laned.state())


def test_what_is_slow_is_waited_for(monkeypatch):
    """Each lane sleeps at random between its operations."""
    ordinary, laned = Work(), Work()
    trace = traced(laned)
    ordinary([images(0)])
    run = Laned(trace, {node.name: 1e-4 for node in trace.graph.nodes})
    draws = random.Random(0)
    for module in run._lanes:
        for node in list(module.graph.nodes):
            if node.op == "call_function" and draws.random() < 0.3:
                with module.graph.inserting_before(node):
                    module.graph.call_function(time.sleep, (draws.choice((0.0, 1e-3)),))
        module.recompile()
    for index in range(1, 4):
        assert same(ordinary([images(index)]), run(images(index)))
    assert same(ordinary.state(), laned.state())


def test_both_lanes_have_work():
    trace = traced(Work())
    lanes = lanes_of(trace.graph, {node.name: 1e-3 for node in trace.graph.nodes})
    calls = {node for node in trace.graph.nodes if node.op == "call_function"}
    assert len(lanes) == NUM_LANES and min(map(len, lanes)) > len(calls) / 5
    assert set(lanes[0]) | set(lanes[1]) == calls and not set(lanes[0]) & set(lanes[1])


def test_an_update_waits_for_earlier_readers_and_later_ones_for_it():
    value = torch.ones(3)

    def work(factor: torch.Tensor) -> torch.Tensor:
        before = value * factor
        value[1:].add_(factor)
        return before + value

    graph = make_fx(work)(torch.tensor(2.0)).graph
    needs = dependencies(graph)
    order = {str(node.target): node for node in needs}
    update = order["aten.add_.Tensor"]
    assert order["aten.mul.Tensor"] in needs[update]
    assert update in needs[order["aten.add.Tensor"]]


def test_running_statistics_are_updated_in_order():
    norm = nn.BatchNorm2d(3)

    def work(images: torch.Tensor) -> list[torch.Tensor]:
        return [norm(images), norm(images + 1)]

    needs = dependencies(make_fx(work)(images(0)).graph)
    first, second = (node for node in needs if "native_batch_norm" in str(node.target))
    assert first in needs[second]


@pytest.mark.parametrize("lane", range(NUM_LANES))
def test_an_error_in_a_lane_ends_both_and_is_raised(lane):
    work = Work()
    trace = traced(work)
    run = Laned(trace, {node.name: 1e-4 for node in trace.graph.nodes})
    fails = [True]

    def fail() -> None:
        if fails[0]:
            raise MemoryError("none left")

    graph = run._lanes[lane].graph
    middle = list(graph.nodes)[len(graph.nodes) // 2]
    with graph.inserting_before(middle):
        graph.call_function(fail)
    run._lanes[lane].recompile()
    for _ in range(3):
        with pytest.raises(MemoryError, match="none left"):
            run(images(1))
    fails[0] = False
    run(images(2))


def lanes_alive() -> int:
    gc.collect()
    return sum(thread.name.startswith("lane") for thread in threading.enumerate())


def no_lanes_are_left() -> bool:
    deadline = time.monotonic() + 60
    while lanes_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not lanes_alive()


def test_the_second_thread_ends_with_the_work():
    assert no_lanes_are_left()
    work, inner = TracedWork(in_lanes=True), Work()
    for index in range(TIMED_CALLS + 3):
        work("kind", [images(index)], inner)
    assert lanes_alive() == 1
    del work
    assert no_lanes_are_left()


def _in_a_fork(work: TracedWork, inner: Work, results) -> None:
    torch.set_num_threads(1)
    results.put([tensor.tolist() for tensor in work("kind", [images(9)], inner)])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_gets_a_second_thread_of_its_own():
    work, inner = TracedWork(in_lanes=True), Work()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for index in range(TIMED_CALLS + 3):
        work("kind", [images(index)], inner)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_a_fork, args=(work, inner, results))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    assert results.get() == [tensor.tolist() for tensor in work("kind", [images(9)], inner)]
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "view", [lambda weight: weight, lambda weight: weight.view(-1)[1:]], ids=["", "view"]
)
def test_equal_casts_are_made_once_until_the_weight_changes(view):
    weight = torch.ones(3)

    def work(factor: torch.Tensor) -> list[torch.Tensor]:
        first = weight.to(torch.float64) * factor, weight.to(torch.float64) + factor
        view(weight).add_(1)
        return [*first, weight.to(torch.float64) * factor]

    trace = make_fx(work)(torch.tensor(2.0, dtype=torch.float64))
    merge_casts(trace.graph)
    trace.recompile()
    assert sum("_to_copy" in str(node.target) for node in trace.graph.nodes) == 2
    weight.fill_(1)
    first, second, third = trace.forward(torch.tensor(2.0, dtype=torch.float64))
    assert (first[2], second[2], third[2]) == (2, 3, 4)
