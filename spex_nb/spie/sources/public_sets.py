"""Readers of the five public sources of SPIE, each in the folder layout of its publisher; see docs/data.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from spex_nb.scene.windows.rasters import probe
from spex_nb.spie.sources.catalogue import CatalogueEntry, get_dataset
from spex_nb.spie.sources.folders import (
    contents,
    files_of,
    first_folder,
    label_of,
    names_listed,
    plain_name,
    require_folder,
    wrong_folder,
)
from spex_nb.spie.sources.label_layers import ClassLayer, FootprintLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene

SPLITS = ("train", "val", "test")
CHESAPEAKE_FOLDER = re.compile(r"([a-z]{2})_1m_\d{4}_extended-debuffered-(train|val|test)_tiles")
SPACENET_FOLDER = re.compile(r"(AOI_[2-5]_[A-Za-z]+)(?:_Train)?")
GID_FOLDERS = (
    "GID",
    "gid-15/GID",
    "Fine Land-cover Classification_15classes",
    "Fine_land-cover_Classification_15classes",
)
GID_WITH_NIR = 4


def read_chesapeake(folder: str | Path) -> list[LabelledScene]:
    """Read Chesapeake Land Cover (CVPR 2019): ``{state}_1m_{year}_extended-debuffered-{split}_tiles/``.

    In them lie ``{tile}_naip-new.tif``, ``{tile}_lc.tif`` and ``{tile}_buildings.tif``; without the last, buildings are
    unknown. Each aerial tile is a place.

    Raises:
        DatasetError: If no such folder is there, or a tile has no land cover.
    """
    wanted = "folders such as de_1m_2013_extended-debuffered-train_tiles"
    root, entry = require_folder(folder, wanted), get_dataset("chesapeake")
    scenes = []
    for part in sorted(root.iterdir()):
        match = CHESAPEAKE_FOLDER.fullmatch(part.name)
        for image in sorted(part.glob("*_naip-new.tif")) if match else ():
            tile = image.name.removesuffix("_naip-new.tif")
            state, split = match.groups() if match else ("", "")
            layers = _chesapeake_layers(image, part / f"{tile}_lc.tif", part / f"{tile}_buildings.tif", entry)
            name = plain_name(f"{state}-{tile}")
            scenes.append(LabelledScene("chesapeake", name, name, split, str(image), entry.images["naip"], layers))
    if not scenes:
        raise wrong_folder(root, contents(root), f"{wanted}, with *_naip-new.tif in them")
    return scenes


def _chesapeake_layers(image: Path, cover: Path, buildings: Path, entry: CatalogueEntry) -> tuple[ClassLayer, ...]:
    """Return footprints before land cover: built-up is the union of both."""
    land_cover = ClassLayer(str(label_of(image, cover)), entry.codings["land_cover"])
    if not buildings.is_file():
        return (land_cover,)
    return ClassLayer(str(buildings), entry.codings["buildings"]), land_cover


def read_globe230k(folder: str | Path) -> list[LabelledScene]:
    """Read Globe230k: ``image_patch/*.jpg``, ``label_patch/*.png`` and ``{train,val,test}_num.txt``.

    Without the lists no scene has a split. The tiles have no georeference, so each is its own place.

    Raises:
        DatasetError: If a folder or a label is missing, or a list names an image that is not there.
    """
    root = first_folder(folder, ("image_patch", "label_patch"), ("Globe230k", "Globe230k_v3"))
    entry = get_dataset("globe230k")
    images = files_of(root / "image_patch", ".jpg", ".jpeg", ".png")
    split_of = {name: split for split in SPLITS for name in _listed(root / f"{split}_num.txt", images)}
    coding, imagery = entry.codings["classes"], entry.images["rgb"]
    scenes = []
    for stem, image in images.items():
        layer = ClassLayer(str(label_of(image, root / "label_patch" / f"{stem}.png")), coding)
        name = plain_name(stem)
        scenes.append(LabelledScene("globe230k", name, name, split_of.get(stem, ""), str(image), imagery, (layer,)))
    return scenes


def read_segmunich(folder: str | Path) -> list[LabelledScene]:
    """Read SegMunich: ``{train,val,test}/img/*.tif`` and ``…/label/*.tif``; ``dataset/{split}.txt`` chooses among them.

    All tiles are of one place, Munich: only its own splits divide it.

    Raises:
        DatasetError: If a folder or a label is missing, or a list names an image that is not there.
    """
    root = first_folder(folder, ("train/img", "train/label"), ("SegMunich", "TUM_128"))
    entry = get_dataset("segmunich")
    coding, imagery = entry.codings["classes"], entry.images["sentinel2"]
    scenes = []
    for split in (split for split in SPLITS if (root / split / "img").is_dir()):
        images = files_of(root / split / "img", ".tif")
        listed = root / "dataset" / f"{split}.txt"
        for stem in sorted(_listed(listed, images)) if listed.is_file() else images:
            label = label_of(images[stem], root / split / "label" / f"{stem}.tif")
            layers = (ClassLayer(str(label), coding),)
            name = plain_name(f"{split}-{stem}")
            scenes.append(LabelledScene("segmunich", name, "munich", split, str(images[stem]), imagery, layers))
    return scenes


def _listed(file: Path, images: dict[str, Path]) -> list[str]:
    return names_listed(file, images) if file.is_file() else []


def read_spacenet2(folder: str | Path) -> list[LabelledScene]:
    """Read SpaceNet-2: ``AOI_{2..5}_{city}_Train/MUL-PanSharpen/*.tif`` and ``…/geojson/buildings/*.geojson``.

    Each city is a place. The test parts have no published labels and are left out. Footprints show all buildings, and
    of the built-up area a part.

    Raises:
        DatasetError: If no such folder is there, or an image has no footprints.
    """
    wanted = "AOI_2_Vegas_Train … AOI_5_Khartoum_Train with MUL-PanSharpen and geojson/buildings"
    root, entry = require_folder(folder, wanted), get_dataset("spacenet2")
    imagery = entry.images["mul_pansharpen"]
    scenes = []
    for city, part in _cities(root):
        for image in sorted((part / "MUL-PanSharpen").glob("*.tif")):
            tile = image.stem.removeprefix("MUL-PanSharpen_")
            label = label_of(image, part / "geojson" / "buildings" / f"buildings_{tile}.geojson")
            layers = (FootprintLayer(str(label), whole=("building",), part=("built_up",)),)
            scenes.append(LabelledScene("spacenet2", plain_name(tile), city, "train", str(image), imagery, layers))
    if not scenes:
        raise wrong_folder(root, contents(root), wanted)
    return scenes


def _cities(root: Path) -> Iterator[tuple[str, Path]]:
    """Give the id of each city and its folder; the folder passed may be one city."""
    for part in (root, *sorted(root.iterdir())):
        match = SPACENET_FOLDER.fullmatch(part.name)
        if match and (part / "MUL-PanSharpen").is_dir():
            yield match[1], part


def read_gid15(folder: str | Path) -> list[LabelledScene]:
    """Read GID-15 in one of its two layouts.

    ``img_dir/{split}/*.tif`` with ``ann_dir/{split}/*_15label.png`` (codes) or ``*_15label.tif`` (colours); or
    ``image_NirRGB/*.tif``, else ``image_RGB/*.tif``, with ``label_15classes/*_label.tif`` (colours) and no split.
    Images of four bands are near infrared, red, green, blue. Each image is a place. In the first layout the labels of
    the test part are not published: it is left out where there are none.

    Raises:
        DatasetError: If neither layout is there, or an image has no label.
    """
    root = require_folder(folder, "img_dir and ann_dir, or image_NirRGB and label_15classes")
    for place in (root, *(root / name for name in GID_FOLDERS)):
        if (place / "label_15classes").is_dir():
            return _gid_fine(place)
    return _gid_splits(first_folder(root, ("img_dir", "ann_dir"), GID_FOLDERS))


def _gid_fine(root: Path) -> list[LabelledScene]:
    kind = "image_NirRGB" if (root / "image_NirRGB").is_dir() else "image_RGB"
    images = files_of(root / kind, ".tif")
    return [
        _gid_scene(image, label_of(image, root / "label_15classes" / f"{name}_label.tif"), "")
        for name, image in images.items()
    ]


def _gid_splits(root: Path) -> list[LabelledScene]:
    scenes = []
    for split in (split for split in SPLITS if (root / "img_dir" / split).is_dir()):
        labels = root / "ann_dir" / split
        if split == "test" and not labels.is_dir():
            continue
        for name, image in files_of(root / "img_dir" / split, ".tif").items():
            label = label_of(image, labels / f"{name}_15label.png", labels / f"{name}_15label.tif")
            scenes.append(_gid_scene(image, label, split))
    if not scenes:
        raise wrong_folder(root, contents(root / "img_dir"), "img_dir/train and img_dir/val, with ann_dir beside them")
    return scenes


def _gid_scene(image: Path, label: Path, split: str) -> LabelledScene:
    """Return a scene: bands by their number, since both kinds of image are passed on in either layout."""
    entry, name = get_dataset("gid15"), plain_name(image.stem)
    imagery = entry.images["nir_rgb" if probe(image).count == GID_WITH_NIR else "rgb"]
    coding = entry.codings["classes"]
    layer = ClassLayer(str(label), coding if label.suffix == ".png" else coding.colored())
    return LabelledScene("gid15", name, name, split, str(image), imagery, (layer,))
