"""Every error and warning of spex_nb, and the check that the packages of an optional part are installed.

An error says what is wrong, what was found, what was expected and what to do.
"""

from __future__ import annotations

import difflib
import importlib.util
import lzma
import sqlite3
import struct
import tarfile
import traceback
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cluster": ("distributed",),
        "evaluation": ("sklearn",),
        "map": ("ipywidgets", "ipyleaflet", "ipyfilechooser", "leafmap"),
        "mcp": ("mcp",),
        "model": ("torch", "transformers", "safetensors", "tokenizers"),
        "notebook": ("jupytext", "nbformat"),
        "onnx": ("onnxruntime", "safetensors", "tokenizers"),
        "stac": ("pystac_client", "requests"),
    }
)
"""The modules that each optional part imports."""


LIBRARIES = ("site-packages", "spex_nb", "spex_widgets", "IPython")
"""Parts of the paths of files whose lines say nothing to a user."""


class SpexError(Exception):
    """Base of every error that spex_nb raises on purpose.

    Args:
        problem: What is wrong, in one clause.
        found: The faulty value, or what the code saw.
        expected: The right kind of value.
        fix: The next step of the user.
    """

    def __init__(self, problem: str, *, found: object, expected: object, fix: str) -> None:
        self.problem, self.found, self.expected, self.fix = problem, str(found), str(expected), fix
        super().__init__(f"{problem}. Found: {found}. Expected: {expected}. {fix}")

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the message first, a part a line, then the lines of the user's own code."""
        parts = (f"Found: {self.found}", f"Expected: {self.expected}", self.fix)
        frames = traceback.extract_tb(self.__traceback__)
        user_frames = [frame for frame in frames if not any(place in frame.filename for place in LIBRARIES)]
        lines = [
            f"  line {frame.lineno} of {Path(frame.filename).name}: {frame.line}" for frame in user_frames if frame.line
        ]
        return [f"{type(self).__name__}: {self.problem}.", *(f"  {part}" for part in parts), *lines]

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way back from a worker process."""
        return _rebuild, (type(self), self.problem, self.found, self.expected, self.fix)


def _rebuild(kind: type[SpexError], problem: str, found: str, expected: str, fix: str) -> SpexError:
    return kind(problem, found=found, expected=expected, fix=fix)


class SceneError(SpexError):
    """A scene cannot be opened or read: its kinds follow. Metadata of a wrong type are among them."""


class SourceNotFoundError(SceneError, FileNotFoundError):
    """A file, folder or sample does not exist."""


class UnreadableSourceError(SceneError):
    """A file exists but is no raster, is damaged or is cut short."""


class UnknownLayoutError(SceneError):
    """A folder, item or dataset has a layout that spex_nb does not know."""


class DataTypeError(SceneError):
    """Pixels are of a type that holds no reflectance (complex numbers, text)."""


class SensorError(SceneError):
    """A sensor is unknown, its table is broken, or it contradicts the file."""


class BandError(SceneError):
    """A band is unknown, missing, doubled, or bands and file do not fit."""


class GridError(SceneError):
    """Pixel grids differ, or a geotransform or CRS makes no sense."""


class RadiometryError(SceneError):
    """A scale, offset or nodata argument makes no sense."""


class EmptySceneError(SceneError):
    """A scene has no pixel, or not one that is valid."""


class IndexNameError(SpexError):
    """A spectral index is not in the catalogue."""


class MissingBandError(BandError):
    """A spectral index needs a band or constant that is not there."""


class FormulaError(SpexError):
    """A formula holds more than band arithmetic."""


class ThresholdError(SpexError):
    """A threshold method or its value makes no sense."""


class TargetError(SpexError):
    """A target is unknown, or no spectral index can show it."""


class RegionError(SpexError):
    """A mask or a geometry gives no regions, or a filter lacks an argument."""


class CheckpointError(SpexError):
    """Weights are missing, damaged, pickled, or not those of the model."""


class DeviceMemoryError(SpexError):
    """The device has too little memory for a batch."""


class PromptError(SpexError):
    """A text is no prompt, or regions cannot be put into one."""


class InstructionError(SpexError):
    """An instruction holds words that the parser does not know, or a meaning that no extraction can do.

    Args:
        problem: As of `SpexError`, like the next three.
        found: The words at fault.
        expected: What would work.
        fix: The next step of the user.
        message: Sentences in the user's language: what is wrong, and what was understood.
        suggestions: Instructions in the user's language that would work.
    """

    def __init__(
        self,
        problem: str,
        *,
        found: object,
        expected: object,
        fix: str,
        message: str = "",
        suggestions: Iterable[str] = (),
    ) -> None:
        super().__init__(problem, found=found, expected=expected, fix=fix)
        self.message, self.suggestions = message, tuple(suggestions)

    def __str__(self) -> str:
        """Return the sentences in the user's language, and in English only without them."""
        return self.message or super().__str__()

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the sentences in the user's language, then the lines of the user's own code."""
        lines = super()._render_traceback_()
        return [f"{type(self).__name__}: {self.message}", *lines[4:]] if self.message else lines

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way back from a worker process."""
        fields = {name: getattr(self, name) for name in ("found", "expected", "fix", "message", "suggestions")}
        return _rebuild_refusal, (self.problem, fields)


def _rebuild_refusal(problem: str, fields: dict[str, Any]) -> InstructionError:
    return InstructionError(problem, **fields)


class LanguageError(SpexError):
    """A language is not among the nine that spex_nb speaks."""


class DatasetError(SpexError):
    """A dataset's folder, record or setting is wrong."""


class TrainingError(SpexError):
    """A stage of training has a wrong setting, or cannot continue."""


