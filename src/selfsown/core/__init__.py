"""The ground floor: errors, requests, records, the journal and the durable run.

Imports nothing of ours.
"""
