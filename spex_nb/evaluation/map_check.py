"""A check of a map: points that a person answers, and what the answers tell of accuracy and area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spex_nb.errors import DatasetError, RegionError
from spex_nb.evaluation.agreement import MapComparison, PersonAgreement, compare_correctness, measure_agreement
from spex_nb.evaluation.area_estimates import AccuracyEstimates, StratifiedSample, estimate_accuracy
from spex_nb.evaluation.sampling import OTHER, Design, draw_points, stratum_table
from spex_nb.extraction import Explanation, Extraction
from spex_nb.extraction.explain import write_explanation
from spex_nb.extraction.facts.gather import estimate_facts
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.types import MASK_NODATA, AreaInterval, Evidence

if TYPE_CHECKING:
    import geopandas as gpd

UNSURE = "unsure"
"""The answer of a person who cannot tell."""
NO_ANSWER = ""
OTHER_NAME = "none of these"
FILTERS_NOTE = " They are of all of the land cover, also of what the filters of the instruction leave out."
NOTE_START = "Points of the map were checked"


@dataclass(frozen=True, eq=False)
class MapCheck:
    """Points of a map with the answers of a person. It never changes: an answer gives a new one."""

    result: Extraction = field(repr=False)
    """The map that the answers are held against."""
    points: pd.DataFrame = field(repr=False)
    """One row a point, in the order in which they are shown: row, column, stratum."""
    strata: pd.DataFrame = field(repr=False)
    """One row a stratum: stratum, target, is_doubtful, pixels; `sampling.stratum_table` explains them."""
    answers: tuple[str, ...]
    """Of each point: the id of a class, `OTHER`, `UNSURE`, or an empty text."""
    design: Design
    seed: int
    person: str = ""

    @property
    def classes(self) -> dict[str, str]:
        """Id and name of each possible answer but `UNSURE`, in the order of the keys 1 to 9."""
        return {**self.result.class_names, OTHER: OTHER_NAME}

    @property
    def answered(self) -> int:
        """Number of points with an answer that is a class."""
        return sum(answer not in (NO_ANSWER, UNSURE) for answer in self.answers)

    @property
    def unsure(self) -> int:
        """Number of points of which the person was unsure."""
        return self.answers.count(UNSURE)

    @property
    def first_unanswered(self) -> int | None:
        """Position of the first point without an answer; None where all have one."""
        return self.answers.index(NO_ANSWER) if NO_ANSWER in self.answers else None

    def answer(self, point: int, answer: str) -> MapCheck:
        """Return the check with one more answer.

        Args:
            point: Position of the point, from 0 on.
            answer: The id of a class, `OTHER`, `UNSURE`, or an empty text to take an answer back.

        Raises:
            DatasetError: If there is no such point or class.
        """
        if answer not in (*self.classes, UNSURE, NO_ANSWER) or not 0 <= point < len(self.answers):
            raise DatasetError(
                "This is no answer to a point of the sample",
                found=f"{answer!r} to point {point}",
                expected=f"one of {', '.join(self.classes)} or {UNSURE}, to a point from 0 to {len(self.answers) - 1}",
                fix="Give one of these answers.",
            )
        return replace(self, answers=(*self.answers[:point], answer, *self.answers[point + 1 :]))

    @cached_property
    def mapped(self) -> NDArray[np.int64]:
        """Int [N]: number of the class on the map at each point, -1 where the map has no data; `OTHER` comes last."""
        values = self.result.mask.to_numpy()[self.points["row"], self.points["column"]].astype(np.int64)
        return np.where(values == MASK_NODATA, -1, np.where(values == 0, len(self.result.class_names), values - 1))

    @cached_property
    def estimates(self) -> AccuracyEstimates:
        """Accuracy and area, with intervals; see `estimate_accuracy`. Points of which one is unsure are left out.

        Raises:
            DatasetError: If no point is answered.
        """
        return estimate_accuracy(self._sample(self._usable))

    @property
    def areas(self) -> dict[str, AreaInterval]:
        """By target, the unbiased area with its 95 % interval; empty before the first answer."""
        if not self._usable.any():
            return {}
        valid_m2, valid_px = self._valid_m2, int(self.strata["pixels"].sum())
        return {
            name: AreaInterval(share.value, share.low, share.high, valid_px, valid_m2, int(self._usable.sum()))
            for name, share in zip(self.classes, self.estimates.areas, strict=True)
        }

    def table(self) -> pd.DataFrame:
        """Return accuracy and area by class, one row each, with the limits of their 95 % intervals as shares."""
        estimates, rows = self.estimates, []
        for number, name in enumerate(self.classes):
            row = {"class": name, "points": int(estimates.counts[:, number].sum())}
            for title, share in (
                ("area", estimates.areas[number]),
                ("users", estimates.users[number]),
                ("producers", estimates.producers[number]),
            ):
                row |= {f"{title}_frac": share.value, f"{title}_low": share.low, f"{title}_high": share.high}
            rows.append(row | {"area": str(self.areas[name])})
        return pd.DataFrame(rows)

    def agreement(self, other: MapCheck) -> PersonAgreement:
        """Compare these answers with those of another person to the same points.

        Args:
            other: The check of the other person.

        Raises:
            DatasetError: If the points differ, or no point was answered by both.
        """
        self._require_same_points(other.points)
        pairs = [
            pair for pair in zip(self.answers, other.answers, strict=True) if not {NO_ANSWER, UNSURE}.intersection(pair)
        ]
        return measure_agreement([first for first, _ in pairs], [second for _, second in pairs])

    def against(self, result: Extraction) -> MapCheck:
        """Return the same points and answers, held against another map of the same pixels and classes.

        Args:
            result: The other map, such as one that was edited or that another model made.

        Raises:
            RegionError: If the pixels differ, or a class is missing.
        """
        if result.mask.shape != self.result.mask.shape or set(result.class_names) != set(self.result.class_names):
            raise RegionError(
                "The answers do not fit this map",
                found=f"{result.mask.shape} pixels of {', '.join(result.class_names)}",
                expected=f"{self.result.mask.shape} pixels of {', '.join(self.result.class_names)}",
                fix="Take two results of one scene and one instruction.",
            )
        return replace(self, result=result)

    def correctness(self, other: MapCheck) -> MapComparison:
        """Compare this map with another one at the same points.

        Args:
            other: A check of the other map with the same points and classes.

        Returns:
            The comparison; see `compare_maps`.
        """
        where = self._usable & (other.mapped >= 0)
        stratum = self.points["stratum"].to_numpy(np.int64)[where]
        shares = self.strata["pixels"].to_numpy(float) / self.strata["pixels"].sum()
        weights = shares[stratum] / np.bincount(stratum, minlength=len(shares))[stratum]
        numbers = {name: number for number, name in enumerate(self.classes)}
        numbers_of_other = np.array([numbers[name] for name in other.classes], np.int64)
        is_right = self.mapped[where] == self._reference[where]
        is_other_right = numbers_of_other[other.mapped[where]] == self._reference[where]
        return compare_correctness(is_right, is_other_right, weights)

    def apply(self) -> Extraction:
        """Return the result with the areas of this check in its evidence, notes, exports and report.

        Points know a land cover and not the filters of an instruction, such as "larger than 2 ha". Where there are
        filters, the areas stand in the notes alone, with a warning.

        Raises:
            DatasetError: If no point is answered.
        """
        sentence, areas = self.sentence, {} if self.result.instruction.filters else self.areas
        evidence = {
            name: replace(figures, area_interval=areas.get(name)) for name, figures in self.result.evidence.items()
        }
        explanations = tuple(self._explained(old, evidence) for old in self.result.explanations)
        notes = [note for note in self.result.notes if not note.startswith(NOTE_START)]
        checked = {name: str(self.areas[name]) for name in self.result.class_names}
        tags = {f"checked_area_{name}": str(areas[name]) for name in self.result.class_names if areas}
        provenance = {
            "points": len(self.answers),
            "answered": self.answered,
            "unsure": self.unsure,
            "design": self.design,
            "seed": self.seed,
            "person": self.person,
            "areas": checked,
        }
        return replace(
            self.result,
            mask=self.result.mask.assign_attrs(tags),
            evidence=evidence,
            explanations=explanations,
            notes=(*notes, sentence),
            provenance={**self.result.provenance, "map_check": provenance},
        )

    def _explained(self, old: Explanation, evidence: Mapping[str, Evidence]) -> Explanation:
        """Return an explanation that says the area of the points."""
        figures = evidence.get(old.target)
        if figures is None or not old.facts:
            return old
        estimate = estimate_facts(figures)
        facts = [fact for fact in old.facts if not fact.id.startswith("estimate.")] + [*estimate]
        return write_explanation(old.prompt, old.text, figures, facts, self.result.instruction)

    @property
    def sentence(self) -> str:
        """What the answers tell, as one sentence a class.

        Raises:
            DatasetError: If no point is answered.
        """
        overall = self.estimates.overall
        names = self.result.class_names
        areas = "; ".join(f"{names[name]}: {self.areas[name]}" for name in names)
        unsure = f", {self.unsure} unsure" if self.unsure else ""
        return (
            f"{NOTE_START} ({self.answered} answered{unsure}, {self.design}). {areas}. The map is right for "
            f"{overall.value:.1%} of the area ({overall.low:.1%} to {overall.high:.1%}). Intervals are of 95 %."
            f"{FILTERS_NOTE if self.result.instruction.filters else ''}"
        )

    def to_geodataframe(self) -> gpd.GeoDataFrame:
        """Return the points with their answers in the CRS of the map; in pixels, y down, without one."""
        import geopandas as gpd

        mask = self.result.mask
        x, y = mask.rio.transform() @ (self.points["column"].to_numpy() + 0.5, self.points["row"].to_numpy() + 0.5)
        table = self.points[["row", "column", "stratum"]].reset_index(drop=True)
        table.insert(0, "point", np.arange(1, len(table) + 1))
        table["answer"] = list(self.answers)
        return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(x, y), crs=mask.rio.crs)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write points, answers and strata as a GeoPackage, which `load_check` reads again.

        Args:
            path: The file to write, with the suffix ``.gpkg``.
            overwrite: Whether an existing file is replaced (default: no).

        Raises:
            OutputError: If the path cannot be written.
        """
        from spex_nb.evaluation.check_files import save_check

        return save_check(self, path, overwrite=overwrite)

    def _repr_html_(self) -> str:
        if not self._usable.any():
            return f"<p>{len(self.answers)} points to check, none answered yet.</p>"
        return f"<p>{escape(self.sentence)}</p>{self.table().to_html(index=False, float_format='{:.3f}'.format)}"

    @property
    def _usable(self) -> NDArray[np.bool_]:
        has_answer = np.array([answer not in (NO_ANSWER, UNSURE) for answer in self.answers], bool)
        return has_answer & (self.mapped >= 0)

    @property
    def _reference(self) -> NDArray[np.int64]:
        numbers = {name: number for number, name in enumerate(self.classes)}
        return np.array([numbers.get(answer, -1) for answer in self.answers], np.int64)

    @property
    def _valid_m2(self) -> float | None:
        """Ground of all pixels with data; each is taken to be as large as the mean pixel of the map."""
        ground = EqualAreaGrid.of(self.result.mask)
        if ground is None:
            return None
        height, width = self.result.mask.shape
        rows = np.arange(height)
        of_rows = ground.run_areas_m2(np.stack([rows, np.zeros_like(rows), np.full_like(rows, width)], 1))
        return float(of_rows.mean() / width * self.strata["pixels"].sum())

    def _sample(self, where: NDArray[np.bool_]) -> StratifiedSample:
        numbers = {name: number for number, name in enumerate(self.classes)}
        return StratifiedSample(
            strata=self.points["stratum"].to_numpy(np.int64)[where],
            mapped=self.mapped[where],
            reference=self._reference[where],
            sizes=self.strata["pixels"].to_numpy(float),
            map_classes=np.array([numbers[name] for name in self.strata["target"]], np.int64),
            class_count=len(numbers),
        )

    def _require_same_points(self, points: pd.DataFrame) -> None:
        places = ["row", "column"]
        if not np.array_equal(self.points[places].to_numpy(), points[places].to_numpy()):
            raise DatasetError(
                "The points differ",
                found=f"{len(points)} points in other places",
                expected=f"the {len(self.points)} points of this check",
                fix="Let both persons answer the file that save() wrote.",
            )


