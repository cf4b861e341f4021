"""Many results as one table on the map: a footprint a scene, with what it answered. No raster is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_nb.errors import ExtractionError, SceneError, explain_malformed
from spex_nb.extraction.storage import DESCRIPTION, MASK
from spex_nb.scene.windows.rasters import probe
from spex_nb.types import SQUARE_METRES
from spex_nb.types.typed_json import read_json

if TYPE_CHECKING:
    import geopandas as gpd

LONGITUDE_LATITUDE = 4326


def scene_table(folders: Iterable[str | Path]) -> gpd.GeoDataFrame:
    """Return a row a result: what it answered, and where it lies.

    Args:
        folders: The folders of saved results, in any order.

    Returns:
        Columns result, scene, instruction, model, regions, failed_tiles, trusted, then for each target its area
        (``water_ha``; None without a CRS) and share of the valid pixels (``water_frac``). Footprints in longitude and
        latitude, without one where a scene has no CRS.

    Raises:
        ExtractionError: If a result is damaged.
    """
    import geopandas as gpd

    rows = [_row(Path(folder)) for folder in folders]
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=LONGITUDE_LATITUDE)


def _row(folder: Path) -> dict[str, Any]:
    with explain_malformed(
        ExtractionError,
        "A result cannot be summed up",
        where=folder,
        expected="a whole result",
        fix="Extract again.",
        also=(SceneError,),
    ):
        payload = read_json(folder / DESCRIPTION)
        provenance, evidence = payload["provenance"], payload["evidence"]
        facts = [fact["id"] for entry in payload["explanations"] for fact in entry.get("facts", ())]
        row = {
            "result": str(folder),
            "scene": provenance["scene"],
            "instruction": payload["instruction"]["text"],
            "model": provenance["model"],
            "regions": sum(int(figures["number"]) for figures in evidence.values()),
            "failed_tiles": len(payload["failures"]),
            "trusted": "trust" not in facts,
        }
        for target, figures in evidence.items():
            area = figures["area_m2"]
            row[f"{target}_ha"] = None if area is None else area / SQUARE_METRES["ha"]
            row[f"{target}_frac"] = figures["share_frac"]
        return row | {"geometry": _footprint(folder / MASK)}


def _footprint(mask: Path) -> Any:
    """Return the outline of a mask in longitude and latitude; None without a CRS."""
    import geopandas as gpd
    import shapely

    grid = probe(mask, driver="GTiff").grid
    if grid.crs is None:
        return None
    places = ((0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height))
    corners = [grid.transform @ place for place in places]
    edge = shapely.segmentize(shapely.Polygon(corners), max(grid.width, grid.height) * grid.pixel_area**0.5 / 20)
    return gpd.GeoSeries([edge], crs=grid.crs).to_crs(LONGITUDE_LATITUDE).iloc[0]
