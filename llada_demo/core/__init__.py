"""No torch, no gradio: options, trace, errors, settings."""
