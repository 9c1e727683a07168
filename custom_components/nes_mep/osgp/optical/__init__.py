"""The link through the optical port: packets and sessions of ANSI C12.18."""