class TeachingError(SpexError):
    """A class cannot be taught like this, or the file of a taught class is damaged."""


class OutputError(SpexError):
    """A result cannot be written to its destination."""


class ExtractionError(SpexError):
    """An extraction cannot be run like this, every tile of it failed, or its stored result is damaged."""


class SessionError(SpexError):
    """A file is no session, is damaged, or belongs to another scene."""


class ClusterError(SpexError):
    """A scheduler or all workers of dask are lost."""


class ExtractionCancelledError(ExtractionError):
    """The user cancelled an extraction."""


class JobCancelledError(SpexError):
    """The user cancelled a piece of work in the notebook."""


class MissingExtraError(SpexError, ImportError):
    """A part of spex_nb needs packages that are not installed."""


class SpexWarning(UserWarning):
    """Base of every warning that spex_nb gives."""


class RadiometryWarning(SpexWarning):
    """Pixel values suggest a wrong scale or offset, or are no reflectance."""


class BandWarning(SpexWarning):
    """A layer of the source is left out, because nothing tells which band it is."""


class ReflectanceWarning(RadiometryWarning):
    """The pixels of a scene cannot be reflectance; the warning names the argument that settles it."""


class NodataWarning(SpexWarning):
    """Pixels that no tag marks count as no data."""


class GridWarning(SpexWarning):
    """A georeference is odd, though legal."""


class PromptWarning(SpexWarning):
    """A prompt leaves out some regions."""


class DatasetWarning(SpexWarning):
    """A dataset differs from its settings."""


MALFORMED: tuple[type[Exception], ...] = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, lzma.LZMAError, sqlite3.Error, struct.error),
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error),
)
"""What Python and the libraries raise where a file holds anything but what they expect."""


@contextmanager
def explain_malformed(
    kind: type[SpexError],
    problem: str,
    *,
    where: object,
    expected: object,
    fix: str,
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Turn what libraries raise over a malformed file into one error; errors of this family pass as they are.

    Only the reading of a file from elsewhere stands inside, so that no fault of this package hides there.

    Args:
        kind: The error that it becomes.
        problem: What is wrong, in one clause.
        where: The file.
        expected: The right kind of file.
        fix: The next step of the user.
        also: Further errors that become it too.

    Raises:
        SpexError: Of the given kind.
    """
    raised: tuple[type[Exception], ...] = (*MALFORMED, *also, SpexError)
    try:
        yield
    except raised as error:
        if isinstance(error, SpexError) and not isinstance(error, also):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        shown = reason if len(reason) < LONGEST_REASON else f"{reason[:LONGEST_REASON]}…"
        raise kind(problem, found=f"{where} ({shown})", expected=expected, fix=fix) from error


LONGEST_REASON = 600


@contextmanager
def explain_cluster_errors(client: Any) -> Iterator[None]:
    """Turn the loss of a dask cluster into one error, also where a disk is blamed for it.

    A client whose scheduler is lost is closed, so that dask computes here again: what is at hand can still be saved.

    Args:
        client: A ``distributed.Client``; None without a cluster, which changes nothing.

    Raises:
        ClusterError: If the scheduler or all workers are lost.
    """
    if client is None:
        yield
        return
    from concurrent.futures import CancelledError

    from distributed.comm.core import CommClosedError

    try:
        yield
    except ClusterError:
        _close_if_lost(client)
        raise
    except (CancelledError, CommClosedError, TimeoutError) as error:
        _close_if_lost(client)
        raise lost_cluster(f"{type(error).__name__}: {error}") from error
    except (OSError, AttributeError) as error:  # a client that has lost its scheduler has none of its methods
        if client.status == "running" and client.scheduler is not None:
            raise
        _close_if_lost(client)
        raise lost_cluster(f"{type(error).__name__}: {error}") from error
    except OutputError as error:
        if not isinstance(error.__cause__, CommClosedError):
            raise
        _close_if_lost(client)
        raise lost_cluster(error.found) from error


def lost_cluster(found: str) -> ClusterError:
    """Return the error of a cluster that does no more work."""
    return ClusterError(
        "The dask cluster is lost",
        found=found,
        expected="a scheduler that answers, and at least one worker",
        fix="Start a new cluster and call again with its client, or without: finished tiles beside out= are kept.",
    )


def _close_if_lost(client: Any) -> None:
    """Close a client without a scheduler: as the default of dask it would fail every later computation."""
    if client.status != "running":
        with suppress(*MALFORMED):
            client.close(timeout=CLOSING_S)


CLOSING_S = 2


def nearest(name: str, names: Iterable[str], n: int = 3) -> str:
    """Return the sentence that offers the names closest to ``name``, or an empty string."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=n, cutoff=0.5)
    return f"Did you mean {' or '.join(by_lower[c] for c in close)}?" if close else ""


def require_extra(extra: str, purpose: str) -> None:
    """Raise unless the packages of an optional part are installed; nothing is imported.

    Args:
        extra: Name of the part, as in ``pip install 'spex-nb[map]'``.
        purpose: What needs it, for the message.

    Raises:
        MissingExtraError: If a package is missing, with the command that installs it.
        KeyError: If there is no such part.
    """
    if extra not in EXTRAS:
        raise KeyError(f"There is no extra {extra!r}. {nearest(extra, EXTRAS)}")
    missing = _missing(extra)
    if missing:
        raise MissingExtraError(
            f"{purpose} needs packages that are not installed",
            found=f"no {', no '.join(missing)}",
            expected=f"the extra [{extra}]",
            fix=f"Run: pip install 'spex-nb[{extra}]'",
        )


def is_installed(extra: str) -> bool:
    """Say whether the packages of an optional part are installed; nothing is imported."""
    return not _missing(extra)


def _missing(extra: str) -> list[str]:
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
