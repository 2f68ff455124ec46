"""Files of records made clean: near-duplicates go, and what evaluations ask."""
