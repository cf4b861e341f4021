"""The folders that an agent may use: plain relative paths within them, no links out, no addresses, nothing replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from spex_nb.errors import OutputError, SourceNotFoundError
from spex_nb.scene.windows.network import names_address

MOST_ENTRIES = 500
"""Entries of a listing; an agent reads no more."""
FOREIGN = re.compile(r'[\x00-\x1f:"<>|\\]|/vsi|^vsi')
"""What stands in names that lead past the file system: of drives, of drivers of GDAL, of archives read in place."""


class Workspace:
    """The folders of an agent.

    Args:
        roots: Folders that exist. Paths begin with the name of a folder where there are several.

    Raises:
        SourceNotFoundError: If one does not exist, or two have one name.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = {root.resolve().name: root.resolve() for root in roots}
        absent = [str(root) for root in roots if not root.is_dir()]
        if absent or not roots or len(self._roots) < len(roots):
            raise SourceNotFoundError(
                "These folders cannot be given to an agent",
                found=", ".join(absent or map(str, roots)) or "none",
                expected="folders that exist, each with another name",
                fix="Name each by --root.",
            )

    def readable(self, path: str) -> Path:
        """Return the place of a path that exists.

        Raises:
            SourceNotFoundError: If it leads out of the folders, or to nothing.
        """
        place = self._place(path)
        if not place.exists():
            raise _refused(path, "a file or folder that exists")
        return place

    def writable(self, path: str) -> Path:
        """Return the place of a path where nothing lies yet, in a folder that exists.

        Raises:
            SourceNotFoundError: If it leads out of the folders, or into one that does not exist.
            OutputError: If something lies there.
        """
        place = self._place(path)
        if place in self._roots.values() or place.exists():
            raise OutputError(
                "The output exists",
                found=path,
                expected="a new name: nothing is ever replaced",
                fix="Choose another name.",
            )
        if not place.parent.is_dir():
            raise _refused(path, "a name in a folder that exists")
        return place

    def require_inside(self, files: Iterable[str]) -> None:
        """Raise if a scene reads files outside of the folders, as a VRT can.

        Args:
            files: Paths of all files that were opened for it.

        Raises:
            SourceNotFoundError: If one lies outside.
        """
        for file in files:
            place = Path(file).resolve()
            if not any(place.is_relative_to(root) for root in self._roots.values()):
                raise _refused(Path(file).name, "a scene whose files all lie in the folders of this server")

    def shown(self, place: Path) -> str:
        """Return the path by which an agent names a place."""
        name, root = next((name, root) for name, root in self._roots.items() if place.is_relative_to(root))
        relative = place.relative_to(root)
        return str(PurePosixPath(name, relative) if len(self._roots) > 1 else PurePosixPath(relative))

    def entries(self, path: str = "") -> list[str]:
        """Return what lies in a folder, folders with a slash at their end; hidden files and links are left out.

        Args:
            path: Of the folder; empty for all.

        Raises:
            SourceNotFoundError: If it leads out of the folders, or is none.
        """
        if not path and len(self._roots) > 1:
            return [f"{name}/" for name in self._roots]
        place = self.readable(path) if path else next(iter(self._roots.values()))
        if not place.is_dir():
            raise _refused(path, "a folder")
        return list(self._listed(place))[:MOST_ENTRIES]

    def _listed(self, place: Path) -> Iterator[str]:
        for inner in sorted(place.iterdir()):
            if not inner.name.startswith(".") and not inner.is_symlink():
                yield self.shown(inner) + ("/" if inner.is_dir() else "")

    def _place(self, path: str) -> Path:
        """Return the place of a plain relative path, without a link on the way.

        Raises:
            SourceNotFoundError: If the path is anything else.
        """
        parts = PurePosixPath(path).parts
        is_plain = parts and not PurePosixPath(path).is_absolute() and not PureWindowsPath(path).drive
        if not is_plain or ".." in parts or names_address(path) or FOREIGN.search(path):
            raise _refused(path, "a plain path relative to the folders of this server, without ..")
        if parts[0].startswith("~"):
            raise _refused(path, "a plain path, without ~")
        root, parts = self._root_of(path, parts)
        place = root
        for part in parts:
            place /= part
            if place.is_symlink():
                raise _refused(path, "a path without links")
        if not place.resolve().is_relative_to(root):
            raise _refused(path, "a path within the folders of this server")
        return place

    def _root_of(self, path: str, parts: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
        if len(self._roots) == 1:
            return next(iter(self._roots.values())), parts
        if parts[0] not in self._roots:
            raise _refused(path, f"a path that begins with {' or '.join(self._roots)}")
        return self._roots[parts[0]], parts[1:]


def _refused(path: str, expected: str) -> SourceNotFoundError:
    return SourceNotFoundError(
        "This path is not open to agents",
        found=path[:200] or "an empty path",
        expected=expected,
        fix="Call look to see what there is.",
    )
