"""``python -m snnc.cli``: the command line without its installed script."""

from .start import main

main()
