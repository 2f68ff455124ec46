"""The public test kit: a local endpoint with injectable faults, and checks for model backends."""
