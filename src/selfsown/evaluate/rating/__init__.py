"""Blind human rating on four levels, as Self-Instruct reports it: make a sheet, read it back."""
