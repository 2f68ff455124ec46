"""Who says how good an answer is: verifiers first, then model judges, humans to calibrate both."""
