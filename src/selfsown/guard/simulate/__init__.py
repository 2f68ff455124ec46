"""The collapse simulators: three small worlds whose every generation is trained on the last."""
