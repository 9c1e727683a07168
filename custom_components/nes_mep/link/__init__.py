"""How the link to a meter is set up, fails and recovers."""
