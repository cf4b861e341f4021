"""Checks of a dataset before training and testing: leakage, broken records, sizes, empty masks, duplicates, balance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spex_nb.errors import DatasetError, PromptError, SpexError, TargetError
from spex_nb.language.prompts import parse_prompt
from spex_nb.spie.dataset import SpieDataset, open_dataset
from spex_nb.spie.records import SPLITS, Record, read_items
from spex_nb.spie.tiles import read_tile

if TYPE_CHECKING:
    import pandas as pd

MAX_TEMPLATE_FRAC = 0.02
"""Largest share of the records that one wording may cover."""
FAIR_SOURCES = ("index", "drawn", "none")
"""Sources that attributes in a test split may have."""
SAME_SHARE = 1e-6
ENOUGH_TO_JUDGE = 500
"""Fewest records for which the share of a wording is judged."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (``error``) or odd (``warning``)."""

    severity: Literal["error", "warning"]
    kind: str
    where: str
    """Id of a record or tile, or a name of what it is about."""
    text: str


@dataclass(frozen=True)
class CheckReport:
    """The result of a check; ``is_fit`` if no problem is an error."""

    folder: Path
    problems: tuple[Problem, ...]
    balance: pd.DataFrame
    """By split and target: records, with the target, mean share, empty, full."""

    @property
    def is_fit(self) -> bool:
        """Whether there is no error."""
        return not any(problem.severity == "error" for problem in self.problems)

    def __str__(self) -> str:
        lines = [f"{p.severity}: {p.kind}: {p.where}: {p.text}" for p in self.problems]
        return "\n".join([*lines, f"{'fit' if self.is_fit else 'NOT fit'}: {len(lines)} problems", str(self.balance)])


def check(folder: str | Path) -> CheckReport:
    """Check a dataset: every record, every mask, every tile.

    Args:
        folder: Folder that ``build`` made.

    Returns:
        The problems, errors first, and the class balance.

    Raises:
        DatasetError: If the folder holds no whole dataset.
    """
    dataset = open_dataset(folder)
    tiles = _Tiles(dataset.folder)
    problems: list[Problem] = []
    rows = []
    for split in SPLITS:
        for item in read_items(dataset.folder / f"{split}.json"):
            try:
                record = Record.from_json(item)
            except DatasetError as error:
                problems.append(Problem("error", "broken record", f"{split}.json", str(error)))
                continue
            record_problems, row = _check_record(dataset, record, split, tiles)
            problems += record_problems
            rows.append(row)
    problems += [*_split_problems(dataset.index), *_listed_twice(rows), *_wording_problems(dataset.index)]
    problems += _index_problems(dataset.index, rows)
    balance = _balance(rows)
    problems += _balance_problems(balance)
    return CheckReport(dataset.folder, tuple(sorted(problems, key=lambda p: p.severity)), balance)


