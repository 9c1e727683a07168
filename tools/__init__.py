"""Helpers that run beside the tests: a real Home Assistant, the demo."""
