"""What every conversation starts from, wherever it is held."""

from __future__ import annotations

# The sample system prompt of the write-up that this project follows (mission S11).
SYSTEM_PROMPT = "Asisten adalah chatbot bernama Anita, seorang chatbot yang ramah."