class _Tiles:
    """Reads each tile once, though several records in a row show it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: tuple[str, tuple[int, int], str] = ("", (0, 0), "")

    def shape_and_hash(self, image: str) -> tuple[tuple[int, int], str]:
        if self._last[0] != image:
            tile = read_tile(self._folder / image)
            self._last = (image, tile.spex.shape, tile.attrs["tile_hash"])
        return self._last[1:]


def _check_record(
    dataset: SpieDataset, record: Record, split: str, tiles: _Tiles
) -> tuple[list[Problem], dict[str, Any]]:
    problems = [Problem("error", kind, record.id, text) for kind, text in _text_problems(record, split)]
    row: dict[str, Any] = {
        "id": record.id,
        "split": split,
        "target": record.target,
        "source": record.source,
        "share": np.nan,
        "hash": "",
    }
    try:
        mask, is_known = dataset.mask(record)
        shape, row["hash"] = tiles.shape_and_hash(record.image)
    except (SpexError, OSError) as error:
        return [*problems, Problem("error", "missing or damaged file", record.id, str(error))], row
    if mask.shape != shape:
        text = f"the image has {shape} pixels, the mask {mask.shape}"
        problems.append(Problem("error", "sizes differ", record.id, text))
    if not is_known.any():
        problems.append(Problem("error", "empty label", record.id, "the mask says nothing about any pixel"))
    else:
        row["share"] = float(mask[is_known].mean())
    return problems, row


def _text_problems(record: Record, split: str) -> Iterator[tuple[str, str]]:
    if split == "test" and record.source not in FAIR_SOURCES:
        text = "the attributes of a test record were made from its label: they tell the answer"
        yield "leakage", text if record.source == "label" else "a test record does not say what its attributes are from"
    if record.split and record.split != split:
        yield "leakage", f"the record is of split {record.split}, but is listed in {split}.json"
    if not record.answer.strip():
        yield "broken record", "the answer is empty"
    try:
        prompt = parse_prompt(record.prompt)
    except (PromptError, TargetError) as error:
        yield "broken record", str(error)
        return
    if prompt.target != record.target:
        yield "broken record", f"the prompt asks for {prompt.target}, the record for {record.target}"


def _split_problems(index: pd.DataFrame) -> Iterator[Problem]:
    """Find places and equal tiles that stand in more than one split."""
    for column, kind, text in (
        ("place", "leakage", "the place stands in the splits {}: tiles of one place resemble each other"),
        ("tile_hash", "duplicate tiles", "tiles with the same pixels stand in the splits {}"),
    ):
        splits = index.groupby(column)["split"].unique()
        for value, names in splits[splits.map(len) > 1].items():
            rows = index[index[column] == value]
            where = str(value) if column == "place" else ", ".join(rows["tile"].unique()[:4])
            # Some sources part one place themselves; that is theirs to answer for, but worth knowing.
            severity: Literal["error", "warning"] = "warning" if rows["official_split"].all() else "error"
            yield Problem(severity, kind, where, text.format(" and ".join(sorted(names))))
    leaked = index[(index["split"] == "test") & (index["source"] == "label")]
    if len(leaked):
        yield Problem("error", "leakage", "index.parquet", f"{len(leaked)} test records have attributes from labels")


def _index_problems(index: pd.DataFrame, rows: list[dict[str, Any]]) -> Iterator[Problem]:
    """Find contradictions between lists, index and files."""
    if index.empty or not rows:
        yield Problem("error", "empty dataset", "index.parquet", f"{len(index)} records, {len(rows)} in the lists")
    listed = {row["id"]: row for row in rows}
    noted = {row["id"]: row for row in index.reset_index().to_dict("records")}
    for where, missing in (
        ("the lists", noted.keys() - listed.keys()),
        ("index.parquet", listed.keys() - noted.keys()),
    ):
        for record_id in sorted(missing):
            yield Problem("error", "lost record", record_id, f"the record is missing from {where}")
    for record_id in noted.keys() & listed.keys():
        for kind, text in _contradictions(listed[record_id], noted[record_id]):
            yield Problem("error", kind, record_id, text)


def _contradictions(row: dict[str, Any], noted: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """Find what of a record is not as the index noted it when it was built."""
    for name in ("split", "target", "source"):
        if row[name] != noted[name]:
            yield "contradiction", f"{name} is {row[name]!r} in the list, {noted[name]!r} in the index"
    if row["hash"] and row["hash"] != noted["tile_hash"]:
        yield "changed file", "the tile does not hold the pixels that were built"
    if abs(row["share"] - noted["share_frac"]) > SAME_SHARE:
        text = f"the mask covers {row['share']:.4f} of the known pixels, {noted['share_frac']:.4f} when it was built"
        yield "changed file", text


def _listed_twice(rows: list[dict[str, Any]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for row in rows:
        if row["id"] in seen:
            yield Problem("error", "doubled record", row["id"], "the id is listed twice")
        seen.add(row["id"])


def _wording_problems(index: pd.DataFrame) -> Iterator[Problem]:
    shares = index["template"].value_counts(normalize=True)
    for template, share in shares[shares > MAX_TEMPLATE_FRAC].items():
        if len(index) >= ENOUGH_TO_JUDGE:
            text = f"{share:.1%} of the answers are worded alike: a model would learn the wording"
            yield Problem("warning", "monotony", str(template), text)


def _balance(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows, columns=["id", "split", "target", "share"])
    table = table.assign(held=table["share"] > 0, empty=table["share"] == 0, full=table["share"] == 1)
    return table.groupby(["split", "target"]).agg(
        records=("id", "size"),
        with_target=("held", "sum"),
        mean_share=("share", "mean"),
        empty=("empty", "sum"),
        full=("full", "sum"),
    )


def _balance_problems(balance: pd.DataFrame) -> Iterator[Problem]:
    for row in balance.reset_index().to_dict("records"):
        where = f"{row['target']} in {row['split']}"
        if row["with_target"] == 0:
            yield Problem("warning", "empty masks", where, f"none of the {row['records']} masks holds the target")
        if row["full"] > row["records"] / 2:
            yield Problem("warning", "full masks", where, f"{row['full']} of {row['records']} masks are full")
