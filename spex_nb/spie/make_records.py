"""Questions and answers about a tile: prior, attributes, prompt, evidence, answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.language.answers import write_answer
from spex_nb.language.claims import same_figures
from spex_nb.language.evidence import measure_arrays, readable_index
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.spectral.priors import prior_of
from spex_nb.spie.settings import Settings, draw
from spex_nb.types import Evidence, Region
from spex_nb.types.targets import get_target, overlap

Rewrite = Callable[[str], str]
Labels = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""(mask, known) of each target, both bool [H, W]."""


@dataclass(frozen=True)
class QAPair:
    """A question about a tile, and its answer.

    Attributes:
        target: Id of the target.
        prompt: The question: instruction and attributes.
        answer: The answer, which gives figures of the label.
        template: Wordings that the answer is made of, followed by ``+`` where a chat model rephrased it.
        language: Language of the answer.
        source: Source of the attributes: ``index``, ``label`` or ``none``.
        share_frac: Share of the target in the known pixels.
        regions: Number of regions that the prompt names.
    """

    target: str
    prompt: str
    answer: str
    template: str
    language: str
    source: str
    share_frac: float
    regions: int


def make_qa_pairs(
    tile: xr.Dataset,
    labels: Labels,
    name: str,
    split: str,
    settings: Settings,
    rewrite: Rewrite | None = None,
) -> list[QAPair]:
    """Write a question and an answer for each target that the labels of a tile know.

    Args:
        tile: The bands [H, W], in memory.
        labels: Labels of this tile, by target.
        name: Name of this tile; all random draws depend on it.
        split: ``train``, ``val`` or ``test``.
        settings: Settings of the build.
        rewrite: Rephrases an answer; the new text is used only if it holds all figures. None for no rephrasing.
    """
    writer = _RecordWriter(tile, labels, name, split, settings, rewrite)
    return [writer.pair(target) for target in settings.targets if writer.is_asked(target)]


class _RecordWriter:
    """Writes the questions of one tile; all targets share its masks and indices."""

    def __init__(
        self, tile: xr.Dataset, labels: Labels, name: str, split: str, settings: Settings, rewrite: Rewrite | None
    ) -> None:
        self.tile, self.name, self.split, self.settings, self.rewrite = tile, name, split, settings, rewrite
        self.valid = tile.spex.valid.values
        self.ground = EqualAreaGrid.of(tile)
        self.masks = {target: mask & self.valid for target, (mask, _) in labels.items()}
        self.is_known = {target: is_known & self.valid for target, (_, is_known) in labels.items()}
        self.indices: dict[tuple[str, ...], xr.DataArray | None] = {}

    def is_asked(self, target: str) -> bool:
        """Whether the labels know the target, and it is present or drawn as a question about its absence."""
        is_known = self.is_known.get(target)
        if is_known is None or not is_known.any() or is_known.mean() < self.settings.min_known_frac:
            return False
        return bool(self.masks[target].any()) or self.draw(target, "absent") < self.settings.absent_frac

    def draw(self, *names: str) -> float:
        return draw(self.settings.seed, self.name, *names)

    def pair(self, target: str) -> QAPair:
        settings = self.settings
        language = settings.languages[int(self.draw(target, "language") * len(settings.languages))]
        evidence = self.evidence(target)
        regions, source = self.attributes(target)
        prompt = build_prompt(target, regions, rich=settings.rich, max_tokens=settings.max_tokens)
        answer, template = self.answer(evidence, language)
        return QAPair(target, prompt, answer, template, language, source, evidence.share_frac, len(regions))

    def evidence(self, target: str) -> Evidence:
        """Measure the label itself: the answer gives its figures, whatever the source of the attributes."""
        return measure_arrays(
            self.masks[target],
            self.is_known[target],
            target,
            index=self.index(target),
            ground=self.ground,
            others={name: mask for name, mask in self.masks.items() if not overlap(name, target)},
            min_area_px=self.settings.min_area_px,
            source="label",
            is_relative=self.tile.spex.is_relative,
        )

    def index(self, target: str) -> xr.DataArray | None:
        """Return the index for the figures of a target; targets often share one."""
        names = get_target(target).indices
        if names not in self.indices:
            self.indices[names] = readable_index(self.tile, target)
        return self.indices[names]

    def attributes(self, target: str) -> tuple[list[Region], str]:
        """Return the regions that the prompt names, and their source."""
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
        rephrased = self.rewrite(written.text)
        if rephrased != written.text and same_figures(written.text, rephrased, evidence, language):
            return rephrased, f"{written.template}+"
        return written.text, written.template
