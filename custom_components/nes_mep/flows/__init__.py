"""The options flow, and the forms of the flows."""
