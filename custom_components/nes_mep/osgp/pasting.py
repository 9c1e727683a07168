"""Text as people paste it: with blanks around it and invisible characters."""

import unicodedata


def pasted_text(text: str) -> str:
    """Return a text without invisible characters that came along when it was copied.

    Invisible characters, such as a zero-width space or a byte order mark, are dropped.
    Blanks around it are dropped too, and those within become plain spaces.
    """
    return "".join(
        " " if category == "Zs" else character
        for character in text
        if (category := unicodedata.category(character)) != "Cf"
    ).strip()
