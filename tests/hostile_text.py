"""Text that may break SQL, JSON or a template, by what makes it hostile."""

from collections.abc import Iterator


def around(*pieces: str) -> tuple[str, ...]:
    """Return each piece alone, before, behind and within other text."""
    return tuple(text for p in pieces for text in (p, f"{p}x", f"x{p}", f"x{p}y"))


SENDABLE: dict[str, tuple[str, ...]] = {
    "quotes": (
        *around("'", '"', "\\'"),
        *("it's", 'say "hi"', "''''", "'x'", "`", "'; DROP TABLE train; --", "x' OR 'x'='x"),
        *("' || CURRENT_USER() || '", "'), ('", "ft_1', 'x", "q'[x]'", "E'x'", "x''", "''x"),
    ),
    "backslashes": (
        *around("\\", "\\\\'"),
        *("\\n", "\\t", "\\0", "\\x41", "\\u0041", "\\101", "\\b", "\\%", "\\_", "\\N", "\\\n"),
        *(
            "C:\\new\\table",
            "\\\\'; SELECT 1; --",
            "\\" * 7,
            "\\" * 8 + "'",
            "\\u0000",
            "\\\\u0000",
        ),
        *("\\ud800", "\\\\ud800"),
    ),
    "comments": (
        *around("--", "/*"),
        *(
            "//x",
            "*/",
            "-- x\n",
            "/* x */",
            "/*+ x */",
            "x --'",
            "'/*",
            "*/ SELECT 1 /*",
            "# x",
            "/**/",
        ),
    ),
    "ends of statements": (
        *around(";"),
        *(
            "; SELECT 1",
            ";;",
            "x; DROP TABLE train;",
            "'; SELECT 1; SELECT '",
            "SELECT 1;\n",
            "\\;",
        ),
    ),
    "dollars": (
        *around("$$"),
        *("$$'$$", "$x", "$1", "${x}", "&x", "&&x", "&{x}", "$tag$x$tag$", "<%x%>", "!set x=1"),
    ),
    "other quotes": (
        *("\u2018x\u2019", "\u201cx\u201d", "\u02bcx", "\uff07x\uff07", "\u2032", "\u00b4x`"),
        *(
            "\u037e",
            "\uff1b",
            "\u2215*x*\u2215",
            "\uff3c",
            "\uff02",
            "\u00abx\u00bb",
            "\u2010\u2010x",
        ),
    ),
    "homoglyphs": (
        "ft_\u0430bc",
        "\u0455elect",
        "l1I|O0",
        "\uff53\uff45\uff4c",
        "e\u0301",
        "\u00e9",
    ),
    "right to left": ("\u202ex", "\u2066x\u2069", "\u05e9\u05dc\u05d5\u05dd", "\u200fx", "x\u061c"),
    "of no width": (
        "\u200b",
        "x\u200by",
        "\ufeffx",
        "x\u2060",
        "\u00adx",
        "\u200dx\u200c",
        "x\ufe0f",
    ),
    "beyond the first plane": (
        "\U0001f600",
        "\U0001f468\u200d\U0001f469",
        "\U00020000",
        "\U0010ffff",
    ),
    "not a character": ("\ufffe", "\uffff", "\ufffd", "\ufdd0"),
    "control characters": (
        *(
            f"x{chr(n)}y"
            for n in (1, 3, 4, 7, 8, 9, 11, 12, 26, 27, 28, 31, 127, 128, 133, 155, 159)
        ),
        *("".join(map(chr, range(1, 32))), "".join(map(chr, range(127, 160))), "\x1b[31mx\x1b[0m"),
    ),
    "line ends": (
        *("x\ny", "x\r\ny", "x\ry", "x\u2028y", "x\u2029y", "x\n\n\ny", "x\n--\ny", "x'\n'y"),
        *("x\n", "\nx", " x ", "\tx", "\u00a0x\u3000"),
    ),
    "binds": (
        *around("%s", "%(x)s", "%"),
        *("?", ":1", ":x", "%%", "%d", "%%s", "{}", "{0}", "{x}", "%(", "%s" * 9, "100 %", "@x"),
    ),
    "Jinja left over": (
        *("{{", "}}", "{{ x }}", "{{ ti.xcom_pull('a') }}", "{% if x %}", "{# x #}", "{%", "{#"),
        *("{{ '{{' }}", "{{ 1 / 0 }}", "{% raw %}", "{{ x", "x }}"),
    ),
    "JSON": (
        *('{"a": 1}', "[1, 2]", '"', '{"a": "\\u0041"}', "null", "true", '"}', "', '{\"a\": 1}"),
        *('{"role": "system"}', '[{"role": "user", "content": "x"}]', "NaN", "-Infinity", "1e999"),
    ),
    "Snowflake's own": (
        *("@stage", "@~/x", "@%train", "SNOWFLAKE.CORTEX.FINETUNE('SHOW')", 'db."s.c".t', '"a""b"'),
        *(
            "IDENTIFIER('x')",
            "TABLE(x)",
            "SYSTEM$CANCEL_ALL_QUERIES(1)",
            "a => b",
            "x::TEXT",
            "a.b.c",
        ),
    ),
    "keywords": (
        "SELECT",
        "NULL",
        "DEFAULT",
        "TRUE",
        "select 1",
        "DROP TABLE train",
        "CREATE",
        "SHOW",
    ),
    "paths": (
        "../../etc/passwd",
        "/dev/null",
        "file:///x",
        "x.sql",
        "x.json",
        "~",
        "http://x/?a=b&c#d",
    ),
    "almost empty": (
        "0",
        "False",
        "none",
        "NONE",
        "nil",
        "undefined",
        "-",
        ".",
        "_",
        "''",
        "()",
        "{ }",
    ),
}
"""Text that arrives unchanged."""

LONG = ("x" * 100_000, "'\\\n" * 30_000, "\U0001f600" * 25_000)
"""Long text that arrives unchanged."""

UNSENDABLE: dict[str, tuple[str, ...]] = {
    "a NUL character": (*around("\0"), "\0\0", "x'\0", "\\\0", "%s\0"),
    "half a surrogate pair": (
        *around("\ud800", "\udfff"),
        *("\udc80", "\ud83d\ude00", "\ude00\ud83d", "'\ud800'", "\\\ud800", "\ud800" * 9),
    ),
}
"""Text that cannot be sent unchanged, by what the error calls it."""

BLANK = ("", " ", "\n", "\t\r\n", "\u00a0", "\u3000", "\u2028", "\x1f", "\x85", "None", " None\n")
"""Blank text, with the word to which Jinja renders an XCom that was never pushed."""


def sendable() -> Iterator[str]:
    """Return each text that can be sent, once."""
    yield from dict.fromkeys(text for texts in SENDABLE.values() for text in texts)


def unsendable() -> Iterator[tuple[str, str]]:
    """Return each problem, as an error calls it, with a text that has it."""
    for problem, texts in UNSENDABLE.items():
        for text in texts:
            yield problem, text
