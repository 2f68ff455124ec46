"""Curation without a model call: novelty, rules, instance filters, openings and density."""
