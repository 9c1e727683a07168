"""The load profile: which data sets there are, and their download."""
