"""A built dataset, opened: its records, their tiles and their masks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_nb.errors import DatasetError, nearest
from spex_nb.spie.records import SPLITS, Record, read_records
from spex_nb.spie.settings import Settings
from spex_nb.spie.tiles import read_mask, read_tile

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True)
class SpieDataset:
    """A folder of SPIE records with their tiles and masks.

    Attributes:
        folder: Where it lies.
        datasets: Ids of the datasets that it is narrowed to, see `only`; None for all.
    """

    folder: Path
    datasets: tuple[str, ...] | None = None

    @cached_property
    def index(self) -> pd.DataFrame:
        """One row a record: place, sensor, bands, target, source of the attributes, share of the target, split."""
        index = self._whole_index
        return index if self.datasets is None else index[index["dataset"].isin(self.datasets)]

    @cached_property
    def _whole_index(self) -> pd.DataFrame:
        import pandas as pd

        try:
            return pd.read_parquet(self.folder / "index.parquet").set_index("id")
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(
                "The index of the dataset cannot be read",
                found=f"{self.folder / 'index.parquet'}: {error}",
                expected="the Parquet file that spie.build writes",
                fix="Build again with the same settings: finished tiles are not done twice.",
            ) from error

    @cached_property
    def settings(self) -> Settings:
        """The choices that it was built with."""
        noted = self.folder / "build.json"
        try:
            return Settings.from_json(json.loads(noted.read_text(encoding="utf-8"))["settings"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DatasetError(
                "The settings of the dataset cannot be read",
                found=f"{noted}: {error}",
                expected="the JSON file that spie.build writes",
                fix="Build again with the same settings: finished tiles are not done twice.",
            ) from error

    def records(self, split: str | None = None) -> Iterator[Record]:
        """Yield the records of one split (``train``, ``val``, ``test``), or of all."""
        selected = None if self.datasets is None else set(self.index.index)
        for name in SPLITS if split is None else (split,):
            yield from (r for r in read_records(self.folder / f"{name}.json") if selected is None or r.id in selected)

    def only(self, datasets: Sequence[str]) -> SpieDataset:
        """Return the part of it that was made from some of its datasets.

        Raises:
            DatasetError: If one of them is not in it.
        """
        there = sorted(self._whole_index["dataset"].unique())
        unknown = [name for name in datasets if name not in there]
        if unknown or not datasets:
            raise DatasetError(
                "There is no such dataset in the folder",
                found=", ".join(map(repr, unknown)) or "no name",
                expected=f"some of {', '.join(there)}",
                fix=(nearest(unknown[0], there) if unknown else "") or "Name one of these.",
            )
        return replace(self, datasets=tuple(datasets))

    def record(self, record_id: str) -> Record:
        """Return one record.

        Raises:
            DatasetError: If there is none of this id.
        """
        if record_id not in self.index.index:
            raise DatasetError(
                "There is no such record",
                found=repr(record_id),
                expected=f"one of {len(self.index)} ids, see the dataset's index",
                fix=nearest(record_id, self.index.index[:5000]) or "Look the id up in index.parquet.",
            )
        split = str(self.index.loc[record_id, "split"])
        for record in self.records(split):
            if record.id == record_id:
                return record
        raise DatasetError(
            "The record is in the index, but not in its list",
            found=f"no {record_id!r} in {split}.json",
            expected="every record of index.parquet",
            fix="Build again with the same settings: finished tiles are not done twice.",
        )

    def first(self) -> Record:
        """Return the first record.

        Raises:
            DatasetError: If there is none.
        """
        for record in self.records():
            return record
        raise DatasetError(
            "The dataset is empty",
            found=f"no record in {self.folder}",
            expected="at least one",
            fix="Build it of scenes whose labels know the targets asked for.",
        )

    def tile(self, record: Record) -> xr.Dataset:
        """Return the bands of a record, float32 [H, W] each, and where they are ``valid``."""
        return read_tile(self.folder / record.image)

    def mask(self, record: Record) -> tuple[Any, Any]:
        """Return (mask, known) of a record, both bool [H, W]."""
        return read_mask(self.folder / record.gt_image)


def open_dataset(folder: str | Path) -> SpieDataset:
    """Open a dataset that ``build`` made.

    Raises:
        DatasetError: If the folder holds none, or its build did not end.
    """
    path = Path(folder)
    missing = [name for name in (*(f"{split}.json" for split in SPLITS), "index.parquet") if not (path / name).exists()]
    if missing:
        raise DatasetError(
            "The folder holds no whole dataset",
            found=f"no {', '.join(missing)} in {path}",
            expected="a folder that spie.build made to the end",
            fix="Build again with the same settings: finished tiles are not done twice."
            if (path / "build.json").exists()
            else "Name the dataset's folder.",
        )
    return SpieDataset(path)
