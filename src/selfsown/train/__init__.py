"""Training: pretraining of the lab model now; tuning over TRL later."""
