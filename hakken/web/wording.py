"""Facts as a page says them."""

import re

_LETTER_OF_WORD = re.compile(r"(?<![\w'\N{RIGHT SINGLE QUOTATION MARK}])[^\W\d_]")


def studio(name: str) -> str:
    """A studio's name, which the catalogue has in lower case, with capitals."""
    return _LETTER_OF_WORD.sub(lambda letter: letter[0].upper(), name) if name == name.lower() else name


def sign(number: str) -> str:
    """A number that says its sign, as print has it; one that is rounded to nothing has none."""
    return number.replace("-", "\N{MINUS SIGN}") if re.search("[1-9]", number) else number.lstrip("+-")


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text."""
    return [one for line in text.splitlines() if (one := line.strip())]
