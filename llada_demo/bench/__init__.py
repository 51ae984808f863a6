"""Ours against the public reference sampler, side by side in one run: `python -m llada_demo bench`."""
