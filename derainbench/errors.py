"""The errors a user can mend: one line that names the thing, the place and the remedy."""


class UserError(Exception):
    """Something the user gave or has is wrong. The message is one line: what, where, and what to do.

    The command line prints it without a traceback (with one under ``--debug``) and exits with status 2.
    """


class StorageError(UserError):
    """The disk refuses: full, read-only, gone. Nothing after it can be stored, so a run stops here."""


#: Whatever code of others may raise: a method's ``sys.exit()`` ends its cell, not the run. An interrupt is none of it.
FOREIGN = (Exception, SystemExit, GeneratorExit)


def one_line(error: BaseException) -> str:
    """An exception's text without its line breaks: every error that is shown or stored is one line."""
    try:
        text = str(error)
    except FOREIGN:  # its own text may be its author's code, too
        text = "an error that cannot say what it is"
    # Half of a surrogate pair, as names that are no UTF-8 have it, can be stored in no file.
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())


def did_you_mean(wrong: str, known: list[str]) -> str:
    """``"; did you mean 'nasnet'?"`` if a known name is close, otherwise the list of the known ones."""
    import difflib

    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(sorted(known)) if known else "none is known"
