"""Documents: read from files of many forms, with an id and a licence each, and cut by structure."""
