"""How a dataset is built: every choice in one value that is kept beside the result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spex_nb.errors import DatasetError
from spex_nb.targets import TARGETS, get_target

FEWEST_TOKENS = 256
"""A prompt with one region always fits."""


@dataclass(frozen=True)
class Settings:
    """The choices of a build.

    Attributes:
        tile_px: Side of a tile; a scene that is smaller becomes one tile.
        targets: Ids of the targets asked for, where a scene's labels know them; all of them by default.
        languages: In which answers are written; a record's is drawn from them.
        attributes: What attributes are made from: ``index``, or ``label``, which tells the answer and is therefore
            never used in the test split.
        rich: Whether attributes say index, mean index and share too.
        min_area_px: Smaller regions are neither attributes nor counted.
        min_valid_frac: Tiles with less data are left out.
        min_known_frac: A target is left out of a tile whose label says less about it.
        doubtful: Whether, in the train split, pixels at which a label contradicts every index count as unknown.
        labels: ``on_date``, where the greenness of the date decides what is vegetation and what is bare soil (see
            `labels_on_date`); or ``as_mapped``, the land cover of the label's map, bare fields among its vegetation.
            Labels of your own stay as they are.
        absent_frac: Share of the records without the target that are kept.
        max_tokens: Budget of a prompt; None for no limit.
        split: Shares of the places in train, val and test, where a source has no split of its own.
        rgb: Whether a true-colour PNG is written beside each tile.
        seed: Of every draw.
    """

    tile_px: int = 512
    targets: tuple[str, ...] = tuple(TARGETS)
    languages: tuple[str, ...] = ("en",)
    attributes: Literal["index", "label"] = "index"
    rich: bool = False
    min_area_px: int = 4
    min_valid_frac: float = 0.5
    min_known_frac: float = 0.5
    doubtful: bool = False
    labels: Literal["on_date", "as_mapped"] = "on_date"
    absent_frac: float = 0.25
    max_tokens: int | None = None
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    rgb: bool = False
    seed: int = 0

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Settings:
        """Return the settings that ``build.json`` notes."""
        choices: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in said.items()}
        return cls(**choices)

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            DatasetError: If a number is out of its range.
            TargetError: If a target is unknown.
            LanguageError: If a language is unknown.
        """
        from spex_nb.language.languages import get_language

        object.__setattr__(self, "targets", tuple(dict.fromkeys(get_target(target).id for target in self.targets)))
        for language in self.languages:
            get_language(language)
        wrong = [
            name
            for name, fine in (
                ("tile_px", self.tile_px >= 8),  # noqa: PLR2004 (nothing can be seen on fewer)
                ("targets", len(self.targets) > 0),
                ("languages", len(self.languages) > 0),
                ("attributes", self.attributes in ("index", "label")),
                ("labels", self.labels in ("on_date", "as_mapped")),
                ("min_area_px", self.min_area_px >= 1),
                ("min_valid_frac", 0 <= self.min_valid_frac <= 1),
                ("min_known_frac", 0 <= self.min_known_frac <= 1),
                ("max_tokens", self.max_tokens is None or self.max_tokens >= FEWEST_TOKENS),
                ("absent_frac", 0 <= self.absent_frac <= 1),
                ("split", len(self.split) == 3 and min(self.split) >= 0 and abs(sum(self.split) - 1) < 1e-6),  # noqa: PLR2004
            )
            if not fine
        ]
        if wrong:
            raise DatasetError(
                "A dataset cannot be built like this",
                found=", ".join(f"{name}={getattr(self, name)!r}" for name in wrong),
                expected="sides of 8 px or more, shares between 0 and 1, a split that adds up to 1, "
                f"{FEWEST_TOKENS} tokens or more",
                fix="Correct the setting.",
            )


def draw(seed: int, *names: object) -> float:
    """Return a number in [0, 1) that depends on nothing but the seed and the names."""
    digest = hashlib.blake2b("/".join(map(str, (seed, *names))).encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


def split_of(place: str, settings: Settings) -> str:
    """Return the split of a place: the same for all tiles of it."""
    train, val, _ = settings.split
    at = draw(settings.seed, "split", place)
    return "train" if at < train else "val" if at < train + val else "test"
