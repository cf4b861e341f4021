"""What the label of a layer means: a band by its STAC common name, a layer that is no reflectance, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spex_nb.scene.band_source import BandSource
from spex_nb.scene.sensors import COMMON_BANDS, Sensor

SYNONYMS = {
    "nearinfrared": "nir", "infrared": "nir", "nir1": "nir", "narrownir": "nir08", "nirnarrow": "nir08",
    "nir8a": "nir08", "broadnir": "nir", "nirbroad": "nir",
    "nir2": "nir09", "watervapour": "nir09", "watervapor": "nir09",
    "coastalaerosol": "coastal", "coastalblue": "coastal", "ultrablue": "coastal",
    "greeni": "green05", "green1": "green05", "swir1": "swir16", "swir2": "swir22",
    "rededge1": "rededge071", "rededge2": "rededge075", "rededge3": "rededge078", "rededge705": "rededge071",
    "rededge740": "rededge075", "rededge783": "rededge078", "panchromatic": "pan",
}  # fmt: skip
"""Other words for a band, without spaces and in lower case."""

DEA_SENTINEL2 = {"nir1": "nir", "nir2": "nir08", "swir2": "swir16", "swir3": "swir22"}
"""Digital Earth Australia numbers the infrared bands of Sentinel-2 otherwise than all others (nbart_swir_2 = B11)."""

LAYERS = (
    (r"qa\d*|bqa|qapixel|\w*radsat|dqf|quality|confidence", "quality"),
    (r"c?fmask", "cloud classes"),
    (r"udm\d?|msk\w*|\w*mask", "mask"),
    (r"cloud(?!free|less)\w*|cld\w*|clp|clm|cs|snw\w*", "cloud"),
    (r"scl|classification", "scene classes"),
    (r"aot|aerosol|opacity", "aerosol"),
    (r"wvp|tcwv", "water vapour"),
    (r"tci", "picture"),
    (r"saa|sza|vaa|vza|azimuth|zenith|angles?", "angle"),
    (r"lwir\d*|tirs?\d*|thermal|st|lst|bt|temperature|kelvin|atran|drad|trad|urad|emis|emsd|cdist", "thermal"),
    (r"std|stddev|stdev|variance|count|contiguity", "statistics"),
    (r"nd[a-z]i|m?ndwi|evi2?|m?savi2?|nbr2?|lai|fapar|fcover", "index"),
)
"""Words of layers that are no reflectance, whatever stands beside them; and what such a layer holds."""

WEAK_LAYERS = (
    (r"day|doy|date|time", "date"),
    (r"class(es)?|landcover|labels?|prob(ability)?\w*|snow|shadow|valid(ity)?", "classes"),
    (r"dem|dsm|dtm|elevation|height|slope|aspect|hillshade", "terrain"),
    (r"vv|vh|hh|hv", "radar"),
    (r"alpha", "transparency"),
)
"""Words of such layers that may also stand beside the name of a band ("red of that day")."""

_GROUPS = {
    "coastal": "blue",
    "green05": "green",
    "rededge": "nir",
    "rededge071": "nir",
    "rededge075": "nir",
    "rededge078": "nir",
    "nir08": "nir",
    "nir09": "nir",
}
SHIFT_UM = 0.03
"""Narrow bands of a sensor are known by wavelengths this wide around them: sister satellites differ by a few nm."""
HALF = 0.5
"""A band reaches half of its width to either side of its centre."""
PER_UM = (
    (r"nm|nanomet(er|re)s?", 1000),
    (r"[uµμ]m|micromet(er|re)s?|microns?", 1),
    (r"angstroms?", 10_000),
)
"""Units of wavelength, and how many make a µm."""
LETTERS = {"r": "red", "g": "green", "b": "blue", "n": "nir"}
"""Single letters, which name bands only where all labels are such letters (NAIP in Earth Engine)."""


@dataclass(frozen=True)
class Meaning:
    """What a label means; all fields are empty where it means nothing that is known."""

    name: str | None = None
    """STAC common name of the band."""
    layer: str = ""
    """What a layer holds that is no reflectance: thermal, angle, quality and so on."""
    number: int | None = None
    """The number of a label that is only a number, such as "Band 3" or "3"."""
    conflict: tuple[str, str] | None = None
    """Two bands that the label names at once."""


def spectral_group(name: str) -> str:
    """Return the part of the spectrum of a common name: names of one group may stand for one band."""
    return _GROUPS.get(name, name)


def band_name(text: str) -> str | None:
    """Return the STAC common name that a description means ("Red", "NIR", "SWIR 1"), or None."""
    meaning = understand(text)
    return meaning.name if not meaning.layer else None


def understand(label: str, sensor: Sensor | None = None) -> Meaning:
    """Return what a label means.

    A maker's name such as ``B04``, ``b8a``, ``SR_B4`` or ``T32UQD_20200101_B04_10m`` counts only with its sensor,
    as satellites number their bands differently. A word such as ``red`` or ``SWIR 1`` counts always.

    Args:
        label: A band description, the name of a variable or asset, or a part of a file name.
        sensor: The sensor, if known.
    """
    words = _words(label)
    layer = _layer(words, LAYERS) if "coastal" not in words else ""
    if layer:
        return Meaning(layer=layer)
    number = _number(words)
    if number is not None and "sr" not in words:
        return Meaning(name=_by_number(number, sensor), number=number)
    code = _code(words)
    coded = _by_id(code, sensor) if code else _by_id(label.strip().lower(), sensor)
    product_layer = _product_layer(code or label.strip().lower(), sensor)
    if product_layer and not coded:
        return Meaning(layer=product_layer)
    named = _by_word(words, sensor)
    if coded and named and spectral_group(coded) != spectral_group(named):
        return Meaning(conflict=(coded, named))
    name = coded or named
    if name == "pan" and sensor is not None and "pan" not in sensor.names:
        return Meaning(layer="panchromatic")
    return Meaning(name=name) if name else Meaning(layer=_layer(words, WEAK_LAYERS))


def wavelength_of_label(label: str) -> float | None:
    """Return the centre wavelength, µm, that a label states with its unit ("B4 (665 nm)", "0.665 µm"), or None."""
    match = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)\s*([a-zµμ]+)", label, re.IGNORECASE)
    per_um = next((factor for unit, factor in PER_UM if match and re.fullmatch(unit, match[2].lower())), None)
    return float(match[1]) / per_um if match and per_um else None


def by_letters(labels: Sequence[str]) -> list[str] | None:
    """Return the bands that labels of one letter each name ("R", "G", "B", "N"), or None if they are no such labels."""
    letters = [label.strip().lower() for label in labels]
    distinct = len(set(letters)) == len(letters) > 1
    return [LETTERS[letter] for letter in letters] if distinct and set(letters) <= set(LETTERS) else None


def fit_to_sensor(name: str, sensor: Sensor | None) -> str | None:
    """Return what a sensor calls the band of a common name, or None where it has several that could be meant.

    Catalogues call the near infrared of Landsat nir08 and the red edges of Sentinel-2 all rededge.
    """
    if sensor is None or name in sensor.names:
        return name
    kin = [other for other in sensor.names if _kin(other) == _kin(name)]
    if len(kin) > 1:
        return None
    return kin[0] if kin else name


def _kin(name: str) -> str:
    """Return the family within which catalogues and tables use names for one another."""
    return re.sub(r"\d+$", "", name) if name.startswith(("rededge", "green")) else {"nir08": "nir"}.get(name, name)


def normal_id(text: str) -> str:
    """Return a maker's name without leading zeros and prefix: ``B04``, ``b4`` and ``SR_B4`` are all ``4``."""
    match = re.fullmatch(r"(?:sr_?)?b?0*(\d{1,2})([a-z]?)", text.strip().lower())
    return f"{match[1]}{match[2]}" if match else text.strip().lower()


