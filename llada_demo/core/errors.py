"""Errors that a person can act on. Everything else is a bug and propagates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LANGUAGES = ("id", "en")


class UserError(Exception):
    """One clear sentence in both languages: what is wrong, and what to do about it.

    The page shows it as a warning and keeps the visitor's text; the command line prints it on stderr and
    exits with 2.
    """

    def __init__(self, indonesian: str, english: str) -> None:
        super().__init__(english)
        self.sentences: Mapping[str, str] = {"id": indonesian, "en": english}

    def in_language(self, language: str) -> str:
        """The sentence in `language` ("id" or "en"; anything else gives Indonesian)."""
        return self.sentences.get(language, self.sentences["id"])


class OptionsError(UserError):
    """A sampling setting, or a combination of settings, that cannot be used.

    `nearest` names the fields to change and the nearest valid values, so that an interface can offer them.
    """

    def __init__(self, indonesian: str, english: str, nearest: Mapping[str, Any] | None = None) -> None:
        super().__init__(indonesian, english)
        self.nearest: Mapping[str, Any] = dict(nearest or {})


class ModelError(UserError):
    """A checkpoint that cannot be used: missing, damaged, altered, or of a kind that is not implemented."""


class CapacityError(UserError):
    """More than the machine or the model can take now: a text that is too long, too many waiting visitors."""
