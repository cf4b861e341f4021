"""Let ``python -m spex_nb.cli`` run the command ``spex``, where no script of that name is on the path."""

from __future__ import annotations

from spex_nb.cli.command import main

if __name__ == "__main__":
    main(prog_name="spex")
