"""Rounds of preference recipes: ask, score, pair, train by DPO, probe, promote or roll back."""
