"""Set up a checkout: system packages, virtual environment, Java half. Quick when nothing changed.

python3 tools/setup.py                everything
python3 tools/setup.py --runtime r    Python and one other language (may be repeated)
python3 tools/setup.py --no-system    touch no system package, use what is there

Needs Python 3.10 and nothing else. On Debian, as root or with sudo, system packages are installed;
elsewhere it says what is missing and goes on without, except with CI set: there that is an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

import debian
from shell import (
    CI,
    LANGUAGES,
    ROOT,
    VENV,
    StepFailed,
    contents,
    locked,
    once,
    output,
    say,
    step,
    works,
)

# What the tests use. Only rpy2 has to be built here, against R, and comes by itself.
EXTRAS = ("java", "julia", "otel", "h2o", "sklearn", "test", "dev")


def main() -> int:
    """Do the steps; 0 when all that was asked for is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runtime", action="append", choices=("python", *LANGUAGES))
    parser.add_argument("--no-system", action="store_true")
    options = parser.parse_args()
    wanted = [name for name in LANGUAGES if name in (options.runtime or LANGUAGES)]
    try:
        with locked():
            missing = set_up(wanted, system=not options.no_system)
    except StepFailed as error:
        say(f"error: {error}")
        return 1
    for language, why in missing.items():
        say(f"{language} cannot be used here: {why}")
    return 1 if missing and CI else 0


def set_up(languages: list[str], *, system: bool) -> dict[str, str]:
    """Bring everything for these languages; answers which stay unusable, and why."""
    if system:
        debian.install(languages)
    make_environment()
    missing = {}
    for language in languages:
        try:
            PREPARE[language]()
        except StepFailed as error:
            missing[language] = str(error)
    return missing


def make_environment() -> None:
    """Make .venv with the project and what its tests need."""
    if not works(str(VENV / "bin/python"), "-m", "pip", "--version"):
        step("making .venv", [sys.executable, "-m", "venv", "--clear", str(VENV)], log="venv")
    _pip_install("python", EXTRAS)


def prepare_java() -> None:
    """See that a JDK and Maven run, and build the jar."""
    lacking = [tool for tool in ("javac", "mvn") if not works(tool, "-version")]
    if lacking:
        raise StepFailed(f"needs a JDK (11 or later) and Maven; not found: {', '.join(lacking)}")
    project = ROOT / "runtimes/java"
    if (project / "pom.xml").exists():
        build = ["mvn", "-B", "-ntp", "-q", "-f", str(project), "-DskipTests", "package"]
        once(
            "jar",
            contents([project / "pom.xml", project / "src/main"]),
            lambda: step("building the Java half", build, log="jar"),
            made=project / "target/polyhost-runtime.jar",
        )


def prepare_r() -> None:
    """See that R runs with its packages, and that rpy2 was built against it."""
    names = ", ".join(f"'{name}'" for name in debian.R_PACKAGES)
    absent = output(
        "Rscript", "-e", f"cat('-', setdiff(c({names}), rownames(installed.packages())))"
    )
    if not absent:
        raise StepFailed(f"needs R 4.0 to 4.4 with headers, and the R packages {names}; no Rscript")
    if absent.strip() != "-":
        raise StepFailed(f"needs R packages that are not installed:{absent.strip('-')}")
    _pip_install("r", ["r"], key=output("R", "--version"))
    # Built without R's headers rpy2 falls back to a slower mode, and says so only at run time.
    if not works(str(VENV / "bin/python"), "-c", "import _rinterface_cffi_api"):
        again = ["install", "-q", "--force-reinstall", "--no-deps", "--no-cache-dir"]
        _pip("rebuilding rpy2 against R", [*again, "rpy2>=3.5.11,<3.6"], log="rpy2")


def prepare_julia() -> None:
    """See that Julia runs and survives an exception, which a wrong libunwind makes fatal."""
    if not works("julia", "--startup-file=no", "-e", "try error() catch end"):
        raise StepFailed(
            "needs Julia 1.5 or later on the PATH (https://julialang.org/downloads); "
            "`julia -e 'try error() catch end'` did not succeed"
        )


PREPARE = {"java": prepare_java, "r": prepare_r, "julia": prepare_julia}


def _pip_install(name: str, extras: Iterable[str], key: str = "") -> None:
    """Install the project with extras, unless its dependencies are as they were."""
    project = (ROOT / "pyproject.toml").read_text().split("\n[tool.ruff")[0]
    arguments = ["install", "-q", "-e", f".[{','.join(extras)}]"]
    once(
        f"pip-{name}",
        f"{(VENV / 'pyvenv.cfg').stat().st_mtime_ns} {key} {project}",
        lambda: _pip(f"installing Python packages ({name})", arguments, log=f"pip-{name}"),
    )


def _pip(what: str, arguments: list[str], *, log: str) -> None:
    pip = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    step(what, ["env", "RPY2_CFFI_MODE=API", *pip, *arguments], log=log)


if __name__ == "__main__":
    sys.exit(main())
