"""From one tile and its labels to records: prior, attributes, prompt, evidence, answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from spex_nb.language.answers import write_answer
from spex_nb.language.claims import same_figures
from spex_nb.language.evidence import measure_arrays, readable_index
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.spectral.priors import prior_of
from spex_nb.spie.settings import Settings, draw
from spex_nb.targets import get_target, overlap
from spex_nb.types import Evidence, Region

Rewrite = Callable[[str], str]
Labels = Mapping[str, tuple[Any, Any]]
"""(mask, known) of each target, both bool [H, W]."""


@dataclass(frozen=True)
class Lesson:
    """What is asked of a tile, what the answer is, and the figures that the index keeps of it."""

    target: str
    prompt: str
    answer: str
    template: str
    """Which wordings the answer is made of; followed by ``+`` where a chat model rewrote it."""
    language: str
    source: str
    share_frac: float
    """Share of the target in the known pixels."""
    regions: int
    """Regions that the prompt names."""


def instruct(
    tile: xr.Dataset,
    labels: Labels,
    name: str,
    split: str,
    settings: Settings,
    rewrite: Rewrite | None = None,
) -> list[Lesson]:
    """Write the lessons of a tile, one for each target that its labels know.

    Args:
        tile: The bands, in memory.
        labels: Of this tile.
        name: Of this tile; every draw depends on it.
        split: ``train``, ``val`` or ``test``.
        settings: Of the build.
        rewrite: Says an answer in other words; kept only where every figure survives.
    """
    desk = _Desk(tile, labels, name, split, settings, rewrite)
    return [desk.lesson(target) for target in settings.targets if desk.is_asked(target)]


class _Desk:
    """A tile taken apart once for all targets."""

    def __init__(
        self, tile: xr.Dataset, labels: Labels, name: str, split: str, settings: Settings, rewrite: Rewrite | None
    ) -> None:
        self.tile, self.name, self.split, self.settings, self.rewrite = tile, name, split, settings, rewrite
        self.valid = tile.spex.valid.values
        self.ground = EqualAreaGrid.of(tile)
        self.masks = {target: mask & self.valid for target, (mask, _) in labels.items()}
        self.known = {target: known & self.valid for target, (_, known) in labels.items()}
        self.indices: dict[tuple[str, ...], xr.DataArray | None] = {}

    def is_asked(self, target: str) -> bool:
        """Whether the labels know the target, and it is there, or its absence is drawn to be asked about."""
        known = self.known.get(target)
        if known is None or not known.any() or known.mean() < self.settings.min_known_frac:
            return False
        return bool(self.masks[target].any()) or self.draw(target, "absent") < self.settings.absent_frac

    def draw(self, *names: str) -> float:
        return draw(self.settings.seed, self.name, *names)

    def lesson(self, target: str) -> Lesson:
        settings = self.settings
        language = settings.languages[int(self.draw(target, "language") * len(settings.languages))]
        evidence = self.evidence(target)
        regions, source = self.attributes(target)
        prompt = build_prompt(target, regions, rich=settings.rich, max_tokens=settings.max_tokens)
        answer, template = self.answer(evidence, language)
        return Lesson(target, prompt, answer, template, language, source, evidence.share_frac, len(regions))

    def evidence(self, target: str) -> Evidence:
        """Measure the label itself: the answer speaks of the truth, whatever the attributes were made from."""
        return measure_arrays(
            self.masks[target],
            self.known[target],
            target,
            index=self.index(target),
            ground=self.ground,
            others={name: mask for name, mask in self.masks.items() if not overlap(name, target)},
            min_area_px=self.settings.min_area_px,
            source="label",
            is_relative=self.tile.spex.is_relative,
        )

    def index(self, target: str) -> xr.DataArray | None:
        """Return the index that figures about a target are given in; targets often share one."""
        names = get_target(target).indices
        if names not in self.indices:
            self.indices[names] = readable_index(self.tile, target)
        return self.indices[names]

    def attributes(self, target: str) -> tuple[list[Region], str]:
        """Return the regions that the prompt names, and what they were found in."""
        smallest = self.settings.min_area_px
        if self.settings.attributes == "label" and self.split != "test":
            mask, index = self.masks[target], self.index(target)
            return find_regions(mask, self.valid, index=index, min_area_px=smallest, source="label"), "label"
        prior = prior_of(self.tile, target)
        if prior is None:
            return [], "none"
        return find_regions(prior.mask.values, self.valid, index=prior.index, min_area_px=smallest), "index"

    def answer(self, evidence: Evidence, language: str) -> tuple[str, str]:
        written = write_answer(evidence, language, int(self.draw(evidence.target) * 2**31))
        if self.rewrite is None:
            return written.text, written.template
        other = self.rewrite(written.text)
        if other != written.text and same_figures(written.text, other, evidence, language):
            return other, f"{written.template}+"
        return written.text, written.template
