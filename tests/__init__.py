"""Tests of the NES / Echelon smart meter integration."""