def _by_id(code: str, sensor: Sensor | None) -> str | None:
    if sensor is None:
        return None
    ids = {normal_id(band.id): band.name for band in sensor.bands}
    return ids.get(normal_id(code))


def _by_number(number: int, sensor: Sensor | None) -> str | None:
    """Return the band of a mere number: only where the maker's number and the place in the usual file agree."""
    if sensor is None or not 1 <= number <= len(sensor.bands):
        return None
    by_place = sensor.bands[number - 1].name
    return by_place if by_place == _by_id(str(number), sensor) else None


def _product_layer(code: str, sensor: Sensor | None) -> str:
    if sensor is None:
        return ""
    return {normal_id(key): layer for key, layer in sensor.not_reflective.items()}.get(normal_id(code), "")


def _words(label: str) -> list[str]:
    """Split a label at signs, between small and capital letters, and before numbers of three digits (red665)."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).lower()
    words = [word for word in re.split(r"[^a-z0-9]+", spaced) if word]
    split = [word if word in COMMON_BANDS else re.sub(r"([a-z])(\d{3})", r"\1 \2", word) for word in words]
    return " ".join(split).split()


def _layer(words: Sequence[str], table: Sequence[tuple[str, str]]) -> str:
    return next((layer for pattern, layer in table for word in words if re.fullmatch(pattern, word)), "")


def _number(words: Sequence[str]) -> int | None:
    """Return the number of "3", "Band 3" or "band_3"."""
    match = re.fullmatch(r"(?:band|layer)?(\d{1,3})", "".join(words))
    return int(match[1]) if match else None


def _code(words: Sequence[str]) -> str:
    """Return the last word that is a maker's name such as b04, or an empty string."""
    codes = [match for word in words if (match := re.fullmatch(r"(?:sr)?b(?:and)?0*(\d{1,2}[a-z]?)", word))]
    if codes:
        return codes[-1][1]
    pair = re.search(r"\bsr band (\d{1,2})\b", " ".join(words))
    return pair[1] if pair else ""


