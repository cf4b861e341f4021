"""One answer for each pixel: the logits of all targets compete, and parts stay inside what they are parts of.

The targets of the first level share one softmax with "none of these". The parts of a target share another one, and
their probabilities are shares of its own. No pixel is two exclusive things, and a building is always built-up area.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

LEAST = -30.0
"""Logarithm of the least probability: it keeps losses and log-odds finite."""
MOST = -1e-6
"""Logarithm of the largest one."""


class TargetTree:
    """Which targets exclude each other, and which are parts of another.

    Args:
        targets: Ids, in the order of the logits.
        parents: Of each part, the id of the target that it is a part of.
        complete: Targets that their parts cover: green plants are trees or low, and nothing else.

    Raises:
        ValueError: If a parent is no target of the first level, or a part is no target.
    """

    def __init__(
        self, targets: Sequence[str], parents: Mapping[str, str] | None = None, complete: Sequence[str] = ()
    ) -> None:
        self.targets, self.parents, self.complete = tuple(targets), dict(parents or {}), tuple(complete)
        top = [name for name in self.targets if name not in self.parents]
        unknown = {*self.parents.values(), *self.complete} - {*top} | self.parents.keys() - {*self.targets}
        if unknown:
            raise ValueError(f"The parts name {', '.join(sorted(unknown))}; expected targets of {', '.join(top)}.")
        self.groups: dict[str | None, list[int]] = {None: [self.targets.index(name) for name in top]}
        for name, parent in self.parents.items():
            self.groups.setdefault(parent, []).append(self.targets.index(name))
        self.leaves = tuple(leaf for parent in self.groups for leaf in self._leaves_of(parent))
        """The finest classes, one of which each pixel is: (target, parent). The rest of a group has the target None."""

    def rivals(self, targets: Sequence[str]) -> list[int]:
        """Return the targets whose logits decide about some targets, as positions in `targets`."""
        parents = {None, *(self.parents[name] for name in targets if name in self.parents)}
        return sorted(index for parent in parents for index in self.groups[parent])

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return the logarithm of the probability of each target.

        Args:
            logits: float [N, T, ...] of all targets.

        Returns:
            float [N, T, ...]. The probabilities of the first level and of "none of these" add up to 1.
        """
        log_p = [logits[:, 0]] * len(self.targets)
        for parent, members in self.groups.items():
            shares = self._shares(logits[:, members], parent)
            for place, member in enumerate(members):
                log_p[member] = shares[:, place] + self._over(log_p, parent)
        return torch.stack(log_p, 1)

    def leaf_log_probabilities(self, logits: Tensor) -> Tensor:
        """Return the logarithm of the probability of each of `leaves`, which add up to 1: float [N, L, ...]."""
        log_p = self.log_probabilities(logits).unbind(1)
        by_leaf = {}
        for parent, members in self.groups.items():
            shares = self._shares(logits[:, members], parent)
            names = [*(self.targets[member] for member in members), None]
            for name, share in zip(names, shares.unbind(1), strict=False):
                by_leaf[name, parent] = share + self._over(log_p, parent)
        return torch.stack([by_leaf[leaf] for leaf in self.leaves], 1)

    def log_odds(self, logits: Tensor) -> Tensor:
        """Return log(p / (1 - p)) of each target, float [N, T, ...]: positive where p is above one half."""
        log_p = self.log_probabilities(logits).clamp(LEAST, MOST)
        return log_p - torch.log(-torch.expm1(log_p))

    def _leaves_of(self, parent: str | None) -> list[tuple[str | None, str | None]]:
        """Return the leaves of a group: its members without parts, and the rest if there is one."""
        members = [self.targets[member] for member in self.groups[parent]]
        rest = [] if parent in self.complete else [(None, parent)]
        return [*((name, parent) for name in members if name not in self.groups), *rest]

    def _shares(self, logits: Tensor, parent: str | None) -> Tensor:
        """Return the logarithm of each member's share of its group, behind them that of the rest if there is one."""
        if parent not in self.complete:
            logits = torch.cat([logits, torch.zeros_like(logits[:, :1])], 1)
        return logits.log_softmax(1)

    def _over(self, log_p: Sequence[Tensor], parent: str | None) -> Tensor | float:
        return 0.0 if parent is None else log_p[self.targets.index(parent)]


def partial_label_loss(log_leaves: Tensor, allowed: Tensor, weights: Tensor | None = None) -> Tensor:
    """Measure how unexpected labels are that tell a pixel's class only in part: -log of all that a label allows.

    Args:
        log_leaves: float [N, L, H, W], from `TargetTree.leaf_log_probabilities`.
        allowed: bool [N, L, H, W], the leaves that the label of a pixel allows. All of them: nothing is told.
        weights: float [N, H, W], of the pixels; 1 if not given.

    Returns:
        The weighted mean over pixels of which something is told; 0 where there are none.
    """
    is_labelled = (~allowed.all(1)).to(log_leaves.dtype)
    weights = is_labelled if weights is None else is_labelled * weights
    log_p = torch.where(allowed, log_leaves, LEAST).logsumexp(1)
    return -(weights * log_p).sum() / weights.sum().clamp(min=1e-6)


def dice_loss(p: Tensor, is_target: Tensor, is_known: Tensor) -> Tensor:
    """Measure how little probabilities and labels of one target overlap, over a whole batch (arXiv 1606.04797).

    Args:
        p: float [N, H, W], of the target.
        is_target: bool [N, H, W].
        is_known: bool [N, H, W], where the label tells whether it is the target; other pixels count for nothing.

    Returns:
        A scalar from 0, for full overlap, to 1.
    """
    p, wanted = p * is_known, (is_target & is_known).to(p.dtype)
    return 1 - 2 * (p * wanted).sum() / (p.square().sum() + wanted.sum()).clamp(min=1e-6)
