"""Training: tuning on records and on preference pairs over TRL, and pretraining of the lab model."""
