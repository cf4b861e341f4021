"""Points to check a map at: strata of the mask, and the pixels that a design draws from them.

The strata are the classes of the mask, each parted into what the model is sure of and what it is not. Strata that are
not the classes alone keep the estimates unbiased (Stehman 2014, doi 10.1080/01431161.2014.930207), and more points lie
where errors are. The points go half in proportion to the strata and half evenly, between the two ways that Olofsson et
al. 2014 (doi 10.1016/j.rse.2014.02.015) weigh against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spex_nb.errors import EmptySceneError, ExtractionError
from spex_nb.extraction import Extraction
from spex_nb.extraction.facts.doubt import STEPS as DOUBT_STEPS
from spex_nb.types import MASK_NODATA

Design = Literal["stratified", "random", "systematic"]
OTHER = "other"
"""Id of the class of pixels that the mask gives no class."""
DOUBTFUL_FRAC = 0.1
"""Share of the pixels that count as doubtful: those of the least certainty."""
STEPS = 4096
"""Steps in which certainty is counted, as those of the probability."""
BLOCK_ROWS = 512
FEWEST_PER_STRATUM = 2

Labels = NDArray[np.uint8]
"""uint8 [H, W]: number of the stratum of each pixel, 255 where there is no data."""


def stratum_table(result: Extraction) -> tuple[Labels, pd.DataFrame]:
    """Part a mask into strata.

    Args:
        result: The result whose mask and probability are read.

    Returns:
        The strata as uint8 [H, W], and one row a stratum: ``stratum``, ``target`` (`OTHER` where the mask gives no
        class), ``is_doubtful``, ``pixels``. Strata without a pixel are left out.

    Raises:
        EmptySceneError: If no pixel of the mask has data.
    """
    mask = result.mask.to_numpy()
    doubtful_below = _certainty_cut(result)
    labels = np.full(mask.shape, MASK_NODATA, np.uint8)
    for rows, certainty in _certainties(result):
        part = mask[rows]
        codes = 2 * part.astype(np.int16) + (certainty < doubtful_below)
        labels[rows] = np.where(part == MASK_NODATA, MASK_NODATA, codes).astype(np.uint8)
    targets = [OTHER, *result.class_names]
    pixels = np.bincount(labels.ravel(), minlength=MASK_NODATA + 1)[: 2 * len(targets)]
    if not pixels.sum():
        raise EmptySceneError(
            "There is nothing to check",
            found="a mask without a valid pixel",
            expected="pixels with data",
            fix="Extract from a scene or window that has data.",
        )
    present = np.flatnonzero(pixels)
    numbers = np.full(MASK_NODATA + 1, MASK_NODATA, np.uint8)
    numbers[present] = np.arange(len(present))
    table = pd.DataFrame(
        {
            "stratum": np.arange(len(present)),
            "target": [targets[code // 2] for code in present],
            "is_doubtful": (present % 2).astype(bool),
            "pixels": pixels[present],
        }
    )
    return numbers[labels], table


def draw_points(labels: Labels, strata: pd.DataFrame, n: int, design: Design, seed: int) -> pd.DataFrame:
    """Draw the pixels to look at.

    Args:
        labels: uint8 [H, W], number of the stratum of each pixel, 255 where there is no data.
        strata: The strata with their ``pixels``, as `stratum_table` returns them.
        n: How many points are wanted. A systematic grid gives about as many.
        design: ``stratified`` draws within each stratum, ``random`` anywhere, ``systematic`` on a square grid whose
            start is random.
        seed: Of the random numbers; the same seed draws the same points.

    Returns:
        One row a point in random order: ``row``, ``column``, ``stratum``.

    Raises:
        ExtractionError: If the design is unknown or the number of points makes no sense.
    """
    if design not in get_args(Design) or n < 1:
        raise ExtractionError(
            "No points can be drawn like this",
            found=f"n={n}, design={design!r}",
            expected=f"one point or more, by one of {', '.join(get_args(Design))}",
            fix="Change n= or design=.",
        )
    generator = np.random.default_rng(seed)
    if design == "systematic":
        rows, columns = _grid_points(labels, n, generator)
    else:
        ranks = _ranks(strata["pixels"].to_numpy(), n, design, generator)
        rows, columns = _pixels_of_ranks(labels, ranks)
    order = generator.permutation(len(rows))
    rows, columns = rows[order], columns[order]
    return pd.DataFrame({"row": rows, "column": columns, "stratum": labels[rows, columns].astype(int)})


def allocate_points(pixels: NDArray[np.integer[Any]], n: int) -> NDArray[np.int64]:
    """Return how many points each stratum gets: half of them evenly, half in proportion, never more than its pixels.

    Args:
        pixels: int [S], the pixels of each stratum.
        n: How many points there are in all.
    """
    number = len(pixels)
    wanted = n * (0.5 / number + 0.5 * pixels / pixels.sum())
    least = np.minimum(pixels, FEWEST_PER_STRATUM if n >= FEWEST_PER_STRATUM * number else 0)
    points: NDArray[np.int64] = np.clip(np.floor(wanted).astype(np.int64), least, pixels)
    total = min(n, int(pixels.sum()))
    while points.sum() != total:
        is_short = points.sum() < total
        gap = np.where(points < pixels, wanted - points, -np.inf) if is_short else np.where(points > least, points, -1)
        points[int(np.argmax(gap))] += 1 if is_short else -1
    return points


def _certainties(result: Extraction) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield rows and how certain the mask is there, 0 to 1: by the doubt of the result, or else its probability."""
    if result.doubt is not None:
        doubt = result.doubt.to_numpy()
        tops = range(0, doubt.shape[0], BLOCK_ROWS)
        yield from ((slice(top, top + BLOCK_ROWS), _certainty_of(doubt[top : top + BLOCK_ROWS])) for top in tops)
        return
    mask, numbers = result.mask.to_numpy(), np.arange(1, len(result.class_names) + 1)[:, None, None]
    for top in range(0, mask.shape[0], BLOCK_ROWS):
        rows = slice(top, top + BLOCK_ROWS)
        probability = np.nan_to_num(np.asarray(result.probability.isel(y=rows), np.float32))
        of_class = np.where(mask[rows] == numbers, probability, 0).max(axis=0)
        yield rows, np.where(mask[rows] == 0, 1 - probability.max(axis=0), of_class).astype(np.float32)


