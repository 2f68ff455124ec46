"""Is the model feeding on itself? Diversity, tails, lineage, alarms, and simulated collapses."""
