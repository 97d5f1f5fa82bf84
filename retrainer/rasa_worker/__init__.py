"""The Rasa worker: the part of retrainer that Rasa's own interpreter runs.

It imports the standard library and Rasa alone, and is written for Python 3.8 to 3.10.
The service starts `__main__.py` and talks to it in JSON lines over two pipes; see `service.py`.
"""
