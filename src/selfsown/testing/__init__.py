"""The public test kit: a local endpoint with injectable faults, and checks that every model backend must pass."""
