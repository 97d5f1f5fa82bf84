"""The outside world, one adapter each; only adapters know third-party clients."""
