"""The look: a quiet theme over a built-in base, system fonts only, and the files that the browser runs."""

from __future__ import annotations

import gradio as gr

from llada_demo.core.settings import UI
from llada_demo.export.attention import EXPLORER

STYLES = [
    UI / name
    for name in (
        "theme.css", "chat.css", "player.css", "unmasking.css", "attention.css", "adapters.css", "compare.css",
        "many.css", "blind.css", "results.css", "rank_one.css",
    )
]  # fmt: skip
SCRIPTS = [
    UI / name
    for name in (
        "page.js", "player.js", "reel.js", "chat.js", "unmasking.js", *EXPLORER, "attention_tab.js", "adapters.js",
        "compare.js", "many.js", "blind.js", "results.js", "rank_one.js",
    )
]  # fmt: skip

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "Cascadia Mono", "Menlo", "DejaVu Sans Mono", "monospace")
_ACCENT = gr.themes.Color(  # around the Okabe-Ito blue
    name="laut", c50="#eef6fb", c100="#d6eaf5", c200="#aed5ec", c300="#7dbade", c400="#3f97c9", c500="#0072b2",
    c600="#00649d", c700="#005587", c800="#00456d", c900="#003654", c950="#00263b",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """The theme of every tab, light and dark."""
    return gr.themes.Base(
        primary_hue=_ACCENT,
        secondary_hue=_ACCENT,
        neutral_hue="slate",
        font=_SANS,
        font_mono=_MONO,
        radius_size="lg",
    ).set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#0f1419",
        body_text_color_subdued="*neutral_500",  # the theme's own grey is too pale to be read on white
        link_text_color_dark="*secondary_300",
        block_background_fill="#ffffff",
        block_background_fill_dark="#151b22",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        button_primary_background_fill="#0072b2",
        button_primary_background_fill_hover="#00649d",
        button_primary_text_color="#ffffff",
        input_border_width="1px",
    )


def head() -> str:
    """The scripts of the page, read from assets/ui, for the document's head."""
    return "\n".join(_script(path.read_text(encoding="utf-8")) for path in SCRIPTS)


def _script(source: str) -> str:
    return (UI / "script.html").read_text(encoding="utf-8").replace("SOURCE", source)
