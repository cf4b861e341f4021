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

    def rivals(self, asked: Sequence[str]) -> list[int]:
        """Return the targets whose logits decide about some targets, as positions in `targets`."""
        parents = {None, *(self.parents[name] for name in asked if name in self.parents)}
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

    def log_odds(self, logits: Tensor) -> Tensor:
        """Return log(p / (1 - p)) of each target, float [N, T, ...]: positive where p is above one half."""
        log_p = self.log_probabilities(logits).clamp(LEAST, MOST)
        return log_p - torch.log(-torch.expm1(log_p))

    def _shares(self, logits: Tensor, parent: str | None) -> Tensor:
        """Return the logarithm of each member's share of its group, behind them that of the rest if there is one."""
        if parent not in self.complete:
            logits = torch.cat([logits, torch.zeros_like(logits[:, :1])], 1)
        return logits.log_softmax(1)

    def _over(self, log_p: Sequence[Tensor], parent: str | None) -> Tensor | float:
        return 0.0 if parent is None else log_p[self.targets.index(parent)]