def _by_word(words: Sequence[str], sensor: Sensor | None) -> str | None:
    """Return the one band that words name, the longest run of words first; None for none, or for several.

    Without the sensor a numbered infrared band of Digital Earth Australia stays unknown, and so does SWIR 1 to 8.
    """
    table: dict[str, str] = {name: name for name in COMMON_BANDS} | SYNONYMS
    numbered = [match[0] for match in re.finditer(r"swir\s?[3-8]\b", " ".join(words))]
    if words and words[0] in ("nbar", "nbart") and (sensor is None or sensor.id.startswith("sentinel2")):
        table = table | (dict.fromkeys(DEA_SENTINEL2, "") if sensor is None else DEA_SENTINEL2)
    elif numbered:
        return None
    names, start = [], 0
    while start < len(words):
        for end in range(min(len(words), start + 3), start, -1):
            run = "".join(word for word in words[start:end] if word not in ("band", "reflectance"))
            if run in table:
                names.append(table[run])
                start = end - 1
                break
        start += 1
    fitted = {(fit_to_sensor(name, sensor) or name) if name else "" for name in names}
    return (fitted.pop() or None) if len(fitted) == 1 else None


@dataclass(frozen=True)
class Identity:
    """Which band a layer is, and how that is known; without a name and a layer it is unknown."""

    name: str | None = None
    reason: str = ""
    layer: str = ""
    """What it holds if it is no reflectance."""
    conflict: tuple[str, str] | None = None
    """Two statements about the band that contradict each other."""
    is_blank: bool = False
    """Whether nothing names the layer: no label, a mere number, or a file name without a known word."""


def identify_all(bands: Sequence[BandSource], sensor: Sensor | None) -> list[Identity]:
    """Say of each layer which band it is: by its label, else by its common name, else by its wavelength.

    Args:
        bands: All layers of a source, in order.
        sensor: The sensor, if known; it turns a maker's name such as B04 into a band.
    """
    bands = [replace(band, wavelength_um=band.wavelength_um or wavelength_of_label(band.label)) for band in bands]
    letters = by_letters([band.label for band in bands])
    if letters:
        return [Identity(name, f"{band.label_from} {band.label!r}") for name, band in zip(letters, bands, strict=True)]
    meanings = [understand(label, sensor) for label in _beside_broad_infrared([band.label for band in bands])]
    counted = [meaning.number for meaning in meanings] == list(range(1, len(bands) + 1))
    identities = [
        _identify(band, meaning, sensor, counted=counted) for band, meaning in zip(bands, meanings, strict=True)
    ]
    return _named_by_wavelength(bands, identities, sensor)


