"""selfsown: grow training data from a language model itself."""

__version__ = "0.1.0"
