"""The laboratory: a micro-world with an oracle, text about it, and a tiny base model.

An instrument to demonstrate and test the engine with, offline and on two cores. It is not a source
of training data for other models.
"""
