"""Answers, their scores, and the preference pairs that are made of them."""
