"""Keeps a Rasa assistant's model fresh, and never makes it worse."""

__version__ = "0.1.0"
