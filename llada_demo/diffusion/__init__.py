"""How a masked diffusion model writes: noise, remasking, the loop that commits tokens, likelihood."""

from llada_demo.diffusion.generate import generate
from llada_demo.diffusion.loop import Ask, Begun, Request, Tokens, denoise

__all__ = ["Ask", "Begun", "Request", "Tokens", "denoise", "generate"]
