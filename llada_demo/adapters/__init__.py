"""Adapters (LoRA): read without trust, checked against the base, added to it row by row, taken off again."""

from llada_demo.adapters.attaching import Attached
from llada_demo.adapters.errors import AdapterError, Report
from llada_demo.adapters.reading import Adapter, read_adapter

__all__ = ["Adapter", "AdapterError", "Attached", "Report", "read_adapter"]
