"""Cosmopedia: texts of many kinds, for many readers, that grow from extracts of documents."""