def _certainty_of(doubt: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.clip(1 - doubt / np.float32(DOUBT_STEPS), 0, 1).astype(np.float32)


def _certainty_cut(result: Extraction) -> float:
    """Return below which certainty the least certain tenth of the pixels lies."""
    counts = np.zeros(STEPS + 1, np.int64)
    for rows, certainty in _certainties(result):
        has_data = result.mask.to_numpy()[rows] != MASK_NODATA
        counts += np.bincount(np.rint(certainty[has_data] * STEPS).astype(np.int64), minlength=STEPS + 1)
    below = np.cumsum(counts) - counts
    return (int(np.searchsorted(below, DOUBTFUL_FRAC * counts.sum(), side="right")) - 1) / STEPS


def _ranks(pixels: NDArray[np.integer[Any]], n: int, design: Design, generator: np.random.Generator) -> dict[int, Any]:
    """Return for each stratum which of its pixels are drawn, counted in reading order."""
    if design == "stratified":
        points = allocate_points(pixels, n)
    else:
        points = generator.multivariate_hypergeometric(pixels, min(n, int(pixels.sum())))
    return {
        stratum: np.sort(generator.choice(int(size), int(count), replace=False))
        for stratum, (size, count) in enumerate(zip(pixels, points, strict=True))
    }


def _pixels_of_ranks(labels: Labels, ranks: dict[int, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of pixels that are known by their rank within their stratum."""
    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for stratum, of_stratum in ranks.items():
        in_rows = np.array([int(np.count_nonzero(line == stratum)) for line in labels])
        ends = np.cumsum(in_rows)
        row = np.searchsorted(ends, of_stratum, side="right")
        inner = of_stratum - (ends[row] - in_rows[row])
        column = [int(np.flatnonzero(labels[r] == stratum)[i]) for r, i in zip(row, inner, strict=True)]
        rows.append(row.astype(np.int64))
        columns.append(np.array(column, np.int64))
    return np.concatenate(rows), np.concatenate(columns)


def _grid_points(labels: Labels, n: int, generator: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the pixels with data under a square grid of about as many points as are wanted."""
    height, width = labels.shape
    step = max(1.0, float(np.sqrt(np.count_nonzero(labels != MASK_NODATA) / n)))
    first_row, first_column = generator.uniform(0, step, 2)
    rows = np.arange(first_row, height, step).astype(int)
    columns = np.arange(first_column, width, step).astype(int)
    grid_rows, grid_columns = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    has_data = labels[grid_rows, grid_columns] != MASK_NODATA
    return grid_rows[has_data], grid_columns[has_data]
