"""What an image holds, as a CycloneDX bill of materials (SBOM): one file an image."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from containers.contexts import info_of, tag_of, version
from containers.images import find_engine
from containers.running import Wanted, containers

from shell import ROOT, StepFailed, say

FOLDER = ROOT / "build" / "sbom"
TAKES = 120.0


def write(names: list[str]) -> None:
    """Write the bills of these images, which have to be here, to build/sbom."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        file = FOLDER / f"{name}.cdx.json"
        file.write_text(bill(name, inventory(name)), encoding="utf-8")
        say(f"wrote {file}")


def inventory(name: str) -> list[dict[str, str]]:
    """What is installed in an image, as the image's own tools list it."""
    with tempfile.TemporaryDirectory(prefix="polyhost-") as folder:
        place = Path(folder, "tools")
        place.mkdir()
        source = Path(__file__).with_name("inventory.py")
        (place / source.name).write_bytes(source.read_bytes())
        wanted = Wanted(
            tag_of(name),
            (f"/tools/{source.name}",),
            mounts=((place, "/tools"),),
            entrypoint=("python3",),
            port=0,
        )
        with containers(find_engine(), Path(folder)).start(wanted) as running:
            if running.process.wait(TAKES):
                raise StepFailed(f"the contents of {tag_of(name)}:\n{running.printed}")
            found: list[dict[str, str]] = json.loads(running.printed.splitlines()[-1])
            return found


def bill(name: str, contents: list[dict[str, str]]) -> str:
    """The bill of an image with these contents: CycloneDX 1.5 in JSON."""
    made = Bom()
    made.metadata.component = Component(
        type=ComponentType.CONTAINER,
        name=str(info_of(name)["imageRepository"]),
        version=version(),
        bom_ref=tag_of(name),
    )
    for one in contents:
        made.components.add(_component(one))
    made.register_dependency(made.metadata.component, made.components)
    return make_outputter(made, OutputFormat.JSON, SchemaVersion.V1_5).output_as_string(indent=2)


def _component(one: Mapping[str, str]) -> Component:
    kind, name, number = one["kind"], one["name"], one["version"]
    qualifiers = {"arch": one["architecture"]} if kind == "deb" else None
    group = {"deb": "debian", "maven": one.get("group")}.get(kind)
    address = PackageURL(kind, group, name, number or None, qualifiers)
    terms, digest = one.get("license"), one.get("sha256")
    return Component(
        type=ComponentType.LIBRARY,
        group=group,
        name=name,
        version=number or None,
        purl=address,
        bom_ref=address.to_string(),
        licenses=[LicenseExpression(terms)] if terms else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
    )
