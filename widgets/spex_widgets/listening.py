"""A model whose words are heard while it writes them, and that stops writing when nobody wants to hear more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from spex_nb.mask_models import IndexModel
from spex_nb.types import MaskModel


class HeardModel:
    """Passes everything on to a model, and its explanations to a listener too.

    Args:
        model: Who answers.
        heard: Called with each piece of an explanation.
        is_cancelled: Asked before each piece.
    """

    def __init__(self, model: MaskModel, heard: Callable[[str], None], is_cancelled: Callable[[], bool]) -> None:
        self._model, self._heard, self._is_cancelled = model, heard, is_cancelled
        self.id, self.targets, self.required_bands = model.id, model.targets, model.required_bands
        self.gsd_m, self.tile_px = model.gsd_m, model.tile_px

    def predict(self, *args: Any, **options: Any) -> Any:
        """Ask the model."""
        return self._model.predict(*args, **options)

    def explain(self, *args: Any, **options: Any) -> Iterator[str]:
        """Yield what the model says, piece by piece, until nobody listens."""
        for piece in self._model.explain(*args, **options):
            if self._is_cancelled():
                return
            self._heard(piece)
            yield piece

    def __getattr__(self, name: str) -> Any:
        """Return what only some models have, such as a fingerprint of their weights."""
        return getattr(self._model, name)


def heard(model: MaskModel, listener: Callable[[str], None], is_cancelled: Callable[[], bool]) -> MaskModel:
    """Return a model that is listened to; the index has no words of its own and stays what it is."""
    return model if isinstance(model, IndexModel) else HeardModel(model, listener, is_cancelled)
