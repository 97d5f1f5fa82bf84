"""A cycle as a list of steps, and the runner that folds them over a State."""
