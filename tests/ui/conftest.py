"""What every tab's tests need."""

from __future__ import annotations

import gradio as gr
import pytest


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sentences with which a handler has warned the visitor."""
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", told.append)
    return told
