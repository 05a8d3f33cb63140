"""Levenberg-Marquardt for many small problems at once (Levenberg 1944; Marquardt 1963).

Each row is a problem of its own: it has its own point, its own damping, and stops on its own.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

JACOBIAN_BYTES = 2**28
"""The most memory that the Jacobians of the rows of one group take."""
TANGENTS = 128
"""The most tangents that are carried through a function at once, over all rows."""

_TRIALS = (1 / 9, 1.0, 9.0)
"""Factors on the damping, which are tried beside each other: a trial costs far less than a Jacobian."""
_MOST_DAMPING = 1e9

Residuals = Callable[[Tensor, Tensor], Tensor]
"""From points (R, n) and the numbers of their problems (R,) to residuals (R, m), row by row."""
Projection = Callable[[Tensor], Tensor]
"""From points (R, n) to the nearest points that are allowed."""


@dataclass(frozen=True)
class Solution:
    """Points (R, n), the sums of their squared residuals (R,), and the number of Jacobians of each (R,)."""

    points: Tensor
    costs: Tensor
    num_steps: Tensor


def unbounded(points: Tensor) -> Tensor:
    """Return the points: all are allowed."""
    return points


def jacobians(residuals: Residuals, points: Tensor, rows: Tensor, tangents: int = TANGENTS) -> Tensor:
    """Compute the derivatives of the residuals by forward differentiation, (R, n, m).

    A tangent is carried through the function for each of the n components and all rows, ``tangents`` at a
    time. The function must treat rows independently.
    """
    basis = torch.eye(points.shape[1], dtype=points.dtype, device=points.device)

    def along(direction: Tensor) -> Tensor:
        tangent = direction.expand_as(points)
        return torch.func.jvp(lambda at: residuals(at, rows), (points,), (tangent,))[1]

    chunk = max(1, tangents // len(points))
    with warnings.catch_warnings():
        # torch scripts its own formulas at the first call, and warns that scripting is deprecated.
        warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
        return torch.func.vmap(along, out_dims=1, chunk_size=chunk)(basis)


@torch.no_grad()
def levenberg_marquardt(
    residuals: Residuals,
    start: Tensor,
    rows: Tensor,
    *,
    num_steps: int,
    project: Projection = unbounded,
    damping: float = 1e-2,
    converged: float = 1e-2,
    tangents: int = TANGENTS,
) -> Solution:
    """Minimise the sum of squared residuals of every row, from ``start`` (R, n), in at most ``num_steps``.

    A step solves (J'J + d I) s = -J'r, where ``damping`` is d at first, in units of the mean of the diagonal
    of J'J. Moves in directions that change no residual cost nothing, so d I rather than the diagonal keeps
    the point near its start in these. A row ends after a step that lowers its cost by less than the share
    ``converged``. After a step ``project`` puts the point back among those allowed.
    """
    parts = []
    with torch.no_grad():
        num_residuals = residuals(start[:1], rows[:1]).shape[1] if len(start) else 1
    group = max(1, JACOBIAN_BYTES // (start.element_size() * start.shape[1] * num_residuals))
    for first in range(0, len(start), group):
        part = slice(first, first + group)
        settings = _Settings(num_steps, project, damping, converged, tangents)
        parts.append(_solve(residuals, start[part], rows[part], settings))
    if not parts:
        return Solution(start, start.new_empty(0), rows.new_empty(0))
    return Solution(*(torch.cat(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class _Settings:
    """The arguments of ``levenberg_marquardt`` that are the same for every row."""

    num_steps: int
    project: Projection
    damping: float
    converged: float
    tangents: int


def _solve(
    residuals: Residuals, start: Tensor, rows: Tensor, settings: _Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve one group of rows; return points, costs and numbers of steps."""
    points = settings.project(start).clone()
    costs = _costs(residuals(points, rows))
    size = points.shape[1]
    hessians = points.new_zeros(len(points), size, size, dtype=torch.float64)
    slopes = points.new_zeros(len(points), size, dtype=torch.float64)
    dampings = torch.full_like(costs, settings.damping)
    steps = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    is_active = torch.ones(len(points), dtype=torch.bool, device=points.device)
    has_moved = is_active.clone()
    for _ in range(settings.num_steps):
        moved = (is_active & has_moved).nonzero().squeeze(1)
        if len(moved):
            derivatives = jacobians(residuals, points[moved], rows[moved], settings.tangents)
            values = residuals(points[moved], rows[moved])
            hessians[moved] = torch.bmm(derivatives, derivatives.transpose(1, 2)).double()
            slopes[moved] = torch.bmm(derivatives, values[:, :, None]).squeeze(2).double()
            steps[moved] += 1
        active = is_active.nonzero().squeeze(1)
        candidates, factors = _candidates(points, hessians, slopes, dampings, active)
        candidates = settings.project(candidates.flatten(0, 1))
        tried = _costs(residuals(candidates, rows[active].repeat_interleave(len(_TRIALS))))
        lowest, best = tried.view(-1, len(_TRIALS)).nan_to_num(nan=torch.inf).min(1)
        better = lowest < costs[active]
        chosen = candidates.view(len(active), len(_TRIALS), size)[torch.arange(len(active)), best]
        gain = 1 - lowest / costs[active].clamp_min(torch.finfo(costs.dtype).tiny)
        points[active[better]], costs[active[better]] = chosen[better], lowest[better]
        has_moved = torch.zeros_like(is_active)
        has_moved[active[better]] = True
        dampings[active] = torch.where(better, factors[best], 27.0) * dampings[active]
        is_active[active] = ~(better & (gain < settings.converged)) & (dampings[active] < _MOST_DAMPING)
        if not bool(is_active.any()):
            break
    return points, costs, steps


def _candidates(
    points: Tensor, hessians: Tensor, slopes: Tensor, dampings: Tensor, active: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the points (A, trials, n) that the trials lead the active rows to, and the trials' factors."""
    factors = dampings.new_tensor(_TRIALS)
    hessian, slope = hessians[active], slopes[active]
    scale = hessian.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-30)
    added = (dampings[active, None].double() * factors.double()).clamp_min(1e-12) * scale[:, None]
    eye = torch.eye(slope.shape[1], dtype=slope.dtype, device=slope.device)
    damped = hessian[:, None] + added[:, :, None, None] * eye
    moves = -torch.linalg.solve(damped, slope[:, None, :, None].expand(-1, len(_TRIALS), -1, -1)).squeeze(3)
    return points[active, None] + moves.to(points.dtype), factors


def _costs(values: Tensor) -> Tensor:
    return values.square().sum(1)
