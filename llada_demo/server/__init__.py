"""The web process: limits, guard, health, graceful shutdown, Spaces and ZeroGPU."""

import os

# Gradio reads this when a Blocks is built, and sends usage data unless told not to. An explicit True stays.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from llada_demo.server.guard import Guard, Limits
from llada_demo.server.serve import build_app, serve
from llada_demo.server.spaces import gpu, on_space, zero_gpu

__all__ = ["Guard", "Limits", "build_app", "gpu", "on_space", "serve", "zero_gpu"]