def _beside_broad_infrared(labels: Sequence[str]) -> list[str]:
    """Return labels with the narrow infrared of FORCE told: its plain NIR stands beside BROADNIR and is B8A."""
    plain = [label.strip().lower() for label in labels]
    if "broadnir" not in plain:
        return list(labels)
    return ["nir08" if word == "nir" else label for word, label in zip(plain, labels, strict=True)]


def _identify(band: BandSource, meaning: Meaning, sensor: Sensor | None, *, counted: bool) -> Identity:
    if band.layer or meaning.layer:
        return Identity(layer=band.layer or meaning.layer)
    by_label = None if counted and meaning.number is not None else meaning.name
    by_common = fit_to_sensor(band.common_name, sensor) if band.common_name in COMMON_BANDS else None
    by_wavelength = _nearest(band.wavelength_um, sensor) if band.wavelength_um else None
    stated = (by_label, band.common_name, by_wavelength)
    conflict = meaning.conflict or _conflict([name for name in stated if name in COMMON_BANDS])
    if conflict:
        return Identity(conflict=conflict)
    labelled, common = f"{band.label_from} {band.label!r}", f"common name {band.common_name!r}"
    candidates = ((by_label, labelled), (by_common, common))
    exact = [(name, reason) for name, reason in candidates if name and name != "rededge"]
    if not exact and by_wavelength and (by_label or band.common_name):
        exact = [(by_wavelength, f"centre wavelength {band.wavelength_um:g} µm")]
    for name, reason in [*exact, *candidates]:
        if name:
            return Identity(name, reason)
    says_nothing = not band.label.strip() or meaning.number is not None or band.label_from == "file name"
    return Identity(is_blank=says_nothing)


def _conflict(names: Sequence[str]) -> tuple[str, str] | None:
    """Return two of the names that lie in different parts of the spectrum, or None."""
    other = [name for name in names[1:] if spectral_group(name) != spectral_group(names[0])]
    return (names[0], other[0]) if other else None


def _named_by_wavelength(
    bands: Sequence[BandSource], identities: Sequence[Identity], sensor: Sensor | None
) -> list[Identity]:
    """Name layers that state only a wavelength; of several within one band, as a spectrometer has, the closest."""
    taken = {identity.name for identity in identities}
    nameless = [not (identity.name or identity.layer or identity.conflict) for identity in identities]
    wavelengths = {i: band.wavelength_um for i, band in enumerate(bands) if nameless[i] and band.wavelength_um}
    closest: dict[str, int] = {}
    for i, wavelength in wavelengths.items():
        name = _nearest(wavelength, sensor)
        if name is not None and name not in taken:
            rival = wavelengths.get(closest.get(name, i), wavelength)
            closest[name] = i if _apart(wavelength, name) <= _apart(rival, name) else closest[name]
    if sensor is None and "nir08" in closest and "nir" not in taken | set(closest):
        closest["nir"] = closest.pop("nir08")
    names = {i: name for name, i in closest.items()}
    named = list(identities)
    for i, wavelength in wavelengths.items():
        reason = f"wavelength {wavelength:g} µm"
        named[i] = Identity(names[i], reason) if i in names else Identity(layer=f"{reason}, beside the named bands")
    return named


def _nearest(wavelength: float, sensor: Sensor | None) -> str | None:
    """Return the band that holds a wavelength, µm: of the sensor, else of the STAC common names; None for none."""
    if sensor is not None:
        rows = {band.name: (band.wavelength_um, max(band.width_um, SHIFT_UM)) for band in sensor.bands}
    else:
        rows = {name: row for name, row in COMMON_BANDS.items() if name != "pan"}
    inside = {name: abs(wavelength - centre) / width for name, (centre, width) in rows.items()}
    inside = {name: distance for name, distance in inside.items() if distance <= HALF}
    return min(inside, key=inside.__getitem__) if inside else None


def _apart(wavelength: float, name: str) -> float:
    return abs(wavelength - COMMON_BANDS[name][0])
