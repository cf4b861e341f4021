"""The settings of a build, in one value that is stored beside the dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spex_nb.errors import DatasetError
from spex_nb.types.targets import TARGETS, get_target

FEWEST_TOKENS = 256
"""Smallest limit of a prompt: one region always fits."""


@dataclass(frozen=True)
class Settings:
    """The settings of a build.

    Attributes:
        tile_px: Side of a tile in pixels; a smaller scene becomes one tile.
        targets: Ids of the targets asked for, where the labels of a scene have them; all targets by default.
        languages: Languages of the answers; the language of a record is drawn from them.
        attributes: Source of the attributes in prompts: ``index``, or ``label``. Attributes of a label give the answer
            away, so the test split never has them.
        rich: Whether attributes include the index, its mean and the share of the scene.
        min_area_px: Smallest region in pixels; smaller ones are neither named nor counted.
        min_valid_frac: Smallest share of a tile with data; others are left out.
        min_known_frac: Smallest share of a tile that a label knows of a target; otherwise the tile has no record of it.
        drop_conflicts: Whether, in the train split, pixels whose label contradicts every index count as unknown.
        labels: ``on_date``, where the greenness of the date decides what is vegetation and what is bare soil (see
            `labels_on_date`); or ``as_mapped``, the land cover of the label's map, bare fields among its vegetation.
            Labels of your own stay as they are.
        absent_frac: Share of the tiles without a target that get a record of it.
        max_tokens: Most tokens of a prompt; None for no limit.
        split: Shares of the places in train, val and test, for sources without an official split.
        rgb: Whether to write a true-colour PNG beside each tile.
        seed: Seed of all random draws.
    """

    tile_px: int = 512
    targets: tuple[str, ...] = tuple(TARGETS)
    languages: tuple[str, ...] = ("en",)
    attributes: Literal["index", "label"] = "index"
    rich: bool = False
    min_area_px: int = 4
    min_valid_frac: float = 0.5
    min_known_frac: float = 0.5
    drop_conflicts: bool = False
    labels: Literal["on_date", "as_mapped"] = "on_date"
    absent_frac: float = 0.25
    max_tokens: int | None = None
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    rgb: bool = False
    seed: int = 0

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Settings:
        """Return the settings in ``build.json``; those of datasets built by version 0.1 too."""
        names = {"doubtful": "drop_conflicts"}
        options: dict[str, Any] = {
            names.get(name, name): tuple(value) if isinstance(value, list) else value for name, value in payload.items()
        }
        return cls(**options)

    def __post_init__(self) -> None:
        """Check the settings.

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
            for name, is_valid in (
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
            if not is_valid
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
    """Return a pseudo-random number in [0, 1) that depends only on the seed and the names."""
    digest = hashlib.blake2b("/".join(map(str, (seed, *names))).encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


def split_of(place: str, settings: Settings) -> str:
    """Return the split of a place; all its tiles share it."""
    train, val, _ = settings.split
    at = draw(settings.seed, "split", place)
    return "train" if at < train else "val" if at < train + val else "test"
