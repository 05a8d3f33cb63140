"""The loss of a loop, recognised by its gradients."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ganzfeld.losses import Loss, losses

_SAME = 1e-4
"""The most that the cosine of two equal gradients differs from 1."""

_SMOOTHING = (0.1, 0.2)


def recognised_loss(lessons: Mapping[str, tuple[Tensor, Tensor]]) -> Loss | None:
    """Return the loss with the gradients that were seen; None if there is none in the catalogue.

    ``lessons`` holds logits (B, ...) and their gradients by ``push_real``, ``push_fake`` (of the
    discriminator's loss) and ``push_generator``. Gradients may have any common factor.
    """
    if not {"push_real", "push_fake", "push_generator"} <= lessons.keys():
        return None
    misfits = [(misfit, loss) for loss in _candidates() if (misfit := _misfit(loss, lessons)) is not None]
    misfit, loss = min(misfits, key=lambda pair: pair[0])
    return loss if misfit <= _SAME else None


def _candidates() -> Iterator[Loss]:
    for name in losses.names():
        yield Loss(name)
        entry = losses.load(name)
        if not entry.NO_SMOOTHING:
            for smoothing in _SMOOTHING:
                yield Loss(name, smoothing)
                if not entry.NO_SIDES:
                    yield Loss(name, smoothing, 2)


def _misfit(loss: Loss, lessons: Mapping[str, tuple[Tensor, Tensor]]) -> float | None:
    (real, by_real), (fake, by_fake), (generated, by_generated) = (
        tuple(values.detach().flatten().float() for values in lessons[name])
        for name in ("push_real", "push_fake", "push_generator")
    )
    if loss.paired and len(real) != len(fake):
        return None
    with torch.enable_grad():
        real, fake, generated = (logits.clone().requires_grad_() for logits in (real, fake, generated))
        expected = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
        misfit = _angle(torch.cat(expected), torch.cat((by_real, by_fake)))
        if loss.paired:  # the real logits of the generator's update are not known
            return misfit
        (of_generator,) = torch.autograd.grad(loss.generator(real.detach(), generated), generated)
    return max(misfit, _angle(of_generator, by_generated))


def _angle(expected: Tensor, seen: Tensor) -> float:
    return float(1 - cosine_similarity(expected, seen, dim=0))
