"""Stand-in for a compiled package that only voice assistants use.

The assist pipeline imports it when the frontend asks for the list of actions.
"""


class MicroVad:
    """What the assist pipeline imports; without microphones it makes none."""
