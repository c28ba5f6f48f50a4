"""Java: Maven builds the jar, JUnit tests it."""

from __future__ import annotations

from language import Apt, Build, Check, Language, Runner

from shell import ROOT, StepFailed, contents, once, step, works

FOLDER = "runtimes/java"
MAVEN = ("mvn", "-B", "-ntp", "-q", "-f", FOLDER)
FORMAT = "com.spotify.fmt:fmt-maven-plugin:2.25"
BUILD = Build(
    command=(*MAVEN, "-DskipTests", "package"),
    sources=(f"{FOLDER}/pom.xml", f"{FOLDER}/src/main"),
    made=f"{FOLDER}/target/polyhost-runtime.jar",
)


def prepare() -> None:
    """See that a JDK and Maven run, and build the jar."""
    lacking = [tool for tool in ("javac", "mvn") if not works(tool, "-version")]
    if lacking:
        raise StepFailed(f"needs a JDK (11 or later) and Maven; not found: {', '.join(lacking)}")
    once(
        "jar",
        contents(ROOT / source for source in BUILD.sources),
        lambda: step("building the Java half", [*BUILD.command], log="jar"),
        made=ROOT / BUILD.made,
    )


LANGUAGE = Language(
    name="java",
    apt=Apt(("openjdk-17-jdk-headless", "maven")),
    prepare=prepare,
    runner=Runner(
        "java",
        "JUnit",
        ("mvn", "-B", "-ntp", "-f", FOLDER, "test"),
        r"^.*Tests run: \d+, Failures: \d+, Errors: \d+, Skipped: \d+$",
        f"{FOLDER}/src/test",
    ),
    checks=(
        Check(
            "google-java-format",
            f"{FOLDER}/src",
            ("mvn", "-version"),
            (*MAVEN, f"{FORMAT}:check"),
            (*MAVEN, f"{FORMAT}:format"),
        ),
    ),
    wheel=("target/polyhost-runtime.jar", "target/lib"),
    build=BUILD,
    extras=("java", "h2o"),
)
