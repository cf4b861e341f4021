"""How far labels at 30 m agree with themselves: shifted by one pixel, or blurred.

Usage: python recipes/tiny/labels.py DATASET
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter

from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spie.dataset import open_dataset

TARGETS = ("water", "vegetation", "built_up")
SHARES = (0.3, 0.4, 0.5)
"""Of the 3 x 3 pixels around one, above which it is called the target."""


def measure(folder: Path) -> pd.DataFrame:
    """Return the IoU of labels with themselves, by split and target."""
    dataset = open_dataset(folder).only(["hls"])
    counts: dict[str, dict[str, Any]] = {}
    for split in ("train", "val"):
        for record in dataset.records(split):
            if record.target in TARGETS:
                label, is_known = dataset.mask(record)
                row = counts.setdefault(f"{record.target}, {split}", {})
                for how, mask in _altered(label & is_known, is_known).items():
                    row[how] = row.get(how, 0) + confusion_counts(mask, label, is_known)
    return pd.DataFrame({name: {how: float(iou(n)) for how, n in row.items()} for name, row in counts.items()}).T


def _altered(label: Any, is_known: Any) -> dict[str, Any]:
    share = uniform_filter(label.astype(float), 3) / np.maximum(uniform_filter(is_known.astype(float), 3), 1e-6)
    beside = np.pad(label, ((0, 0), (1, 0)), mode="edge")[:, :-1]
    return {"shifted by one pixel": beside} | {f"more than {least:g} of 3 x 3": share > least for least in SHARES}


if __name__ == "__main__":
    print(measure(Path(sys.argv[1])).round(3).to_string())  # noqa: T201 (a script)
