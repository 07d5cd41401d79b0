"""The errors a user can mend: one line that names the thing, the place and the remedy."""


class UserError(Exception):
    """Something the user gave or has is wrong. The message is one line: what, where, and what to do.

    The command line prints it without a traceback (with one under ``--debug``) and exits with status 2.
    """


class StorageError(UserError):
    """The disk refuses: full, read-only, gone. Nothing after it can be stored, so a run stops here."""


#: Whatever code of others may raise: a method's ``sys.exit()`` ends its cell, not the run. An interrupt is none of it.
FOREIGN = (Exception, SystemExit, GeneratorExit)

#: The most characters of an error that are shown or stored.
LONGEST = 2000

_TAIL = 400  # of them, from the end, where the remedy stands


def one_line(error: BaseException) -> str:
    """An exception's text as one :func:`printable` line: every error that is shown or stored is one."""
    try:
        text = str(error)
    except FOREIGN:  # its own text may be its author's code, too
        text = "an error that cannot say what it is"
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """A text that does a terminal no harm: what is not printable is escaped, and of a long text the middle left out.

    Names of files, values in files and the exceptions of other people's code may hold anything: line breaks, sequences
    that clear the screen or rename the window, halves of characters. At most :data:`LONGEST` characters.
    """
    if len(text) > 2 * LONGEST:  # before each character is looked at: a text may have a billion
        text = text[:LONGEST] + text[-LONGEST:]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - _TAIL - 5]} ... {text[-_TAIL:]}"
    return text


def did_you_mean(wrong: str, known: list[str]) -> str:
    """``"; did you mean 'nasnet'?"`` if a known name is close, otherwise the list of the known ones."""
    import difflib

    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(sorted(known)) if known else "none is known"