def check_map(result: Extraction, n: int = 100, design: Design = "stratified", seed: int = 0) -> MapCheck:
    """Draw points of a map, so that a person can check it.

    Look at each point without the mask, and answer what is there: by `MapCheck.answer`, in the panel "Check" of the
    workbench, or in a file. The answers give the accuracy of the map, and the area of each class with an interval.

    Args:
        result: The map to check.
        n: Number of points (default: 100). A systematic grid gives about as many.
        design: ``stratified`` (default) draws more points where the class is rare or the model unsure. ``random`` draws
            anywhere, ``systematic`` on a square grid with a random start. Each is estimated by the same strata.
        seed: Of the random numbers; the same seed draws the same points (default: 0).

    Returns:
        The points, without answers.

    Raises:
        EmptySceneError: If no pixel of the map has data.
        ExtractionError: If the design is unknown or the number of points makes no sense.
    """
    labels, strata = stratum_table(result)
    points = draw_points(labels, strata, n, design, seed)
    return MapCheck(result, points, strata, (NO_ANSWER,) * len(points), design, seed)


def compare_maps(check: MapCheck, other: Extraction | MapCheck) -> MapComparison:
    """Say which of two maps is better, from the same answered points.

    Args:
        check: The answered points, with the first map.
        other: The second map of the same scene and instruction, or a check that holds it.

    Returns:
        The comparison with the verdict of an exact paired test.

    Raises:
        RegionError: If the maps differ in pixels or classes.
    """
    second = other.result if isinstance(other, MapCheck) else other
    return check.correctness(check.against(second))
