"""Names and numbers that are none, in every place of the command line that takes one."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.hostile_case import NO_TEXT, Case, run, shown, some

LONG = "a" * 300
DIGITS = "1" * 5000

NAMES = (
    "",
    LONG,
    "a" * 5000,
    "two\nlines",
    "red\x1b[31m\x1b]0;title\x07",
    NO_TEXT,
    "../../etc/passwd",
    "%s{0}$(id)`id`",
    "\u202egnp.exe",
)

#: Where a name stands, and what the line names; {} is the name.
NAMED: dict[str, tuple[tuple[str, ...], str]] = {
    "run --methods": (run(methods="{}"), ""),
    "run --datasets": (run(datasets="{}"), ""),
    "run --recipe": (run("--recipe", "{}"), ""),
    "run --suite": (("run", "--suite", "{}", "--out", "new"), ""),
    "run --reduce": (("run", "--suite", "nasnet-tables", "--reduce", "{}", "--out", "new"), ""),
    "run --device": (run("--device", "{}"), "device"),
    "run --precision": (run("--precision", "{}"), "precision"),
    "run --tile": (run("--tile", "{}"), "--tile"),
    "run --plugin": (run("--plugin", "{}"), "plugin"),
    "run --card": (run("--card", "{}"), "card"),
    "report RUN": (("report", "{}"), "run"),
    "report --protocol": (("report", "run", "--protocol", "{}"), "protocol"),
    "report --table": (("report", "run", "--table", "{}"), "table"),
    "report --format": (("report", "run", "--format", "{}"), "format"),
    "report --rename": (("report", "run", "--rename", "{}"), "rename"),
    "table RUN": (("table", "{}"), "run"),
    "table --spec": (("table", "run", "--spec", "{}"), "table spec"),
    "table --rename": (("table", "run", "--rename", "{}=X"), ""),
    "table --protocol": (("table", "run", "--protocol", "{}"), "protocol"),
    "figure RUN": (("figure", "{}"), "run"),
    "figure --images": (("figure", "run", "--images", "{}"), "--images"),
    "figure --window": (("figure", "run", "--window", "{}"), "--window"),
    "figure --methods": (("figure", "run", "--methods", "{}"), "--methods"),
    "figure --rename": (("figure", "run", "--rename", "{}"), "--rename"),
    "figure --datasets": (("figure", "run", "--datasets", "{}"), "--datasets"),
    "figure --protocol": (("figure", "run", "--protocol", "{}"), "protocol"),
    "figure --photos": (("figure", "run", "--photos", "{}"), ""),
    "figure --plot": (("figure", "run", "--plot", "{}:macs"), "--plot"),
    "figure --format": (("figure", "run", "--format", "{}"), "--format"),
    "figure --template": (("figure", "run", "--template", "{}"), "--template"),
    "figure --name": (("figure", "run", "--name", "{}"), "--name"),
    "compare": (("compare", "run", "{}"), "run"),
    "derain --method": (("derain", "photo.png", "--method", "{}"), ""),
    "derain PHOTO": (("derain", "{}", "--method", "identity"), ""),
    "derain --weights": (("derain", "photo.png", "--method", "prenet", "--weights", "{}"), ""),
    "derain --trained-on": (
        (
            "derain",
            "photo.png",
            "--method",
            "tinycnn",
            "--plugin",
            "plugin.py",
            "--weights",
            "run",
            "--trained-on",
            "{}",
        ),
        "",
    ),
    "check": (("check", "{}"), ""),
    "datasets show": (("datasets", "show", "{}"), ""),
    "datasets verify": (("datasets", "verify", "{}"), ""),
    "datasets overlap": (("datasets", "overlap", "{}"), ""),
    "datasets add": (("datasets", "add", "{}"), "card"),
    "datasets synth --clean": (("datasets", "synth", "--clean", "{}", "--out", "new", "--preset", "rain100l"), ""),
    "datasets synth --preset": (("datasets", "synth", "--clean", "data", "--out", "new", "--preset", "{}"), ""),
    "datasets synth --name": (
        ("datasets", "synth", "--clean", "pictures", "--out", "new", "--preset", "rain100l", "--name", "{}"),
        "",
    ),
    "efficiency --methods": (("efficiency", "--methods", "{}"), ""),
    "efficiency --size": (("efficiency", "--methods", "identity", "--size", "{}"), "--size"),
    "efficiency --figure": (("efficiency", "--figure", "{}"), ""),
    "weights add NAME": (("weights", "add", "{}", "photo.png"), ""),
    "weights add FILE": (("weights", "add", "prenet@mine", "{}", "--trust-unknown"), ""),
    "weights add @TAG": (("weights", "add", "prenet@{}", "photo.png", "--trust-unknown"), ""),
    "weights export": (("weights", "export", "{}", "--method", "prenet", "--out", "new.pth"), ""),
    "weights export --method": (("weights", "export", "photo.png", "--method", "{}", "--out", "new.pth"), ""),
}

#: Where no name at all is no mistake.
MAY_BE_EMPTY = {
    "run --device",
    "datasets synth --name",
    "datasets overlap",
    "figure --images",
    "figure --methods",
    "figure --datasets",
    "figure --photos",
}

NUMBERS = (DIGITS, "-1", "1e9", "nan", "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT THREE}", "0x10", "9" * 25, "1.5")

NUMBERED: dict[str, tuple[tuple[str, ...], str]] = {
    "run --seeds": (run("--seeds", "{}"), "--seeds"),
    "run --tile": (run("--tile", "{}"), "--tile"),
    "run --workers": (run("--workers", "{}"), "--workers"),
    "verify --workers": (("datasets", "verify", "tiny", "--card", "card.toml", "--workers", "{}"), "--workers"),
    "efficiency --size": (("efficiency", "--methods", "identity", "--size", "{}x8"), "--size"),
    "efficiency --repeats": (("efficiency", "--methods", "identity", "--repeats", "{}"), "--repeats"),
    "figure --dpi": (("figure", "run", "--dpi", "{}"), "--dpi"),
    "figure --columns": (("figure", "run", "--columns", "{}"), "--columns"),
    "figure --window": (("figure", "run", "--window", "photo:0,0,{}x8"), "--window"),
    "synth --per-image": (
        ("datasets", "synth", "--clean", "pictures", "--out", "new", "--preset", "rain100l", "--per-image", "{}"),
        "--per-image",
    ),
    "synth --seed": (
        ("datasets", "synth", "--clean", "pictures", "--out", "new", "--preset", "rain100l", "--seed", "{}"),
        "--seed",
    ),
    "run --device cuda:N": (run("--device", "cuda:{}"), "device"),
    "nasnet[stages=N]": (run("--dry-run", methods="nasnet[stages={}]"), ""),
    "prenet[stages=N]": (run("--dry-run", methods="prenet[stages={}]"), ""),
    "rescan[depth=N]": (run("--dry-run", methods="rescan[depth={}]"), ""),
    "tinycnn[width=N]": (run("--dry-run", methods="tinycnn[width={}]"), ""),
}

#: Options that are numbers of the right kind, and would take the machine with them.
LARGE = {
    "nasnet[stages=999999999]": "stages",
    "nasnet[blocks=999999999]": "blocks",
    "nasnet[width=999999999]": "width",
    "nasnet[stages=100,blocks=1000]": "cannot be built",
    "nasnet[stages=64,blocks=500,width=1000]": "cannot be built",
    "nasnet[width=100000]": "width",
    "prenet[stages=999999999]": "stages",
    "prenet[stages=100000]": "stages",
    "rescan[stages=999999999]": "stages",
    "rescan[depth=999999999]": "depth",
    "rescan[depth=100]": "depth",
    "rescan[width=999999999]": "width",
    "tinycnn[width=999999999]": "tinycnn",
    "tinycnn[width=99999999]": "tinycnn",
    "deep[layers=999999999]": "deep",
    "deep[layers=1000000]": "deep",
    "endless[layers=999999999]": "endless",
}


def _filled(arguments: tuple[str, ...], word: str) -> tuple[str, ...]:
    return tuple(each.replace("{}", word) for each in arguments)


def cases() -> Iterator[Case]:
    """Every name and every number in every place."""
    for (place, (arguments, said)), word in some(NAMED.items(), NAMES, 2):
        # what is wrong with the word itself is told before it is known what it is for
        told = "" if word == NO_TEXT or len(word) > 255 else said
        if word or place not in MAY_BE_EMPTY:
            yield Case("names", f"{place} {shown(word)}", _filled(arguments, word), told)
    for (place, (arguments, said)), word in some(NUMBERED.items(), NUMBERS, 2):
        told = "" if word == DIGITS else said
        yield Case("numbers", f"{place} {shown(word)}", _filled(arguments, word), told)
    for method, said in LARGE.items():
        yield Case("options", f"run --dry-run {method}", run("--dry-run", methods=method), said)
        yield Case(
            "options", f"derain {method}", ("derain", "photo.png", "--plugin", "plugin.py", "--method", method), said
        )
    for method, said in list(LARGE.items())[:6]:
        yield Case("options", f"check {method}", ("check", method), said)
        yield Case(
            "options",
            f"weights export {method}",
            ("weights", "export", "weights.pth", "--method", method, "--out", "new.pth"),
            said,
        )
