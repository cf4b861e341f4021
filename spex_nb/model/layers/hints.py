"""What a prompt may come with beside its words: a prior, points and boxes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Hints(NamedTuple):
    """What the mask decoder may be told, of each of N prompts."""

    prior: Tensor | None = None
    """float [N, H, W], 0..1; NaN all over where a prompt has none."""
    points_frac: Tensor | None = None
    """float [N, P, 2], (x, y) as shares of width and height, from the outer edges of the image."""
    point_kinds: Tensor | None = None
    """int [N, P], see `PromptEncoder.points`."""

    def of(self, rows: Tensor, size: tuple[int, int]) -> Hints:
        """Return the hints of some prompts int [n], whose images fill the upper left (height, width) of theirs."""
        prior, *points = self.among(rows)
        return Hints(None if prior is None else prior[:, : size[0], : size[1]], *points)

    def among(self, kept: Tensor) -> Hints:
        """Return the hints of some prompts, bool [N], or by their numbers int [n]."""
        return Hints(*(None if given is None else given[kept] for given in self))

    def repeated(self, copies: int) -> Hints:
        """Return the hints of as many prompts, each several times in a row."""
        return Hints(*(None if given is None else given.repeat_interleave(copies, 0) for given in self))

    def require_fit(self, shape: tuple[int, ...]) -> None:
        """Raise unless the hints belong to masks of a shape (N, H, W).

        Raises:
            ValueError: If a prior has another shape, or points and their kinds do not pair.
        """
        if self.prior is not None and tuple(self.prior.shape) != shape:
            raise ValueError(f"prior is {tuple(self.prior.shape)}; expected {shape}, as the images.")
        points, kinds = (None if given is None else tuple(given.shape) for given in self[1:])
        if points is None and kinds is None:
            return
        if points is None or kinds is None or points != (*kinds, 2) or kinds[0] != shape[0]:
            raise ValueError(
                f"points_frac is {points}, point_kinds {kinds}; expected ({shape[0]}, P, 2) and ({shape[0]}, P). "
                "Pass both, or neither."
            )
