"""Training: tuning on records and preference pairs over TRL, and pretraining of the lab model."""
