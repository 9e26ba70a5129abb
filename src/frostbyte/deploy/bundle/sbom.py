"""The bill of materials: what is in a bundle, as CycloneDX 1.6 (ECMA-424). Pure."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Any, Final
from urllib.parse import quote

from frostbyte.deploy.bundle.manifest import Image, Manifest

_SPACE: Final = uuid.UUID("6f1c2b1e-3a43-5c0e-9d3e-1f0c6a8f4b70")
"""Ours, for serial numbers: the same bundle has the same."""
_DEBIAN_LICENCE: Final = re.compile(r"^License: *(\S.*)$", re.MULTILINE)
_CLASSIFIER: Final = "License :: OSI Approved :: "
_NAMED: Final = 120
"""Letters of a licence's name; longer ones are whole texts."""


@dataclass(frozen=True, order=True, kw_only=True)
class Package:
    """A package in an image.

    Attributes:
        kind: `deb`, `apk` or `pypi`, as package URLs have it.
        licence: what it says of itself; '' if nothing.
    """

    kind: str
    name: str
    version: str
    licence: str = ""

    @property
    def url(self) -> str:
        """Its package URL (purl-spec)."""
        place = {"deb": "debian/", "apk": "alpine/", "pypi": ""}[self.kind]
        return f"pkg:{self.kind}/{place}{quote(self.name)}@{quote(self.version, safe='.-_~')}"


def packages(files: Mapping[str, bytes]) -> list[Package]:
    """The packages that an image's files tell of, sorted."""
    found: set[Package] = set()
    for path, data in files.items():
        said = data.decode("utf-8", "replace")
        if path.endswith("METADATA"):
            found |= set(_python(said))
        elif path.startswith("var/lib/dpkg/"):
            found |= set(_debian(said, files))
        elif path.endswith("apk/db/installed"):
            found |= set(_alpine(said))
    return sorted({package.url: package for package in sorted(found)}.values())


def _python(said: str) -> Iterator[Package]:
    headers = HeaderParser().parsestr(said.split("\n\n", 1)[0])
    name, version = str(headers.get("Name", "")), str(headers.get("Version", ""))
    licence = str(headers.get("License-Expression") or headers.get("License") or "").strip()
    if not licence or len(licence) > _NAMED or "\n" in licence:
        classes = [str(value) for value in headers.get_all("Classifier", [])]
        licence = " AND ".join(value.removeprefix(_CLASSIFIER) for value in classes if value.startswith(_CLASSIFIER))
    if name and version:
        # Names are equal that differ in case and in these signs alone (PEP 503).
        yield Package(kind="pypi", name=re.sub(r"[-_.]+", "-", name).lower(), version=version, licence=licence[:_NAMED])


def _debian(said: str, files: Mapping[str, bytes]) -> Iterator[Package]:
    for paragraph in said.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", paragraph, re.MULTILINE))
        name, version = fields.get("Package", ""), fields.get("Version", "")
        # A file in status.d (images without dpkg) has no status; a package that was removed has another one.
        if name and version and fields.get("Status", "install ok installed").endswith(" installed"):
            terms = files.get(f"usr/share/doc/{name}/copyright", b"").decode("utf-8", "replace")
            licences = sorted({term.strip() for term in _DEBIAN_LICENCE.findall(terms) if len(term) <= _NAMED})
            yield Package(kind="deb", name=name, version=version, licence=", ".join(licences)[: 4 * _NAMED])


def _alpine(said: str) -> Iterator[Package]:
    for paragraph in said.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z]):(.*)$", paragraph, re.MULTILINE))
        if fields.get("P") and fields.get("V"):
            yield Package(kind="apk", name=fields["P"], version=fields["V"], licence=fields.get("L", ""))


def bill(manifest: Manifest, inside: Mapping[str, Sequence[Package]]) -> bytes:
    """The document. Args: inside: packages by image key."""
    images = [_image(image) for image in manifest.images]
    used = {image.key: [_reference(image.key, package) for package in inside[image.key]] for image in manifest.images}
    root = f"bundle:{manifest.bundle_id}"
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, manifest.bundle_id)}",
        "version": 1,
        "metadata": {
            "timestamp": manifest.created_at,
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "frostbyte-offline-bundle",
                "version": manifest.version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [
            *images,
            *(_model(model.path, model.name, model.sha256, model.licence, model.date) for model in manifest.models),
            *(
                _package(_reference(image.key, package), package)
                for image in manifest.images
                for package in inside[image.key]
            ),
        ],
        "dependencies": [
            {
                "ref": root,
                "dependsOn": [f"image:{image.key}" for image in manifest.images]
                + [f"file:{model.path}" for model in manifest.models],
            },
            *({"ref": f"image:{key}", "dependsOn": references} for key, references in sorted(used.items())),
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def table(manifest: Manifest, inside: Mapping[str, Sequence[Package]]) -> bytes:
    """The packages with their licences as lines for people: image, kind, package, version, licence."""
    lines: Iterable[str] = (
        "\t".join((image.key, package.kind, package.name, package.version, package.licence or "-"))
        for image in manifest.images
        for package in inside[image.key]
    )
    return ("image\tkind\tpackage\tversion\tlicence\n" + "".join(f"{line}\n" for line in lines)).encode()


def _reference(key: str, package: Package) -> str:
    return f"{key}:{package.url}"


def _image(image: Image) -> dict[str, Any]:
    return {
        "type": "container",
        "bom-ref": f"image:{image.key}",
        "name": image.name,
        "version": image.digest or image.image_id,
        "hashes": [{"alg": "SHA-256", "content": image.sha256}],
        "properties": [
            {"name": "frostbyte:file", "value": image.file},
            {"name": "frostbyte:image_id", "value": image.image_id},
            {"name": "frostbyte:architecture", "value": image.architecture},
        ],
    }


def _model(path: str, name: str, sha256: str, licence: str, date: str) -> dict[str, Any]:
    return {
        "type": "machine-learning-model" if path.endswith(".gguf") else "data",
        "bom-ref": f"file:{path}",
        "name": f"{name}/{path.rpartition('/')[2]}",
        "version": date or sha256[:12],
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        **({"licenses": [{"license": {"name": licence}}]} if licence else {}),
    }


def _package(reference: str, package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": package.url,
        **({"licenses": [{"license": {"name": package.licence}}]} if package.licence else {}),
    }
