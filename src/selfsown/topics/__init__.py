"""What documents are about: found by a query (retrieval), or discovered (clusters)."""
