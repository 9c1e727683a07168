"""The MEP link: messages with digest, RC4 or TLS, and the recovery of a session."""
