"""Settings that are right each on its own, and cannot stand together."""

from __future__ import annotations

from polyhost.config import units
from polyhost.config.problems import Problems, nearest
from polyhost.config.reading import Document, Values
from polyhost.settings import Setting


def check_server(values: Values, problems: Problems) -> None:
    """The server's own settings against each other."""
    certificate, key = values["tls.certificate"], values["tls.key"]
    if bool(certificate.value) != bool(key.value):
        given, missing = (certificate, "tls.key") if certificate.value else (key, "tls.certificate")
        problems.add(_place(given), f"TLS needs both of its files: expected {missing}; found none.")
    if values["admin.roots"].value and not values["admin.enabled"].value:
        problems.add(
            _place(values["admin.roots"]),
            "admin.roots is given, and admin.enabled is false: expected true. "
            "Enable the admin API, or take the roots away.",
        )
    of_registry = [setting for name, setting in values.items() if name.startswith("registry.")]
    if values["registry.uri"].value is None and any(setting.given for setting in of_registry):
        problems.add(
            _place(*of_registry),
            "registry lacks uri: expected the address of an MLflow tracking server.",
        )


def check_keys(document: Document, server: Values, problems: Problems) -> None:
    """Each key has one secret and a name of its own, and opens models that are there, or may be:
    the admin API brings others."""
    known = list(document.models)
    names: dict[str, str] = {}
    for number, values in enumerate(document.keys, 1):
        where = document.places[f"keys.{number}"]
        mistaken = {f"keys.{number}.sha256", f"keys.{number}.variable"} & document.mistaken
        if ("sha256" in values) == ("variable" in values) and not mistaken:
            found = "both" if "sha256" in values else "neither"
            problems.add(
                where, f"keys.{number}: expected one of sha256 and variable; found {found}."
            )
        name = values["name"].value if "name" in values else None
        if name in names:
            problems.add(where, f"two keys are called {name!r}, the other at {names[name]}.")
        elif name is not None:
            names[name] = where
        opens = values["models"].value if "models" in values else ()
        for model in () if server["admin.enabled"].value else opens:
            if model not in known:
                problems.add(
                    _place(values["models"]),
                    f"keys.{number}.models: expected names of models; found {model!r}."
                    f"{nearest(model, known)}",
                )


def check_model(name: str, values: Values, server: Values, problems: Problems) -> None:
    """One model's settings against each other, and against the server's."""
    _check_labels(name, values, problems)
    _check_devices(name, values, problems)
    if values["swap"].value == "replace" and values["spares"].value:
        problems.add(
            _place(values["swap"], values["spares"]),
            f"models.{name}: swap is replace, for a model of which no second one fits; found "
            f"{values['spares'].value} spares. Set spares to 0, or swap to overlap.",
        )
    body, budget = values["limits.max_body"], server["limits.body_budget"]
    if body.value is not None and body.value > budget.value:
        problems.add(
            _place(body, budget),
            f"models.{name}: limits.max_body is {units.show_size(body.value)}, more than all "
            f"bodies in flight may be: expected at most {units.show_size(budget.value)} "
            "(limits.body_budget).",
        )
    _check_memory(name, values, server, problems)


def _check_labels(name: str, values: Values, problems: Problems) -> None:
    pair = [values["target.positive_class_label"], values["target.negative_class_label"]]
    given = [label for label in pair if label.value is not None]
    if len(given) == 1:
        problems.add(
            _place(given[0]),
            f"models.{name}: positive_class_label and negative_class_label need each other; "
            "found one.",
        )
    lists = [values["target.class_labels"], values["target.class_labels_file"]]
    if all(setting.value for setting in lists):
        problems.add(
            _place(*lists),
            f"models.{name}: expected one of class_labels and class_labels_file; found both.",
        )


def _check_devices(name: str, values: Values, problems: Problems) -> None:
    devices, replicas = values["devices"], values["replicas"]
    if len(devices.value) not in (0, 1, replicas.value):
        problems.add(
            _place(devices, replicas),
            f"models.{name}: expected devices for each of {replicas.value} replicas, or one for "
            f"all; found {len(devices.value)}.",
        )


def _check_memory(name: str, values: Values, server: Values, problems: Problems) -> None:
    memory, whole = values["limits.memory"], server["limits.memory"]
    if memory.value is None or whole.value is None:
        return
    workers = values["replicas"].value + values["spares"].value
    if memory.value * workers > whole.value:
        problems.add(
            _place(memory, whole),
            f"models.{name}: {workers} workers of {units.show_size(memory.value)} are more than "
            f"all may take: expected at most {units.show_size(whole.value)} (limits.memory).",
        )


def _place(*settings: Setting[object]) -> str:
    """Return the place of the first that was given."""
    return next((setting.spelling for setting in settings if setting.given), "")
