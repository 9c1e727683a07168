"""The past of the entities, from the meter's load profile to statistics."""
