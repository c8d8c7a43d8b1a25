"""Text of others on a terminal: what would steer it is shown, not obeyed."""

from __future__ import annotations

import unicodedata

import click


def visible(text: str) -> str:
    r"""A text with its control and format characters as escapes, such as ``\x1b``; line ends and tabs stay.

    Names of nodes, files and inputs come from other people's files. Escape sequences in them could rewrite what a
    terminal shows, and marks of writing direction its order. A lone surrogate, which no stream can encode, is
    escaped as well.
    """
    return "".join(character if _is_harmless(character) else _escape(character) for character in text)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text that may hold other people's names."""
    click.echo(visible(text), err=err)


def _is_harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
