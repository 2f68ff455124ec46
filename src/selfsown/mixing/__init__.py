"""Training mixtures by tokens: real and synthetic text in stated shares, shuffled and packed."""
