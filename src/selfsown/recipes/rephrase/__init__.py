"""WRAP and its descendants: the same content in other styles, chunk by chunk, and nothing lost."""
