"""Tests of the meter client, without Home Assistant."""
