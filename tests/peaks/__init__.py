"""Tests of the average power of the tariff's intervals, and of the month's peaks."""
