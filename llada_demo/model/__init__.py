"""LLaDA itself: configuration, network, tokenizer and chat template, loading and verifying."""

from llada_demo.model.config import LLaDAConfig
from llada_demo.model.network import LLaDAModelLM

__all__ = ["LLaDAConfig", "LLaDAModelLM"]
