"""A model after its first stage: it segments its targets, and has learned no words yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from spex_nb.model import SpexPredictor
from spex_nb.training.batches import TEXT


class WordlessPredictor(SpexPredictor):
    """Asks by the learned query of a target, as in pre-training, and explains nothing; otherwise a `SpexPredictor`."""

    explains_evidence = False

    def _segment(self, sight: Any, targets: Sequence[str], asked: dict[str, Any]) -> torch.Tensor:
        """Return mask logits [T, H, W] of the targets' queries; the prompts are not read.

        Raises:
            ValueError: If it was not trained on a target.
        """
        wordless = {name: values for name, values in asked.items() if name not in TEXT}
        numbers = torch.tensor([self.targets.index(target) for target in targets], device=self.model.device)
        return super()._segment(sight, targets, wordless | {"target_index": numbers})

    def explain(self, *_asked: Any, **_more: Any) -> Iterator[str]:
        """Yield nothing: what is said of its masks is written from the evidence alone."""
        yield from ()
