"""The meter's tables: from bytes to dataclasses, without input or output.

Every decoder takes the bytes of a table and the dimensions it needs, and raises
DecodeError for input that is too short or impossible.
"""
