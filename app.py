"""LLaDA Indonesia: `python app.py` reads the settings, loads the model, builds the page and serves it."""

import os
import sys
from dataclasses import replace

from llada_demo.core.errors import UserError
from llada_demo.core.settings import Settings
from llada_demo.engine import Engine
from llada_demo.server import Limits, serve, zero_gpu  # before gradio: switches its analytics off
from llada_demo.ui.page import build_page


def main() -> int:
    """0 after an orderly end, 2 with one line on stderr where something can't be used as it is."""
    try:
        settings = Settings.from_environment()
        if zero_gpu():  # its GPU is there only inside decorated calls, which the engine doesn't make yet
            settings = replace(settings, device="cpu")
        engine = Engine.load(settings)
        demo, launch_options = build_page(engine)
        serve(demo, ready=engine.ready, launch_options=launch_options, limits=Limits.of_app(settings.public))
    except UserError as error:
        print(error.in_language("id" if os.environ.get("LANG", "").startswith("id") else "en"), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
