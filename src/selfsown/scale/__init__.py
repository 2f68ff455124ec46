"""Many runs as one job: shards of the input, workers that may die, one data set in the end."""
