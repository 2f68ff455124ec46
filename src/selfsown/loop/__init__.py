"""The loop over everything: generate, curate, guard, train, evaluate, promote or roll back."""
