"""A self-check of an installation: what works, what does not, and in one line what to do about it."""

from spex_nb.checkup.examining import examine
from spex_nb.checkup.findings import Finding

__all__ = ["Finding", "examine"]
