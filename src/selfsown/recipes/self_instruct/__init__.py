"""Self-Instruct (arXiv:2212.10560): instructions, classification, instances; from human seeds."""
