"""A trace in other forms: what the player draws, and files."""
