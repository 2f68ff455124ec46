"""Checks that a program can decide: 25 kinds of constraint on an answer, in nine groups.

Source: IFEval (arXiv:2311.07911) for the kinds and their names; the code, the sentences and the
word lists are ours. Where we differ from the release, the check's docstring says so.
"""
