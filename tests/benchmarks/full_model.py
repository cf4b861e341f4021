"""The released sizes with random weights on this machine: a mask in one pass, and one after an explanation.

Needs 12 GB of memory and some minutes: `make bench-full`.
"""

from __future__ import annotations

import resource
import time

import click
import torch

from spex_nb.model import SpexConfig, SpexModel

SIDE, CELLS, WORDS, NEW = 512, 1024, 300, 256
RELEASED_S = 110
"""The released code on two cores, 256 words before the mask (encoder 4, prompt 21, words 85)."""


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    config = SpexConfig.preset("base", image_token_id=151_935)
    start = time.perf_counter()
    model = SpexModel(config).eval()
    click.echo(f"{model.num_parameters() / 1e6:,.0f} M parameters made in {time.perf_counter() - start:.0f} s")
    given = {
        "pixel_values": torch.randn(1, 3, SIDE, SIDE),
        "input_ids": torch.tensor([[*[config.image_token_id] * CELLS, *range(1000, 1000 + WORDS)]]),
    }
    start = time.perf_counter()
    with torch.no_grad():
        features = model.encode_image(given["pixel_values"])
    click.echo(f"encoder: {time.perf_counter() - start:.1f} s")
    config.condensation_config.source = "prompt"
    start = time.perf_counter()
    mask = model.segment(**given)
    click.echo(f"mask in one pass: {time.perf_counter() - start:.1f} s, {tuple(mask.shape)}")
    config.condensation_config.source = "answer"
    start = time.perf_counter()
    model.generate(
        features=features, input_ids=given["input_ids"], min_new_tokens=NEW, max_new_tokens=NEW, do_sample=False
    )
    spent = time.perf_counter() - start
    click.echo(f"{NEW} words, then the mask: {spent:.1f} s, the encoder not counted; released: about {RELEASED_S} s")
    click.echo(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
