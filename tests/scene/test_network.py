"""No packet without leave: a local file that points at a server is refused in words, and a slow server is given up."""

from __future__ import annotations

import html
import json
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.env import get_gdal_config

from spex_nb import open_scene
from spex_nb.errors import SpexError, UnreadableSourceError
from spex_nb.scene.windows import network
from spex_nb.scene.windows.network import gdal_network, names_address
from spex_nb.scene.windows.pointers import is_closed


class Server:
    """A web server on this machine that counts who asks; it answers 404, or never."""

    def __init__(self, *, answers: bool) -> None:
        self.asked: list[bytes] = []
        self._answers, self._open = answers, list[socket.socket]()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.asked.append(b"connection")
            self._open.append(connection)
            if self._answers:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                connection.close()

    def close(self) -> None:
        for one in (self._socket, *self._open):
            one.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    one = Server(answers=True)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")  # a proxy alone would be no guard
    monkeypatch.setenv("AWS_S3_ENDPOINT", one.address.removeprefix("http://"))
    monkeypatch.setenv("AWS_HTTPS", "NO")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    yield one
    one.close()


def vrt(source: str) -> str:
    return (
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{html.escape(source)}</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="64" ySize="64"/><DstRect xOff="0" yOff="0" xSize="64" ySize="64"/>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def raw(source: str) -> str:
    return (
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1" '
        f'subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">{source}</SourceFilename></VRTRasterBand>'
        "</VRTDataset>"
    )


def warped(source: str) -> str:
    return (
        '<VRTDataset rasterXSize="64" rasterYSize="64" subClass="VRTWarpedDataset"><VRTRasterBand dataType="Byte" '
        'band="1" subClass="VRTWarpedRasterBand"/><BlockXSize>64</BlockXSize><BlockYSize>64</BlockYSize>'
        f'<GDALWarpOptions><SourceDataset relativeToVRT="0">{source}</SourceDataset></GDALWarpOptions></VRTDataset>'
    )


def tms(url: str) -> str:
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service><DataWindow>'
        "<UpperLeftX>-20037508.34</UpperLeftX><UpperLeftY>20037508.34</UpperLeftY><LowerRightX>20037508.34"
        "</LowerRightX><LowerRightY>-20037508.34</LowerRightY><TileLevel>2</TileLevel><TileCountX>1</TileCountX>"
        "<TileCountY>1</TileCountY><YOrigin>top</YOrigin></DataWindow><Projection>EPSG:3857</Projection>"
        "<BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY><BandsCount>3</BandsCount><DataType>byte</DataType>"
        "</GDAL_WMS>"
    )


def stac_item(href: str) -> str:
    bands = {
        name: {"href": href, "type": "image/tiff", "eo:bands": [{"name": name, "common_name": name}]}
        for name in ("red", "nir")
    }
    return json.dumps({"type": "Feature", "id": "x", "properties": {}, "assets": bands})


