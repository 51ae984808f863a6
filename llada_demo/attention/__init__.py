"""Attention: recorded while the model reads, and summarised: heads, layers, words, sinks."""
