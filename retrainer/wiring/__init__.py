"""The one place that knows concrete classes."""

from retrainer.wiring.application import Application

__all__ = ["Application"]
