"""The bench of ``saturating-loss``: the logits at which losses from 32-bit probabilities break."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.experiments.saturating_loss import theory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit


@contextmanager
def denormals(flushed: bool) -> Iterator[None]:
    """Flush denormal numbers to zero or keep them, and restore the setting afterwards."""
    before = float(torch.tensor(1e-38) * 1e-3) == 0.0
    torch.set_flush_denormal(flushed)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _rounded(logits: Tensor) -> Tensor:
    """Return the best D in 32 bits: computed in 64 bits and rounded once."""
    return torch.sigmoid(logits.double()).float()


def break_points() -> tuple[list[Measured], dict[str, Any]]:
    """Find the logits at which losses from 32-bit probabilities stop being finite, in steps of 0.01."""
    upwards = torch.arange(0, 12_000) / 100
    figures, scans = [], {}
    for flushed in (False, True):
        words = say(", denormals flushed") if flushed else ""
        with denormals(flushed):
            for probability, kind, direct in (
                (_rounded, say("rounded once"), False),
                (torch.sigmoid, "torch.sigmoid", True),
            ):
                suffix = ("direct" if direct else "rounded") + ("-flushed" if flushed else "")
                below = _first_not_finite(-torch.log(probability(-upwards)))
                figures.append(
                    claim(
                        f"break-non-saturating-{suffix}",
                        say(
                            "logit at which non-saturating from 32-bit D ({kind}{words}) breaks",
                            kind=kind,
                            words=words,
                        ),
                        -float(upwards[below]),
                        theory.break_of_non_saturating(direct, flushed),
                        of="non-saturating",
                        tolerance=0.02,
                    )
                )
                if not flushed:
                    above = _first_not_finite(torch.log(1 - probability(upwards)))
                    figures.append(
                        claim(
                            f"break-minimax-{suffix}",
                            say("logit at which minimax from 32-bit D ({kind}) breaks", kind=kind),
                            float(upwards[above]),
                            theory.break_of_minimax(direct),
                            of="minimax",
                            tolerance=0.02,
                        )
                    )
    logits = torch.linspace(-120, 40, 1601)
    for name, cost in (("minimax", lambda d: torch.log(1 - d)), ("non-saturating", lambda d: -torch.log(d))):
        at = logits.clone().requires_grad_()
        (measured,) = torch.autograd.grad(cost(torch.sigmoid(at)).sum(), at)
        scans[name] = (logits.numpy(), measured.numpy(), theory.SLOPES[name](logits).numpy())
        figures.append(
            limit(
                f"finite-{name}",
                say(
                    "{name}: share of logits from -120 to 40 at which the slope through 32-bit D is finite",
                    name=name,
                ),
                float(torch.isfinite(measured).double().mean()),
                1.0,
                of=name,
            )
        )
    return figures, scans


def _first_not_finite(values: Tensor) -> int:
    """Return the index of the first value that is not finite."""
    return int((~torch.isfinite(values)).nonzero()[0])
