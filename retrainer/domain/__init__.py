"""The decisions of retrainer as frozen values and pure functions: no clock, no I/O, no logging."""
