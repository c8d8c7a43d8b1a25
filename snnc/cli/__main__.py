"""``python -m snnc.cli``: the command line without its installed script."""

from .main import main

main()
