"""The PDFs that the PDF benches read: manuals and papers from Debian's documentation packages, and some made here.

Packages are fetched with `apt-get download`, unpacked with `dpkg-deb -x` and kept outside the tree, in the folder that
FROSTBYTE_BENCH_CACHE names (default: `frostbyte-bench` in the user's cache folder). Where apt is missing, or gives
nothing, only the made ones are read, and the benches say so.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "4ti2-doc": ("4ti2_manual.pdf",),
    "asymptote-doc": ("CAD.pdf", "asy-latex.pdf", "asyRefCard.pdf"),
    "auto-multiple-choice-doc-pdf": ("auto-multiple-choice.en.pdf", "auto-multiple-choice.ja.pdf"),
    "dblatex-doc": ("manual.pdf", "release-notes.pdf"),
    "debian-faq": ("debian-faq.en.pdf",),
    "debian-faq-de": ("debian-faq.de.pdf",),
    "debian-history": (
        "project-history.en.pdf",
        "project-history.de.pdf",
        "project-history.ja.pdf",
        "project-history.ru.pdf",
    ),
    "debian-policy": ("policy.pdf", "fhs-3.0.pdf"),
    "debian-refcard": ("refcard-de-a4.pdf", "refcard-en-a4.pdf", "refcard-ja-a4.pdf", "refcard-zh_TW-a4.pdf"),
    "developers-reference": ("developers-reference.pdf",),
    "docbook-xsl-doc-pdf": ("reference.pdf",),
    "fasta3-doc": ("fasta_guide.pdf",),
    "freefem-doc": ("freefem.pdf",),
    "glpk-doc": ("gmpl.pdf", "graphs.pdf", "cnfsat.pdf"),
    "libcfitsio-doc": ("quick.pdf",),
    "netgen-doc": ("ng4.pdf",),
    "python-reportlab-doc": ("reportlab-userguide.pdf",),
    "r-cran-coin": ("Implementation.pdf", "LegoCondInf.pdf", "MAXtest.pdf"),
    "r-cran-lme4": ("Theory.pdf", "lmer.pdf", "PLSvGLS.pdf"),
    "r-cran-multcomp": ("generalsiminf.pdf", "chfls1.pdf"),
    "r-cran-mvtnorm": ("MVT_Rnews.pdf",),
    "r-cran-sandwich": ("sandwich-OOP.pdf", "sandwich-CL.pdf"),
    "r-cran-vcd": ("strucplot.pdf", "residual-shadings.pdf"),
    "r-cran-zoo": ("zoo.pdf", "zoo-faq.pdf", "zoo-design.pdf"),
    "why3-doc-pdf": ("manual.pdf",),
    "yorick-doc": ("yorick.pdf", "refs.pdf"),
}
"""Names of packages, and which of their PDFs (also as .pdf.gz) are read: TeX of several kinds, DocBook, groff,
ReportLab, Ghostscript's; one, two and three columns; English, German, Russian, Japanese and Chinese."""

_LONGEST: Final = 300.0


def cache_folder() -> Path:
    """Where fetched and made files are kept."""
    named = os.environ.get("FROSTBYTE_BENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "frostbyte-bench"


def documentation() -> tuple[list[Path], str]:
    """Debian's PDFs, unpacked, in a stable order; and a sentence on what is missing, or ''."""
    folder = cache_folder() / "debian"
    missing: list[str] = []
    found: list[Path] = []
    for package, names in PACKAGES.items():
        target = folder / package
        if not target.is_dir():
            _fetch(package, target)
        here = [target / name for name in names if (target / name).is_file()]
        if not here:
            missing.append(package)
        found.extend(here)
    if not found:
        return [], "apt gave no documentation packages: only made documents were read"
    return found, f"not to be had: {', '.join(missing)}" if missing else ""


def _fetch(package: str, target: Path) -> None:
    """Put the PDFs of a package into `target`; nothing where it cannot be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    work = target.with_name(target.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        subprocess.run(
            ["apt-get", "download", "-q", package], cwd=work, check=True, capture_output=True, timeout=_LONGEST
        )
        (archive,) = work.glob("*.deb")
        tree = work / "tree"
        subprocess.run(["dpkg-deb", "-x", archive, tree], check=True, capture_output=True, timeout=_LONGEST)
    except (subprocess.SubprocessError, ValueError):
        shutil.rmtree(work)
        return
    kept = work / "kept"
    kept.mkdir()
    for path in sorted(tree.rglob("*.pdf*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            name = path.name.removesuffix(".gz")
            if name in PACKAGES[package]:
                (kept / name).write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
    kept.rename(target)
    shutil.rmtree(work)
