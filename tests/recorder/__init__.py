"""Tests with a real recorder: what becomes of the readings in the long run."""
