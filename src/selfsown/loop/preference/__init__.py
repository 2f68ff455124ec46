"""Loops over preference recipes: pairs, gates, DPO, probe, promote or roll back."""
