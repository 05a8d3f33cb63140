"""Which batch is which, which update a gradient belongs to, and what is inside a network."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzfeld.health.activation_trace import last_strides, trace_activations
from ganzfeld.health.watched_networks import LabelForm, UnknownForm, form_of, logits_of
from ganzfeld.losses import Loss
from ganzfeld.watching.losses import recognised_loss
from ganzfeld.watching.recorder import PATIENCE, Recorder
from ganzfeld.watching.sorting import Batch, Sorter
from ganzfeld.watching.window import Update, Window


def sort(images: Tensor, fake: Tensor, real: Tensor | None = None, place: int = 0):
    return Sorter().sort(Batch.of(images), [Batch.of(fake)], None if real is None else Batch.of(real), place)


class TestSorter:
    real, fake = (
        images.clone() for images in torch.rand(2, 16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    )

    def test_by_memory(self):
        assert sort(self.fake.detach(), self.fake).kind == "fake"
        assert sort(self.fake[:8], self.fake).kind == "fake"
        again = self.real.detach().requires_grad_()
        assert sort(again, self.fake, again.detach()).kind == "penalty"

    def test_by_comparison(self):
        assert sort(self.real, self.fake).kind == "real"
        assert sort(self.fake.clone(), self.fake).kind == "fake"
        noisy = self.fake + 0.1 * torch.randn_like(self.fake)
        assert sort(noisy, self.fake).kind == "fake"
        assert sort(self.real + 0.1 * torch.randn_like(self.real), self.fake).kind == "real"
        between = (0.5 * self.real + 0.5 * self.fake).requires_grad_()
        assert sort(between, self.fake, self.real).kind == "penalty"
        assert sort(between, self.fake).kind == "penalty"
        attached = torch.rand(16, 3, 8, 8, requires_grad=True) * 2
        assert sort(attached, self.fake).kind == "fake", "it has a graph"

    def test_both_in_one_batch(self):
        kind, rows, _ = sort(torch.cat((self.real, self.fake)), self.fake)
        assert kind == "both"
        assert rows is not None and rows.tolist() == [False] * 16 + [True] * 16

    def test_nothing_is_compared_once_it_is_certain(self):
        sorter, generated = Sorter(), [Batch.of(self.fake)]
        for _ in range(3):
            assert sorter.sort(Batch.of(self.real.clone()), generated, None, 0).kind == "real"
        unreadable = torch.empty(16, 3, 8, 8, device="meta")
        with pytest.raises(RuntimeError):
            Sorter().sort(Batch(unreadable, 1), generated, None, 0)
        assert sorter.sort(Batch(unreadable, 1), generated, None, 0).kind == "real"

    def test_it_can_be_told(self):
        sorter, generated = Sorter(), [Batch.of(self.fake)]
        form = sorter.sort(Batch.of(self.real), generated, None, 0).form
        assert form is not None
        sorter.learn(form, "fake")
        assert sorter.sort(Batch.of(self.real), generated, None, 0).kind == "fake"


class TestUpdates:
    """A loop of one update of each network in every order that is usual."""

    def pushes(self, loop) -> dict[str, Any]:
        torch.manual_seed(0)
        g = nn.Sequential(nn.Linear(4, 48), nn.Unflatten(1, (3, 4, 4)))
        d = nn.Sequential(nn.Flatten(), nn.Linear(48, 1))
        optimizers = torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(d.parameters(), 0.1)
        recorder = Recorder(g, d, None, lambda error: pytest.fail(str(error)))
        recorder.attach()
        recorder.open_window()
        for _ in range(4):
            loop(g, d, *optimizers)
            recorder.end_of_step()
        assert recorder.window is not None
        recorder.window.num_steps = 4
        facts = {name: float(value) for name, value in recorder.window.facts().items()}
        recorder.remove()
        return facts

    @staticmethod
    def losses(g: nn.Module, d: nn.Module, *, detached: bool = True):
        real, fake = torch.randn(8, 3, 4, 4), g(torch.randn(8, 4))
        to_judge = fake.detach() if detached else fake
        return F.softplus(-d(real)).mean() + F.softplus(d(to_judge)).mean(), fake

    def check(self, facts: dict[str, Any], *, leaked: float = 0.0) -> None:
        assert (facts["push_real"], facts["push_fake"], facts["push_generator"]) == (1, -1, 1)
        assert (facts["cleared_generator"], facts["cleared_discriminator"]) == (1, 1)
        assert facts["leaked_gradients"] == leaked

    def test_the_size_of_updates_without_adam(self):
        """Compare with the sizes that gradient descent makes by its definition."""
        torch.manual_seed(0)
        layer = nn.Linear(48, 1)
        d = nn.Sequential(nn.Flatten(), layer)
        optimizer = torch.optim.SGD(d.parameters(), 0.1)
        window, ratio = Window(), 0.0
        for _ in range(2):
            optimizer.zero_grad()
            F.softplus(d(torch.randn(8, 3, 4, 4))).mean().backward()
            optimizer.step()
            window.note(Update("discriminator", d, optimizer, [], []))
            assert layer.weight.grad is not None
            ratio = float(0.1 * layer.weight.grad.norm() / layer.weight.detach().norm())
        assert float(window.gradients["discriminator"]["update_ratio"]) == pytest.approx(ratio, rel=1e-4)

    def test_discriminator_first(self):
        def loop(g, d, of_g, of_d):
            loss, fake = self.losses(g, d)
            of_d.zero_grad()
            loss.backward()
            of_d.step()
            of_g.zero_grad()
            F.softplus(-d(fake)).mean().backward()
            of_g.step()

        self.check(self.pushes(loop))

    def test_generator_first(self):
        def loop(g, d, of_g, of_d):
            of_g.zero_grad()
            F.softplus(-d(g(torch.randn(8, 4)))).mean().backward()
            of_g.step()
            loss, _ = self.losses(g, d)
            of_d.zero_grad()
            loss.backward()
            of_d.step()

        self.check(self.pushes(loop))

    def test_both_together(self):
        def loop(g, d, of_g, of_d):
            loss, fake = self.losses(g, d)
            of_g.zero_grad()
            F.softplus(-d(fake)).mean().backward()
            of_d.zero_grad()
            loss.backward()
            of_g.step()
            of_d.step()

        self.check(self.pushes(loop))

    def test_several_updates_of_the_discriminator(self):
        def loop(g, d, of_g, of_d):
            for _ in range(3):
                loss, _ = self.losses(g, d)
                of_d.zero_grad()
                loss.backward()
                of_d.step()
            of_g.zero_grad()
            F.softplus(-d(g(torch.randn(8, 4)))).mean().backward()
            of_g.step()

        self.check(self.pushes(loop))

    def test_separate_backward_passes_and_zeroed_gradients(self):
        def loop(g, d, of_g, of_d):
            of_d.zero_grad(set_to_none=False)
            F.softplus(-d(torch.randn(8, 3, 4, 4))).mean().backward()
            fake = g(torch.randn(8, 4))
            F.softplus(d(fake.detach())).mean().backward()
            of_d.step()
            of_g.zero_grad(set_to_none=False)
            F.softplus(-d(fake)).mean().backward()
            of_g.step()

        self.check(self.pushes(loop))

    def test_a_penalty_on_real_images(self):
        """R1 asks for the derivative of the logits themselves, whose sign says nothing of the loss."""

        def loop(g, d, of_g, of_d):
            real, fake = torch.randn(8, 3, 4, 4, requires_grad=True), g(torch.randn(8, 4))
            logits = d(real)
            (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            of_d.zero_grad()
            loss = F.softplus(-logits).mean() + F.softplus(d(fake.detach())).mean()
            (loss + slope.square().sum((1, 2, 3)).mean()).backward()
            of_d.step()
            of_g.zero_grad()
            F.softplus(-d(fake)).mean().backward()
            of_g.step()

        self.check(self.pushes(loop))

    @pytest.mark.parametrize("harmful", [False, True])
    def test_images_that_are_not_detached(self, harmful: bool):
        def loop(g, d, of_g, of_d):
            of_g.zero_grad()
            of_d.zero_grad()
            loss, _ = self.losses(g, d, detached=False)
            loss.backward()
            of_d.step()
            if not harmful:
                of_g.zero_grad()
            F.softplus(-d(g(torch.randn(8, 4)))).mean().backward()
            of_g.step()

        self.check(self.pushes(loop), leaked=float(harmful))

    def test_a_discriminator_that_is_never_updated_fills_no_memory(self):
        """Its gradients are seen all the same."""
        torch.manual_seed(0)
        g = nn.Sequential(nn.Linear(4, 48), nn.Unflatten(1, (3, 4, 4)))
        d = nn.Sequential(nn.Flatten(), nn.Linear(48, 1))
        optimizers = [torch.optim.SGD(g.parameters(), 0.1) for _ in range(2)]
        recorder = Recorder(g, d, None, lambda error: pytest.fail(str(error)))
        recorder.attach()
        recorder.open_window()
        for _ in range(40):
            loss, fake = self.losses(g, d)
            loss.backward()
            optimizers[0].step()
            F.softplus(-d(fake)).mean().backward()
            optimizers[1].step()
            recorder.end_of_step()
        assert len(recorder._calls) <= 3 * PATIENCE
        assert recorder.window is not None and recorder.outputs
        facts = recorder.window.facts()
        assert (float(facts["push_real"]), float(facts["push_fake"])) == (1, -1)
        assert recorder.num_updates["discriminator"] == 0 < recorder.num_updates["generator"]
        recorder.remove()

    def test_gradients_of_several_batches_are_collected(self):
        def loop(g, d, of_g, of_d):
            of_d.zero_grad()
            for _ in range(2):
                loss, _ = self.losses(g, d)
                loss.backward()
            of_d.step()
            of_g.zero_grad()
            for _ in range(2):
                F.softplus(-d(g(torch.randn(8, 4)))).mean().backward()
            of_g.step()

        self.check(self.pushes(loop))


class TestLosses:
    @pytest.mark.parametrize(
        "name", ["non-saturating", "minimax", "hinge", "wasserstein", "least-squares", "relativistic-pairing"]
    )
    def test_a_loss_is_known_by_its_gradients(self, name: str):
        loss = Loss(name)
        real, fake, generated = torch.randn(3, 32).requires_grad_().unbind()
        by_real, by_fake = torch.autograd.grad(3 * loss.discriminator(real, fake), (real, fake))
        (by_generated,) = torch.autograd.grad(loss.generator(real.detach(), generated), generated)
        lessons = {
            "push_real": (real, by_real),
            "push_fake": (fake, by_fake),
            "push_generator": (generated, by_generated),
        }
        found = recognised_loss(lessons)
        assert found is not None and found.name == name
        strange = lessons | {"push_real": (real, torch.randn(32))}
        assert recognised_loss(strange) is None
        assert recognised_loss({}) is None


class TestTrace:
    def test_modules_and_functions_are_the_same(self):
        class Functional(nn.Module):
            def __init__(self, layers: nn.Sequential) -> None:
                super().__init__()
                self.first, self.second = layers[0], layers[2]

            def forward(self, maps: Tensor) -> Tensor:
                return torch.tanh(self.second(F.relu(self.first(maps))))

        layers = nn.Sequential(
            nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.ReLU(True), nn.ConvTranspose2d(6, 3, 3, 3), nn.Tanh()
        )
        maps = torch.randn(2, 4, 5, 5)
        with torch.no_grad():
            modules, functional = (
                trace_activations(lambda network=network: network(maps))
                for network in (layers, Functional(layers))
            )
        for trace in (modules, functional):
            assert [tuple(hidden.shape) for hidden in trace.hidden] == [(2, 6, 10, 10)]
            assert torch.equal(trace.hidden[0], F.relu(layers[0](maps)))
            assert isinstance(trace.final, nn.Tanh)
            assert last_strides(trace.enlargements) == (3, 3)
            assert [layer.kernel for layer in trace.enlargements] == [(4, 4), (3, 3)]

    def test_outputs(self):
        weight = torch.randn(8, 8)
        for function, kind in (
            (torch.sigmoid, nn.Sigmoid),
            (lambda x: x.clamp(-2, 2), nn.Hardtanh),
            (lambda x: F.hardtanh(x), nn.Hardtanh),
            (lambda x: x + 0, type(None)),
            (lambda x: torch.tanh(x) / 2, type(None)),
        ):
            trace = trace_activations(lambda function=function: function(torch.randn(2, 8) @ weight))
            assert isinstance(trace.final, kind)


class TestForms:
    def test_labels_come_back_as_they_were(self):
        numbers = torch.tensor([2, 0, 1])
        one_hot = F.one_hot(numbers, 4)
        for labels in (
            numbers,
            numbers[:, None],
            one_hot.float(),
            one_hot.float()[:, :, None, None].expand(3, 4, 5, 5),
        ):
            form = form_of((torch.randn(3, 7), labels), {})
            assert form.label_form is not None
            assert torch.equal(form.label_form.numbers(labels), numbers)
            again = form.label_form.labels(numbers)
            assert torch.equal(again, labels) and again.dtype == labels.dtype

    def test_what_is_no_form(self):
        latents = torch.randn(3, 7)
        for args in ((torch.arange(3),), (latents, torch.randn(3, 4)), (latents, latents, latents)):
            with pytest.raises(UnknownForm):
                form_of(args, {})
        assert form_of((latents, 0.5), {"labels": torch.arange(3)}).labels == "labels"
        assert isinstance(form_of((latents, torch.arange(3)), {}).label_form, LabelForm)

    def test_logits(self):
        assert logits_of(torch.zeros(4, 1, 3, 3), ends_in_sigmoid=False).shape == (4,)
        assert float(logits_of(torch.tensor([[0.9]]), ends_in_sigmoid=True)) == pytest.approx(
            math.log(9), 1e-4
        )
        with pytest.raises(UnknownForm):
            logits_of(torch.zeros(4, 2), ends_in_sigmoid=False)
