"""Training: pretraining of the lab model, and supervised fine-tuning over TRL."""
