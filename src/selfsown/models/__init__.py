"""From a URI to a model: one file per kind of backend, each behind the seam in `core/model.py`."""
