"""The one thing that tabs and commands talk to: chat and trace; owns the model and the batching."""

from llada_demo.engine.engine import Engine

__all__ = ["Engine"]
