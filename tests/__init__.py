"""Tests of the integration of NES (Echelon) smart meters."""
