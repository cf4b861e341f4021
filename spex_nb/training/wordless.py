"""A model after its first stage: it segments its targets, and has learned no words yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from spex_nb.model import SpexPredictor
from spex_nb.training.batches import TEXT


class WordlessPredictor(SpexPredictor):
    """Asks by the learned query of a target, as in pre-training, and explains nothing; otherwise a `SpexPredictor`."""

    explains_evidence = False

    @torch.inference_mode()
    def predict(
        self,
        tile: xr.Dataset,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
    ) -> Any:
        """Segment a tile; arguments and result as of `SpexPredictor.predict`, but the prompts are not read.

        Raises:
            ValueError: If it was not trained on a target, or the tile does not suit the model.
        """
        sight = self._sight(tile)
        asked = self._asked(tile, prompts, priors=priors, points=points, boxes=boxes)
        wordless = {name: values for name, values in asked.items() if name not in TEXT}
        numbers = torch.tensor([self.targets.index(target) for target in targets], device=self.model.device)
        logits = self.model.segment(features=self._features(sight), **wordless, target_index=numbers)
        return np.where(tile.spex.valid.values, logits.float().cpu().numpy(), np.float32(-np.inf))

    def explain(self, *_asked: Any, **_more: Any) -> Iterator[str]:
        """Yield nothing: what is said of its masks is written from the evidence alone."""
        yield from ()
