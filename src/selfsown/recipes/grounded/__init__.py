"""Grounded instructions: questions and tasks whose answers stand in the user's documents."""