TILED = {
    "tileMatrix": [{
        "identifier": "0", "scaleDenominator": 2e8, "topLeftCorner": [-180, 90], "tileWidth": 64, "tileHeight": 64,
        "matrixWidth": 1, "matrixHeight": 1,
    }],
    "type": "TileMatrixSetType", "identifier": "x", "supportedCRS": "EPSG:4326",
}  # fmt: skip
FORMS = {
    "a VRT of an address": lambda url: vrt(f"{url}/a.tif"),
    "a VRT of /vsicurl/": lambda url: vrt(f"/vsicurl/{url}/a.tif"),
    "a VRT of /vsicurl with options": lambda url: vrt(f"/vsicurl?url={url}/a.tif&max_retry=0"),
    "a VRT of a stream": lambda url: vrt(f"/vsicurl_streaming/{url}/a.tif"),
    "a VRT of an archive elsewhere": lambda url: vrt(f"/vsizip//vsicurl/{url}/a.zip/a.tif"),
    "a VRT of a bucket": lambda _: vrt("/vsis3/bucket/a.tif"),
    "a VRT of a streamed bucket": lambda _: vrt("/vsis3_streaming/bucket/a.tif"),
    "a VRT of an OPeNDAP server": lambda url: vrt(f'NETCDF:"{url}/a.nc":red'),
    "a VRT of a description of a server": lambda url: vrt(tms(url)),
    "a VRT with a raw band": lambda url: raw(f"/vsicurl/{url}/a.bin"),
    "a warped VRT": lambda url: warped(f"/vsicurl/{url}/a.tif"),
    "a TMS": tms,
    "a WCS": lambda url: (
        f"<WCS_GDAL><ServiceURL>{url}/wcs?</ServiceURL><Version>1.0.0</Version><CoverageName>x</CoverageName></WCS_GDAL>"
    ),
    "a WMTS": lambda url: f"<GDAL_WMTS><GetCapabilitiesUrl>{url}/wmts</GetCapabilitiesUrl><Layer>x</Layer></GDAL_WMTS>",
    "a tile index": lambda url: (
        f"<GDALTileIndexDataset><IndexDataset>/vsicurl/{url}/i.gpkg</IndexDataset></GDALTileIndexDataset>"
    ),
    "a cache of tiles": lambda url: (
        f'<MRF_META><CachedSource><Source>{url}/a.tif</Source></CachedSource><Raster><Size x="512" y="512" c="1"/>'
        '<PageSize x="512" y="512" c="1"/></Raster></MRF_META>'
    ),
    "a tiled STAC item": lambda url: json.dumps({
        "type": "Feature", "stac_extensions": ["tiled-assets"],
        "properties": {"tiles:tile_matrix_links": {"x": {"url": f"{url}/x"}}, "tiles:tile_matrix_sets": {"x": TILED}},
        "asset_templates": {"b": {"href": f"{url}/{{TileMatrix}}/{{TileRow}}.tif", "eo:bands": [{"name": "red"}]}},
    }),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_local_file_that_points_at_a_server_asks_nobody(form: str, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_text(FORMS[form](server.address))
    with pytest.raises(UnreadableSourceError, match=r"lies on the network.*Pass remote=True"):
        open_scene(path)
    assert server.asked == []


@pytest.mark.parametrize("prefix", ["", "/vsicurl/"])
def test_an_item_beside_no_file_asks_nobody(prefix: str, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "item.json"
    path.write_text(stac_item(f"{prefix}{server.address}/a.tif"))
    with pytest.raises(SpexError, match=r"remote=True"):
        open_scene(path)
    assert server.asked == []
    with pytest.raises(SpexError):
        open_scene(path, remote=True)
    assert server.asked


def test_a_description_behind_another_file_asks_nobody(server: Server, tmp_path: Path) -> None:
    (tmp_path / "inner.tif").write_text(tms(server.address))
    (tmp_path / "middle.vrt").write_text(vrt(str(tmp_path / "inner.tif")))
    (tmp_path / "scene.vrt").write_text(vrt("middle.vrt"))
    with pytest.raises(UnreadableSourceError, match=r"by way of inner\.tif"):
        open_scene(tmp_path / "scene.vrt")
    assert server.asked == []


def test_a_sidecar_with_an_overview_elsewhere_asks_nobody(server: Server, write_raster: Any) -> None:
    path = write_raster(np.full((2, 64, 64), 500, np.uint16), descriptions=("red", "nir"))
    overview = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{server.address}/o.tif</MDI></Metadata>'
    Path(f"{path}.aux.xml").write_text(f"<PAMDataset>{overview}</PAMDataset>")
    with pytest.raises(UnreadableSourceError, match=r"scene\.tif\.aux\.xml"):
        open_scene(path)
    assert server.asked == []


def test_a_geotiff_with_overviews_elsewhere_asks_nobody(server: Server, write_raster: Any) -> None:
    path = write_raster(np.full((2, 64, 64), 500, np.uint16), descriptions=("red", "nir"))
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{server.address}/o.tif")
    with pytest.raises(UnreadableSourceError, match=r"lies on the network.*o\.tif"):
        open_scene(path)
    assert server.asked == []


def test_a_description_in_an_archive_asks_nobody(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    with zipfile.ZipFile(tmp_path / "scene.zip", "w") as archive:
        archive.writestr("scene.vrt", vrt(f"/vsicurl/{server.address}/a.tif"))
    with pytest.raises(SpexError):
        open_scene(tmp_path / "scene.zip")
    assert server.asked == []


def test_leave_and_addresses_are_used(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "scene.vrt"
    path.write_text(warped(f"/vsicurl/{server.address}/a.tif"))
    with pytest.raises(SpexError):
        open_scene(path, remote=True)
    assert server.asked
    server.asked.clear()
    with pytest.raises(SpexError):
        open_scene(f"{server.address}/b.tif")
    assert server.asked


def test_metadata_that_mention_addresses_are_no_pointers(write_raster: Any, tmp_path: Path) -> None:
    path = write_raster(np.full((2, 64, 64), 500, np.uint16), descriptions=("red", "nir"))
    with rasterio.open(path) as file:
        text = vrt(path.name).replace('dataType="Byte" band="1"', 'dataType="UInt16" band="1"')
        assert file.count == 2
    made = "<SRS>EPSG:32632</SRS><GeoTransform>500000,10,0,5500000,0,-10</GeoTransform><Metadata><MDI key='SOURCE'>https://example.org/x</MDI></Metadata>"
    (tmp_path / "scene.vrt").write_text(text.replace("<VRTRasterBand", f"{made}<VRTRasterBand", 1).replace(
        'relativeToVRT="0"', 'relativeToVRT="1"'))  # fmt: skip
    assert open_scene(tmp_path / "scene.vrt", bands=["red"], scale=1e-4).spex.bands == ("red",)


@pytest.mark.parametrize("name", ["/a.zarr", "/a.nc"])
def test_a_dataset_on_a_server_without_its_client_is_an_error_of_ours(server: Server, name: str) -> None:
    with pytest.raises(SpexError, match=r"on this machine|cannot be opened"):
        open_scene(server.address + name)


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Server(answers=False)
    limits = {"GDAL_HTTP_CONNECTTIMEOUT": "1", "GDAL_HTTP_TIMEOUT": "1", "GDAL_HTTP_LOW_SPEED_TIME": "1"}
    monkeypatch.setattr(network, "LIMITS", {**network.LIMITS, **limits})
    with pytest.raises(UnreadableSourceError, match="cannot be read"):
        open_scene(f"/vsicurl/{silent.address}/a.tif")
    assert silent.asked
    silent.close()


def test_settings_of_gdal_last_no_longer_than_a_reading() -> None:
    with gdal_network(False):
        assert get_gdal_config("GDAL_HTTP_PROXY") == network.NOWHERE
    assert get_gdal_config("GDAL_HTTP_PROXY") is None
    with rasterio.Env(GDAL_HTTP_TIMEOUT="7"), gdal_network(True):
        assert get_gdal_config("GDAL_HTTP_TIMEOUT") == 7
        assert get_gdal_config("GDAL_HTTP_CONNECTTIMEOUT") == 10
    assert get_gdal_config("GDAL_HTTP_CONNECTTIMEOUT") is None


def test_a_plain_geotiff_needs_no_settings(write_raster: Any, tmp_path: Path) -> None:
    path = write_raster(np.ones((1, 8, 8), np.uint8))
    assert is_closed(str(path))
    Path(f"{path}.ovr").write_bytes(b"")
    assert not is_closed(str(path))
    assert not is_closed(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("https://example.org/a.tif", True),
        ("/vsis3/bucket/a.tif", True),
        ("/vsigs_streaming/bucket/a.tif", True),
        ("/vsizip//vsicurl/https://example.org/a.zip", True),
        ("/vsizip/vsis3/bucket/a.zip", True),
        ('NETCDF:"http://example.org/a.nc":red', True),
        ("WMTS:https://example.org", True),
        ("file:///data/a.tif", False),
        ("/vsizip/a.zip/a.tif", False),
        ('NETCDF:"a.nc":red', False),
        ("/data/vsis3/a.tif", False),
        (r"C:\data\a.tif", False),
    ],
)
def test_names_of_addresses(name: str, is_one: bool) -> None:
    assert names_address(name) is is_one
