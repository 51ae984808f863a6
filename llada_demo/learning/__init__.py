"""Beside the house: the corpus, the objective and the training of models."""
