"""Texts that would do something if they were taken for anything but text."""

__all__ = ["HOSTILE", "MIXED"]

HOSTILE = [
    '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>',
    "</bdi></div></pre></details></td></table><svg onload=window.pwned=1><style>*{display:none}",
    "javascript:window.pwned=1",
    "\x1b[31mred\x1b]8;;http://evil.invalid\x07 link",
    "abc\u202egnp.exe\u2066 \u200b\U000e0041",
    "[click](javascript:window.pwned=1) ![x](http://evil.invalid/x.png) "
    "$\\href{javascript:window.pwned=1}{x}$ $$\\unicode{x}$$ \\(\\frac12\\)",
    "<a href='javascript:window.pwned=1' onmouseover='window.pwned=1'>x</a>"
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe><form action=http://evil.invalid>",
    "x" * 1_000_000,
    "line\n" * 5_000,
    "Z" + "\u0301" * 5_000,
]

MIXED = " ".join(text[:4000] for text in HOSTILE[:7])
"""All of them that are short, in one."""
