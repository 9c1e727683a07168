"""Tests of the repair issues: raised, cleared, and fixed, as a user sees it."""
