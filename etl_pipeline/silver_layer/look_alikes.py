"""Letters of other alphabets that look like Latin ones: a code made of nothing else is a slip or a trick."""

import re

_LOOKS = {
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d": "ABESIJKMH",
    "\u041e\u0420\u0421\u0422\u0423\u0425\u0501\u051b\u051c\u0474": "OPCTYXdqWV",
    "\u0430\u0441\u0435\u0455\u0456\u0458\u043e\u0440\u0443\u0445\u04bb\u051d\u0475": "acesijopyxhwv",
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7": "ABEZHIKMNOPTYX",
    "\u03bf\u03bd\u03c1": "ovp",
    "\u054d\u0555\u053c": "UOL",
}
"""Cyrillic, Greek and Armenian letters -> the Latin ones that they look like. Unicode's own folding (NFKC) keeps them
apart, and rightly: they are other letters. Only their looks are one."""
_TO_LATIN = str.maketrans("".join(_LOOKS), "".join(_LOOKS.values()))
_DISGUISED = re.compile(f"[{''.join(_LOOKS)}]")
_ANOTHER_LETTER = re.compile(rf"[^\W{''.join(_LOOKS)}0-9_]")


def skeleton(code: str) -> str:
    """Return the Latin code that a code looks like."""
    return code.translate(_TO_LATIN)


def could_be_latin(code: str) -> bool:
    """Tell whether a code has letters of another alphabet and every one of its letters looks like a Latin one."""
    return bool(_DISGUISED.search(code)) and not _ANOTHER_LETTER.search(code)
