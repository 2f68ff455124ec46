"""Recipes that turn a model's own answers into preference pairs: self-rewarding, online RLHF."""
