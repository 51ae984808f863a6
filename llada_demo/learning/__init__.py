"""Beside the house: the corpus, the objective and the training of models (mission S6-S8)."""
