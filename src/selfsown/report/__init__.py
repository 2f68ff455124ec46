"""What a run did, as numbers, as one page, and as a data-set card; all read from its directory."""
