"""MLflow, spoken to by its REST API: cycles as runs, challengers as versions of a model."""
