"""From a run directory to the files that trainers read."""
