"""The checkpoint as a STAC item of the Machine Learning Model extension, written beside its weights.

Usage: python recipes/tiny/model_item.py CHECKPOINT YYYY-MM-DD

Extension: https://github.com/stac-extensions/mlm (1.6). All figures come from the checkpoint's own files.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXTENSION = "https://stac-extensions.github.io/mlm/v1.6.0/schema.json"
NAME = "stac_item.json"
BANDS = ("blue", "green", "red", "nir", "swir16")
"""Best ones; any two or more between 0.3 and 3 µm are read."""


def count_parameters(weights: Path) -> int:
    """Return how many numbers a safetensors file holds, by its header."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: Mapping[str, Any] = json.loads(file.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def model_item(checkpoint: Path, date: str) -> dict[str, Any]:
    """Return the item of a checkpoint, from its configuration and weights, with the day on which these were made."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    classes = [{"value": number, "name": name} for number, name in enumerate(config["targets"])]
    image = {"shape": [1, -1, -1, -1], "dim_order": ["batch", "bands", "height", "width"], "data_type": "float32"}
    logits = {"shape": [-1, -1, -1], "dim_order": ["class", "height", "width"], "data_type": "float32"}
    properties = {
        "datetime": f"{date}T00:00:00Z",
        "description": "SPEX tiny: land cover in multispectral scenes by instruction. Its quality stands in the card.",
        "license": "Apache-2.0",
        "mlm:name": "SPEX tiny",
        "mlm:architecture": "SPEX",
        "mlm:framework": "pytorch",
        "mlm:tasks": ["semantic-segmentation", "image-captioning"],
        "mlm:total_parameters": count_parameters(checkpoint / "model.safetensors"),
        "mlm:pretrained": True,
        "mlm:pretrained_source": None,
        "mlm:input": [
            {
                "name": "reflectance of any bands, 0 to 1, with their wavelengths; best with these",
                "bands": list(BANDS),
                "input": image,
                "value_scaling": None,
                "resize_type": None,
                "pre_processing_function": {"format": "python", "expression": "spex_nb.model.processing:SpexProcessor"},
            }
        ],
        "mlm:output": [
            {
                "name": "mask logits, a layer a target; above 0 is the target",
                "tasks": ["semantic-segmentation"],
                "result": logits,
                "classification:classes": classes,
                "post_processing_function": {"format": "python", "expression": "spex_nb.extraction:extract"},
            }
        ],
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION],
        "id": "spex-tiny",
        "geometry": None,  # nobody measured where on the Earth it is good
        "properties": properties,
        "links": [],
        "assets": {
            "model": {
                "href": "./model.safetensors",
                "type": "application/vnd.safetensors",
                "title": "Weights for satellites",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "safetensors.torch.save_file",
            },
            "card": {"href": "./README.md", "type": "text/markdown", "title": "Model card", "roles": ["metadata"]},
        },
    }


def main(checkpoint: Path, date: str) -> None:
    """Write the item beside the weights."""
    text = json.dumps(model_item(checkpoint, date), indent=1, ensure_ascii=False)
    (checkpoint / NAME).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
