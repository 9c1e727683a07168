"""Home of the integration, as Home Assistant expects it."""
