"""Scenes of a STAC API: found by place, date and clouds, listed as a table, opened one by one. It asks the network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from spex_nb.errors import SceneError, SourceNotFoundError, explain_malformed, require_extra
from spex_nb.scene.accessor import Scene
from spex_nb.scene.windows.lonlat_box import Box, part_in_box
from spex_nb.scene.windows.network import names_address

if TYPE_CHECKING:
    import pandas as pd

Item = Mapping[str, Any]
"""A STAC item as in its JSON."""
Signer = Callable[[Any], Any]
"""Takes an item as a dict and returns it with addresses that may be read, such as ``planetary_computer.sign``."""


class Catalogue(NamedTuple):
    """A public catalogue.

    Attributes:
        address: Of its STAC API.
        collections: Those of surface reflectance at 10 to 30 m that are asked for by default.
    """

    address: str
    collections: tuple[str, ...]


CATALOGUES: Mapping[str, Catalogue] = MappingProxyType(
    {
        "earth-search": Catalogue("https://earth-search.aws.element84.com/v1", ("sentinel-2-l2a",)),
        "planetary-computer": Catalogue(
            "https://planetarycomputer.microsoft.com/api/stac/v1", ("sentinel-2-l2a", "landsat-c2-l2")
        ),
        "cdse": Catalogue("https://stac.dataspace.copernicus.eu/v1", ("sentinel-2-l2a",)),
    }
)
"""Catalogues that `search_scenes` knows by name."""
TIMEOUT_S = 20.0
"""Time after which a catalogue that does not answer is given up."""
MOST_EXAMINED = 2000
"""Items that are looked at, at most, to find as many as asked for."""
LARGEST_PICTURE_BYTES = 4 * 2**20
PICTURE_PX = 160
CLOUDS = "eo:cloud_cover"
THUMBNAIL = "thumbnail"
BOX_NUMBERS = 4


@dataclass(frozen=True)
class FoundScenes:
    """Scenes that a catalogue has; a notebook shows them as a table.

    Attributes:
        items: STAC items, newest first, as the catalogue gave them.
        bbox: West, south, east, north of the search, degrees.
        notes: What one should know of the search.
        sign: Makes addresses of an item readable when it is opened; None where that is not needed.
        pictures: Thumbnails as PNG, by the id of the item; see `with_thumbnails`.
    """

    items: tuple[Item, ...]
    bbox: Box
    notes: tuple[str, ...] = ()
    sign: Signer | None = field(default=None, repr=False)
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Item:
        """Return an item, with addresses that may be read; `open_scene` takes it."""
        item = self.items[number]
        return item if self.sign is None else _as_mapping(self.sign(dict(item)))

    def open(self, number: int = 0, *, place_only: bool = False, **options: Any) -> Scene:
        """Open a scene; pixels are fetched when they are read.

        Args:
            number: Row of the table, from 0.
            place_only: Whether only the place that was searched is opened (default: the whole scene).
            **options: Of `open_scene`, such as ``bands`` or ``clouds``.

        Raises:
            SceneError: As `open_scene`.
            GridError: If ``place_only`` and the scene does not reach the place.
        """
        from spex_nb.scene.open import open_scene

        scene = open_scene(self[number], **options)
        return part_in_box(scene, self.bbox) if place_only else scene

    @property
    def table(self) -> pd.DataFrame:
        """One row a scene.

        Columns: id, date, platform, collection, cloud_percent (None where it is not stated), covers_frac of the box,
        and address of the thumbnail.
        """
        import pandas as pd

        columns = ["id", "date", "platform", "collection", "cloud_percent", "covers_frac", "thumbnail"]
        return pd.DataFrame([_row(item, self.bbox) for item in self.items], columns=columns)

    def with_thumbnails(self) -> FoundScenes:
        """Return the same scenes with their thumbnails, which are fetched now; those that fail are left out."""
        fetched = {str(item.get("id")): _picture(self[number]) for number, item in enumerate(self.items)}
        return replace(self, pictures={name: picture for name, picture in fetched.items() if picture})

    def _repr_html_(self) -> str:
        table = self.table.drop(columns="thumbnail")
        if self.pictures:
            tags = [_image_tag(self.pictures.get(name)) for name in table["id"]]
            text = table.map(lambda value: html.escape(str(value)))
            body = text.assign(picture=tags).to_html(escape=False)
        else:
            body = table.to_html()
        return body + "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)


def search_scenes(
    bbox: Sequence[float],
    dates: str | Sequence[str] | None = None,
    catalogue: str = "earth-search",
    *,
    max_cloud: float | None = None,
    collections: Sequence[str] | None = None,
    limit: int = 50,
    sign: Signer | None = None,
) -> FoundScenes:
    """Search a STAC catalogue for scenes. This asks the network, as nothing else does without an address.

    Args:
        bbox: West, south, east, north of the place, degrees.
        dates: A day, month or year (``2024-05``), an interval (``2024-05-01/2024-06-30``), or its two ends; any date if
            not given.
        catalogue: ``earth-search``, ``planetary-computer``, ``cdse``, or the address of any STAC API.
        max_cloud: The most cloud cover of a whole scene, in percent; any if not given. Scenes that do not state theirs
            are then left out, and a note counts them.
        collections: Ids of collections; those of surface reflectance for a known catalogue, all of another one.
        limit: The most scenes to return.
        sign: Makes the addresses of an item readable when it is opened, such as ``planetary_computer.sign``.

    Returns:
        The scenes, newest first.

    Raises:
        SourceNotFoundError: If an argument makes no sense, or the catalogue is unknown.
        SceneError: If the catalogue does not answer, or answers something else.
        MissingExtraError: If the packages of the extra [stac] are not installed.
    """
    require_extra("stac", "Searching a catalogue")
    box, (address, usual) = _box(bbox), _catalogue(catalogue)
    if limit < 1 or not (max_cloud is None or 0 <= max_cloud <= 100):  # noqa: PLR2004 (percent)
        raise SourceNotFoundError(
            "No scene can be searched like this",
            found=f"limit={limit}, max_cloud={max_cloud}",
            expected="a limit from 1 on, and percent from 0 to 100",
            fix="Mend the number.",
        )
    from pystac_client.exceptions import APIError
    from requests import RequestException

    with explain_malformed(
        SceneError,
        "The catalogue does not answer as a STAC API does",
        where=address,
        expected="a STAC API that can be reached, and collections that it has",
        fix="Check the address, the collections and the network.",
        also=(APIError, RequestException),
    ):
        wanted = list(collections or usual) or None
        items = list(_answers(address, box, dates, wanted, max_cloud))
    chosen = [item for item in items if max_cloud is None or _is_clear(item, max_cloud)]
    return FoundScenes(tuple(_newest_first(chosen)[:limit]), box, tuple(_notes(items, chosen, limit, max_cloud)), sign)


def _answers(
    address: str, box: Box, dates: Any, collections: list[str] | None, max_cloud: float | None
) -> Iterator[Item]:
    """Yield what a catalogue has, as dicts; clouds are filtered there where it can do that."""
    from pystac_client import Client

    client = Client.open(address, timeout=TIMEOUT_S)
    filters = max_cloud is not None and client.conforms_to("QUERY")
    interval = dates if isinstance(dates, str) or dates is None else "/".join(dates)
    search = client.search(
        bbox=list(box),
        datetime=interval,
        collections=collections,
        query={CLOUDS: {"lte": max_cloud}} if filters else None,
        max_items=MOST_EXAMINED,
    )
    yield from search.items_as_dicts()


def _is_clear(item: Item, max_cloud: float) -> bool:
    cover = _properties(item).get(CLOUDS)
    return isinstance(cover, int | float) and cover <= max_cloud


def _newest_first(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (_date(item), str(item.get("id"))), reverse=True)


def _notes(items: Sequence[Item], chosen: Sequence[Item], limit: int, max_cloud: float | None) -> Iterator[str]:
    """Yield what one should know of a search."""
    unstated = sum(not isinstance(_properties(item).get(CLOUDS), int | float) for item in items)
    if max_cloud is not None and unstated:
        yield f"Left out, since they do not state their cloud cover: {unstated:,}."
    if len(chosen) > limit:
        yield f"{len(chosen):,} scenes fit; the newest {limit:,} are listed."
    if len(items) == MOST_EXAMINED:
        yield f"The catalogue has more than the first {MOST_EXAMINED:,}, which were looked at. Search a shorter time."


def _row(item: Item, box: Box) -> list[Any]:
    properties = _properties(item)
    date, platform = _date(item)[:10] or None, properties.get("platform")
    cover = properties.get(CLOUDS)
    return [item.get("id"), date, platform, item.get("collection"), cover, _covered(item, box), _thumbnail(item)]


def _covered(item: Item, box: Box) -> float | None:
    """Return the share of the box that the footprint of an item covers; None where it has none."""
    import shapely

    footprint = item.get("geometry")
    if not isinstance(footprint, Mapping):
        return None
    searched = shapely.union_all([shapely.box(*part) for part in _parts(box)])
    shape = shapely.make_valid(shapely.geometry.shape(footprint))
    return round(float(shape.intersection(searched).area / searched.area), 3)


def _parts(box: Box) -> list[Box]:
    """Return a box as one, or as two where it crosses the antimeridian."""
    west, south, east, north = box
    return [box] if west < east else [(west, south, 180.0, north), (-180.0, south, east, north)]


def _properties(item: Item) -> Mapping[str, Any]:
    properties = item.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _date(item: Item) -> str:
    properties = _properties(item)
    return str(properties.get("datetime") or properties.get("start_datetime") or "")


def _thumbnail(item: Item) -> str | None:
    assets = item.get("assets")
    rows = [row for row in assets.values() if isinstance(row, Mapping)] if isinstance(assets, Mapping) else []
    named = [row for row in rows if THUMBNAIL in (row.get("roles") or ())]
    return next((str(row["href"]) for row in named if "href" in row), None)


def _picture(item: Item) -> bytes | None:
    """Fetch the thumbnail of an item as a small PNG; None where there is none that can be read."""
    import requests
    from PIL import Image

    address = _thumbnail(item)
    if address is None or not address.startswith(("http://", "https://")):
        return None
    buffer = io.BytesIO()
    try:
        with requests.get(address, timeout=TIMEOUT_S, stream=True) as answer:
            answer.raise_for_status()
            content = answer.raw.read(LARGEST_PICTURE_BYTES + 1, decode_content=True)
        if len(content) > LARGEST_PICTURE_BYTES:
            return None
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
            picture.thumbnail((PICTURE_PX, PICTURE_PX))
            picture.convert("RGB").save(buffer, "PNG")
    except (OSError, ValueError, Image.DecompressionBombError):  # requests raises kinds of OSError
        return None
    return buffer.getvalue()


def _image_tag(picture: bytes | None) -> str:
    if picture is None:
        return ""
    return f'<img src="data:image/png;base64,{base64.b64encode(picture).decode()}" alt="">'


def _as_mapping(item: Any) -> Item:
    """Return what a signer gave back as a dict; some give a ``pystac.Item``."""
    return item if isinstance(item, Mapping) else item.to_dict(include_self_link=False)


def _box(bbox: Sequence[float]) -> Box:
    """Return a box in degrees.

    Raises:
        SourceNotFoundError: If it is none.
    """
    try:
        west, south, east, north = (float(number) for number in bbox)
    except (TypeError, ValueError):
        west = south = east = north = float("nan")
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):  # noqa: PLR2004
        raise SourceNotFoundError(
            "The place is no box in longitude and latitude",
            found=str(bbox)[:200],
            expected="west, south, east, north in degrees",
            fix="Bring a box of another CRS to degrees first, for example with rasterio.warp.transform_bounds.",
        )
    return west, south, east, north


def _catalogue(name: str) -> Catalogue:
    if name in CATALOGUES:
        return CATALOGUES[name]
    if not names_address(name):
        raise SourceNotFoundError(
            "The catalogue is unknown",
            found=name[:200],
            expected=f"{', '.join(CATALOGUES)}, or the address of a STAC API",
            fix="Give an address that begins with https://.",
        )
    return Catalogue(name, ())
