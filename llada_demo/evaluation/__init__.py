"""How good a model's answers are, in numbers that say what they see and what they miss."""
