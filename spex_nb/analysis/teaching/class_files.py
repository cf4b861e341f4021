"""A taught class as one small file to share, ``NAME.spex-class``: arrays of numbers and one JSON text, no program.

The file is a ZIP of ``.npy`` arrays, as NumPy writes it. Sizes are compared with its manifest before anything is
allocated. Shapes, ranges and names are checked before anything is used, so that a file of a stranger can be opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from spex_nb.analysis.teaching.assessment import Assessment
from spex_nb.analysis.teaching.cover_network import BANDS, COVERS, load_network
from spex_nb.analysis.teaching.features import MEANS_PX, NEAR, SPREADS_PX, FeatureSpace, Kind, layer_names
from spex_nb.analysis.teaching.taught import Examples, Lesson, Taught
from spex_nb.analysis.teaching.teach_class import checked_naming
from spex_nb.errors import OutputError, SourceNotFoundError, TeachingError, explain_malformed
from spex_nb.output.files import write_whole
from spex_nb.output.stored_files import read_arrays
from spex_nb.types.typed_json import decode, parse_json

SUFFIX = ".spex-class"
FORMAT = 1
LARGEST_BYTES = 64 * 2**20
"""Of a file, packed and unpacked. A class of a hundred clicks takes 30 kB."""
MOST_BANDS = 32
LARGEST_NUMBER = 1e6
DESCRIPTION = "description"
FIX = "Get the file again, or update spex-nb if a later version wrote it."
_TYPES = {
    "raw": np.float32,
    "light": np.float32,
    "truth": np.bool_,
    "weights": np.float64,
    "places": np.int64,
    "positions": np.int64,
    "scenes": np.int64,
    "is_clicked": np.bool_,
    "mean": np.float32,
    "spread": np.float32,
    "solution": np.float64,
}
_EXAMPLES = tuple(_TYPES)[:8]


@dataclass(frozen=True)
class _Description:
    """What the JSON of a class holds."""

    format: int
    name: str
    names: Mapping[str, tuple[str, ...]]
    definition: str
    color: str
    kind: Kind
    bands: tuple[str, ...]
    network: str
    assessment: Assessment
    lesson: Lesson


def save_taught(taught: Taught, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a class as a file, whole or not at all.

    Args:
        taught: The class to write.
        path: The file to write, with the suffix ``.spex-class``.
        overwrite: Whether an existing file is replaced (default: no).

    Returns:
        The path.

    Raises:
        OutputError: If the path has another suffix, exists, or cannot be written.
    """
    if Path(path).suffix != SUFFIX:
        raise OutputError(
            "A taught class needs its own suffix", found=str(path), expected=f"a name that ends in {SUFFIX}",
            fix=f"Call it {Path(path).stem}{SUFFIX}.",
        )  # fmt: skip
    space = taught.space
    description = _Description(
        format=FORMAT,
        name=taught.name,
        names=taught.names,
        definition=taught.definition,
        color=taught.color,
        kind=space.kind,
        bands=space.bands,
        network=load_network().fingerprint if space.kind == "covers" else "",
        assessment=taught.assessment,
        lesson=taught.lesson,
    )
    text = json.dumps(asdict(description), ensure_ascii=False).encode()
    examples = {name: getattr(taught.examples, name) for name in _EXAMPLES}
    arrays: dict[str, Any] = examples | {
        "mean": space.mean,
        "spread": space.spread,
        "solution": taught.solution,
        DESCRIPTION: np.frombuffer(text, np.uint8),
    }
    typed: dict[str, Any] = {name: np.asarray(array, _TYPES.get(name, np.uint8)) for name, array in arrays.items()}
    needs_bytes = sum(array.nbytes for array in typed.values())
    with write_whole(path, overwrite, needs_bytes=needs_bytes) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **typed)
    return Path(path)


def load_taught(path: str | Path) -> Taught:
    """Read a class that was saved, also one of a stranger: the file holds numbers and one text.

    Args:
        path: The file that was written.

    Raises:
        SourceNotFoundError: If there is no such file.
        TeachingError: If it is damaged, was written by a later version, or holds anything else.
    """
    place = Path(path)
    if not place.is_file():
        raise SourceNotFoundError(
            "There is no such class",
            found=str(path),
            expected=f"a file {SUFFIX} that save() wrote",
            fix="Check the path.",
        )
    with explain_malformed(
        TeachingError,
        "The taught class cannot be read",
        where=place,
        expected=f"a whole file {SUFFIX} of format {FORMAT}",
        fix=FIX,
        also=(BadZipFile, RecursionError, NotImplementedError),
    ):
        return _loaded(place)


def _loaded(path: Path) -> Taught:
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError(f"{path.stat().st_size:,} bytes are more than a class takes")
    arrays = read_arrays(path, LARGEST_BYTES)
    text = arrays.pop(DESCRIPTION, np.empty(0, np.uint8))
    if text.dtype != np.uint8:
        raise ValueError("the description is no text")
    payload = parse_json(text.tobytes().decode())
    if isinstance(payload, dict) and payload.get("format") != FORMAT:
        raise ValueError(f"format {payload.get('format')!r}")
    description: _Description = decode(_Description, payload)
    _require_arrays(arrays, description)
    naming = checked_naming(description.name, description.names, description.definition, description.color)
    space = FeatureSpace(description.kind, description.bands, arrays["mean"], arrays["spread"])
    examples = Examples(*(arrays[name] for name in _EXAMPLES))
    return Taught(
        naming.name,
        naming.names,
        naming.definition,
        naming.color,
        space,
        arrays["solution"],
        examples,
        description.assessment,
        description.lesson,
    )


def _require_arrays(arrays: Mapping[str, NDArray[Any]], description: _Description) -> None:
    """Raise unless all arrays are there, of their types and of shapes that fit each other.

    Raises:
        ValueError: If they are not.
    """
    wrong = set(arrays) ^ set(_TYPES) or {name for name, kind in _TYPES.items() if arrays[name].dtype != kind}
    if wrong:
        raise ValueError(f"missing, unknown or of another type: {', '.join(sorted(wrong))}")
    _require_bands(description)
    layers = len(layer_names(description.bands))
    is_covers = description.kind == "covers"
    raw = len(COVERS) + NEAR * layers if is_covers else layers * (1 + len(MEANS_PX) + len(SPREADS_PX))
    scaled = raw + len(COVERS) if is_covers else raw
    count = len(arrays["truth"])
    shapes = {
        "raw": (count, raw), "light": (count, len(description.bands)), "positions": (count, 2), "mean": (raw,),
        "spread": (raw,), "solution": (scaled + 1,),
    }  # fmt: skip
    for name, array in arrays.items():
        if array.shape != shapes.get(name, (count,)):
            raise ValueError(f"{name} is {array.shape}, not {shapes.get(name, (count,))}")
        if array.dtype.kind == "f" and not (np.abs(array) <= LARGEST_NUMBER).all():
            raise ValueError(f"{name} holds numbers that are not finite, or beyond {LARGEST_NUMBER:g}")
    if not count or not (arrays["spread"] > 0).all():
        raise ValueError("no examples, or a spread that is not above 0")


def _require_bands(description: _Description) -> None:
    bands = description.bands
    if not bands or len(bands) > MOST_BANDS or len(set(bands)) < len(bands):
        raise ValueError(f"{len(bands)} bands, or one of them twice")
    if description.kind != "covers":
        return
    if bands != BANDS:
        raise ValueError(f"bands {', '.join(bands)[:80]}, where the features need {', '.join(BANDS)}")
    if description.network != load_network().fingerprint:
        raise ValueError("its features are of another version of the cover network: teach the class again")
