"""Fakes of every port, for the tests of retrainer and of its plugins.

Each fake passes the same contract suite as the real adapters.
"""
