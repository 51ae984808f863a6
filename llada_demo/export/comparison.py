"""A comparison as a page that needs nothing else: base and adapters side by side on one clock."""

from __future__ import annotations

from llada_demo.core.comparison import ComparisonRecord, Pane
from llada_demo.export.film import Film, film
from llada_demo.export.page import player_page


def comparison_page(record: ComparisonRecord) -> str:
    """HTML of a comparison. It plays, and marks where each adapter parts from the base."""
    return player_page([pane_film(pane) for pane in record.panes])


def pane_film(pane: Pane) -> Film:
    """A pane's film. Its head says what the player tells of a pane: that it is the base, or where it parts from it.

    diverges: {step, at}, both from 0; None where it never parts; missing in the head of the base.
    """
    shot = film(pane.trace, title=pane.adapter or "", recorded=True)
    shot["head"] |= {"figures": dict(pane.figures)}
    if pane.adapter is None:
        shot["head"] |= {"base": True}
    else:
        parts = pane.divergence
        shot["head"] |= {"diverges": parts and {"step": parts.step, "at": parts.position}}
    return shot
