"""Figures of a mask and the bands under it. Explanations are written from them and checked against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spex_nb.errors import MissingBandError, RegionError
from spex_nb.language.prompts import parse_prompt
from spex_nb.regions.find import summarize_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.spectral.indices import compute_index, within_range
from spex_nb.types import Evidence, RegionSource, Spread
from spex_nb.types.targets import get_target, target_or_class


def measure_evidence(
    mask: ArrayLike,
    scene: xr.Dataset,
    target: str,
    *,
    index: xr.DataArray | None = None,
    others: Mapping[str, ArrayLike] | None = None,
    min_area_px: int = 1,
    top: int | None = 10,
    source: RegionSource = "index",
) -> Evidence:
    """Measure a mask.

    Args:
        mask: bool [H, W] on the scene's grid.
        scene: The bands under it. Pixels outside its ``valid`` do not count; its CRS gives areas in m².
        target: Id of the target that the mask shows.
        index: float [H, W], the index to measure. The default is the first of the target's indices that the scene
            allows.
        others: Masks of other targets [H, W], by id; the evidence holds their shares of the mask's border.
        min_area_px: Area of the smallest region that counts. The area of smaller ones is still in the total.
        top: The most regions to measure one by one; None for all.
        source: What the mask comes from.

    Returns:
        The figures of the mask.

    Raises:
        TargetError: If the target is unknown.
        RegionError: If the mask is no mask of this scene.
    """
    measured = readable_index(scene, get_target(target).id) if index is None else index
    measured = None if measured is None else measured.compute()  # once, for several figures
    return measure_arrays(
        _on_grid(mask, scene),
        scene.spex.valid.values,
        target,
        index=measured,
        ground=EqualAreaGrid.of(scene),
        others=others,
        min_area_px=min_area_px,
        top=top,
        source=source,
        is_relative=scene.spex.is_relative,
    )


def measure_arrays(  # noqa: PLR0913 (what measure_evidence takes from the scene)
    mask: ArrayLike,
    valid: NDArray[np.bool_],
    target: str,
    *,
    index: xr.DataArray | None = None,
    ground: EqualAreaGrid | None = None,
    others: Mapping[str, ArrayLike] | None = None,
    min_area_px: int = 1,
    top: int | None = 10,
    source: RegionSource = "index",
    is_relative: bool = False,
) -> Evidence:
    """Measure a mask as `measure_evidence` does, from arrays of the scene: quicker for many masks of one scene."""
    summary = summarize_regions(
        mask, valid, index=index, ground=ground, min_area_px=min_area_px, top=top, source=source
    )
    inside = np.asarray(mask, bool) & valid
    valid_px = int(valid.sum())
    return Evidence(
        target=get_target(target).id,
        shape=valid.shape,
        area_px=summary.area_px,
        valid_px=valid_px,
        share_frac=summary.area_px / valid_px if valid_px else 0.0,
        area_m2=summary.area_m2,
        number=summary.number,
        regions=tuple(summary.regions),
        index_name=None if index is None else str(index.name),
        inside=None if index is None else _spread(index, inside),
        outside=None if index is None else _spread(index, valid & ~inside),
        neighbours=_neighbours(inside, valid, others or {}),
        is_relative=is_relative,
    )


def measure_prediction(
    predict: Callable[..., Any], overview: xr.Dataset, prompt: str, *, min_area_px: int = 1
) -> Evidence:
    """Measure the mask that a model predicts for the target of a prompt.

    Args:
        predict: That of a `MaskModel`: it gives mask logits float32 [1, H, W], above 0 where the target is.
        overview: The scene, thinned to the size of a tile.
        prompt: From `build_prompt`.
        min_area_px: Area of the smallest region that counts.

    Raises:
        PromptError: If the text is no prompt.
        TargetError: If its target is unknown.
    """
    target = parse_prompt(prompt).target
    (logits,) = predict(overview, [target], [prompt])
    return measure_evidence(logits > 0, overview, target, min_area_px=min_area_px)


def readable_index(scene: xr.Dataset, target: str) -> xr.DataArray | None:
    """Compute the first index of a target that the scene allows; None where it allows none."""
    for name in target_or_class(target).indices:
        try:
            return within_range(compute_index(scene, name))
        except MissingBandError:
            continue
    return None


def _on_grid(mask: ArrayLike, scene: xr.Dataset) -> NDArray[Any]:
    if np.shape(mask) != scene.spex.shape:
        raise RegionError(
            "The mask is not of this scene",
            found=f"{np.shape(mask)} pixels",
            expected=f"{scene.spex.shape}",
            fix="Cut mask and scene by the same window.",
        )
    return np.asarray(mask)


def _spread(index: xr.DataArray, where: NDArray[np.bool_]) -> Spread:
    values = index.values[where].astype(np.float64)
    values = values[np.isfinite(values)]
    return Spread(float(values.mean()), float(values.std())) if values.size else Spread(np.nan, np.nan)


def _neighbours(
    inside: NDArray[np.bool_], valid: NDArray[np.bool_], others: Mapping[str, ArrayLike]
) -> dict[str, float]:
    """Return the share of each target along the pixel edges between the mask and other valid pixels."""
    masks = {get_target(name).id: np.asarray(mask, bool) for name, mask in others.items()}
    edges, behind = 0, dict.fromkeys(masks, 0)
    for here, there in _pairs():
        border = inside[here] & valid[there] & ~inside[there]
        edges += int(border.sum())
        for name, mask in masks.items():
            behind[name] += int((border & mask[there]).sum())
    return {name: number / edges for name, number in behind.items() if number}


def _pairs() -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Return the slices that lay each pixel over each of its four neighbours."""
    every, but_last, but_first = slice(None), slice(None, -1), slice(1, None)
    right = (every, but_last), (every, but_first)
    down = (but_last, every), (but_first, every)
    return [right, right[::-1], down, down[::-1]]
