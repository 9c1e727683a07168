"""The load profile: what it is set up to record, and what it has recorded.

``data_set`` is the configuration, ``recording`` the arithmetic of blocks and intervals,
``memory`` what a meter remembers of its past, ``history`` the recorded values and their
bytes, ``control`` what tests do with it.
"""
