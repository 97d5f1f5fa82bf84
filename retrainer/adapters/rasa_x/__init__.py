"""Rasa X, Rasa Enterprise and the Rasa Platform of 2018."""
