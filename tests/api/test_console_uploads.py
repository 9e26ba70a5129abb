"""Pages of uploads and documents: what each role sees, forms without a script, hostile names, and what leads where."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from frostbyte.api.data.console import batches, documents
from frostbyte.data_plane.noted import meaning_of
from frostbyte.kernel.ids import new_id

FILES = ("documents", "rejected", "problems")
HERE = {"sec-fetch-site": "same-origin"}
HOSTILE = '"><img src=x onerror=alert(1)>{{ 7*7 }}&amp;.txt'


class Visitor:
    """Somebody's browser, without scripts."""

    def __init__(self, api: Any, role: str, subject: str) -> None:
        self.api, self.subject = api, subject
        self.cookie = api.plane.sessions.begin(subject, role)
        self.csrf = api.plane.sessions.visit(self.cookie).csrf

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"cookie": f"frostbyte-{self.api.plane.settings.tenant_id}={self.cookie}"} | HERE
        return self.api.client.request(
            method, path, headers=headers | more.pop("headers", {}), follow_redirects=False, **more
        )

    def page(self, path: str) -> str:
        """A page that is there."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        text: str = answer.text
        assert "<img src=x" not in text
        return text

    def upload(self, *files: tuple[str, bytes]) -> str:
        """Send the form as a browser without scripts does; the path that it leads to."""
        answer = self.call(
            "POST", "/console/upload", data={"csrf": self.csrf}, files=[("files", file) for file in files]
        )
        assert answer.status_code == 303, answer.text
        path: str = answer.headers["location"].partition("?")[0]
        return path


@pytest.fixture
def visitor(api: Any) -> Any:
    return lambda role, subject="": Visitor(api, role, subject or role)


@pytest.fixture(scope="module")
def sent(api: Any) -> str:
    """The path of an upload of a vendor's: a hostile name, a duplicate and a file that is not taken."""
    vendor = Visitor(api, "vendor", "sender")
    text = f"Letter of {new_id()}. Write to jane.doe@example.com about the freezer in hall four.".encode()
    path = vendor.upload((HOSTILE, text), ("again.txt", text), ("tool.bin", b"\x7fELF" + bytes(range(256))))
    api.ended(path.rpartition("/")[2])
    return path


def test_a_form_without_a_script_brings_files_and_leads_to_them(sent: str, visitor: Any) -> None:
    page = visitor("vendor", "sender").page(f"{sent}?said=received")
    assert "Your files arrived" in page
    assert page.count("<tr id=") == 3
    assert "Done, with problems" in page
    assert "Here already" in page
    assert "&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}&amp;amp;" in page
    assert "/console/documents/" not in page  # a vendor may not look into documents, not even their own


def test_a_form_that_was_forged_brings_nothing(visitor: Any) -> None:
    stranger = visitor("vendor", "forged")
    files = [("files", ("a.txt", b"text"))]
    for data in ({}, {"csrf": "guessed"}):
        answer = stranger.call("POST", "/console/upload", data=data, files=files)
        assert (answer.status_code, "request_forged" in answer.text) == (403, True)
    late = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\ntext\r\n' + (
        f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{stranger.csrf}\r\n--x--\r\n'.encode()
    )
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert stranger.call("POST", "/console/upload", content=late, headers=kind).status_code == 403
    elsewhere = stranger.call(
        "POST", "/console/upload", data={"csrf": stranger.csrf}, files=files, headers={"sec-fetch-site": "cross-site"}
    )
    assert elsewhere.status_code == 403
    assert "No uploads yet" in stranger.page("/console/batches")


def test_a_sender_sees_their_own_uploads_and_nobody_else_s(sent: str, visitor: Any) -> None:
    assert sent in visitor("vendor", "sender").page("/console/batches")
    assert sent in visitor("auditor").page("/console/batches")
    other = visitor("vendor", "other")
    assert sent not in other.page("/console/batches")
    assert sent not in other.page("/console/")
    for path in (sent, f"{sent}/report"):
        assert other.call("GET", path).status_code == 404
    closed = other.call("POST", f"{sent}/close", data={"csrf": other.csrf})
    assert (closed.status_code, "batch_not_found" in closed.text) == (404, True)
    assert other.call("GET", "/console/documents").status_code == 403


def test_the_overview_tells_a_vendor_nothing_of_the_whole(sent: str, visitor: Any) -> None:
    assert "Storage" not in visitor("vendor", "sender").page("/console/")
    assert "There is room" not in visitor("vendor", "sender").page("/console/upload")
    page = visitor("user").page("/console/")
    for word in ("Storage", "quota of 100 GiB", "searchable", "Newest checkpoint", "not scanned"):
        assert word in page, word
    assert 'href="/console/review"' not in page
    assert "There is room for" in visitor("user").page("/console/upload")
    assert visitor("auditor").call("GET", "/console/upload").status_code == 403


def test_limits_are_said_before_anything_is_sent(visitor: Any) -> None:
    page = visitor("vendor").page("/console/upload")
    for word in ("PDF", "XLSX", "500 MiB", "1,000 files"):
        assert word in page


def test_files_are_shown_as_they_stand_and_by_the_page(sent: str, visitor: Any) -> None:
    admin = visitor("admin")
    shown = {"all": 3, "indexed": 2, "rejected": 1, "failed": 0, "under_way": 0}
    for name, number in shown.items():
        assert admin.page(f"{sent}?show={name}").count("<tr id=") == number, name
    assert admin.page(f"{sent}?after=1").count("<tr id=") == 1
    assert admin.call("GET", f"{sent}?show=everything").status_code == 422
    assert "To the first page" in admin.page(f"{sent}?after=1")


def test_the_report_says_everything_and_prints(sent: str, visitor: Any) -> None:
    page = visitor("vendor", "sender").page(f"{sent}/report")
    for word in (
        "files received",
        "not taken",
        "Problems and what to do",
        "The account",
        "unsupported_type",
        "Redacted",
    ):
        assert word in page, word
    assert visitor("admin").page(f"{sent}/report?whole=true").count("tool.bin") == 2  # among problems and among files
    assert "tool.bin" in visitor("admin").page(f"{sent}/report?after=1")


def test_an_upload_that_broke_off_is_closed_by_its_sender(api: Any, visitor: Any) -> None:
    sender = visitor("vendor", "broken")
    key = {"Idempotency-Key": str(new_id()), "x-frostbyte-csrf": sender.csrf}
    file = ("a.txt", f"Half of {new_id()}".encode())
    batch = sender.call("POST", "/api/v1/ingest?more=true", files=[("files", file)], headers=key).json()["batch_id"]
    page = sender.page(f"/console/batches/{batch}")
    assert "Nothing more comes" in page
    assert "Still open" in page
    assert "Nothing more comes" not in visitor("auditor").page(f"/console/batches/{batch}")
    closed = sender.call("POST", f"/console/batches/{batch}/close", data={"csrf": sender.csrf})
    assert closed.headers["location"] == f"/console/batches/{batch}?said=closed"
    assert api.ended(batch)["counts"] == {"indexed": 1}
    assert "Nothing more comes" not in sender.page(f"/console/batches/{batch}")


def test_documents_are_listed_and_shown(sent: str, api: Any, visitor: Any) -> None:
    user = visitor("user")
    listed = user.page("/console/documents?show=indexed")
    assert "&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}&amp;amp;" in listed
    [doc] = {
        re.search(r"/console/documents/([0-9a-f-]{36})", row).group(1)
        for row in listed.split("<tr>")
        if "{{ 7*7 }}" in row
    }  # type: ignore[union-attr]
    page = user.page(f"/console/documents/{doc}")
    assert "the freezer in hall four" in page
    assert "[EMAIL]" in page
    assert "jane.doe" not in page
    assert "Erase …" not in page
    assert "/source" not in page
    assert "Erase …" in visitor("admin").page(f"/console/documents/{doc}")
    assert user.call("GET", f"/console/documents/{doc}?page=2").status_code == 404
    assert user.call("GET", f"/console/documents/{new_id()}").status_code == 404
    assert user.call("GET", f"/console/documents/{doc}/erase").status_code == 403


def test_what_was_noted_of_a_document_is_said_in_sentences(api: Any, visitor: Any) -> None:
    rows = f"dish,{new_id()},price\nCr\xeape,sucr\xe9e,4\nCaf\xe9,noir\nTh\xe9,vert,3\nPain,sec,2\n".encode("cp1252")
    batch = visitor("vendor").upload(("carte.csv", rows)).rpartition("/")[2]
    (doc,) = [item["doc_id"] for item in api.ended(batch)["documents"]]
    page = visitor("user").page(f"/console/documents/{doc}")
    report = api.call("GET", f"/ingest/{batch}/report?format=html").text
    for name in ("encoding_guessed_cp1252", "ragged_rows"):
        assert name in api.call("GET", f"/documents/{doc}").json()["notes"]
        said = meaning_of(name)
        for shown in (page, report):
            assert name in shown
            assert said.meaning in shown
            assert said.remedy in shown
    assert "it was read as cp1252." in page


def test_pages_of_documents_and_of_uploads_lead_on(
    sent: str, api: Any, visitor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_PAGE", 2)
    monkeypatch.setattr(batches, "_PAGE", 2)
    user = visitor("user")
    api.send(*((f"{n}.txt", f"Number {n} of {new_id()}".encode()) for n in range(3)))
    for begin, row in (("/console/documents", r'documents/([0-9a-f-]{36})" title'), (sent, r"id=\"file-(\d+)")):
        first = user.page(begin)
        following = re.search(r'rel="next" href="([^"]+)"', first)
        assert following is not None
        second = user.page(following[1].replace("&amp;", "&"))
        shown = [re.findall(row, page) for page in (first, second)]
        assert len(shown[0]) == 2
        assert shown[1]
        assert set(shown[0]).isdisjoint(shown[1])
        assert "To the first page" in second


def test_a_document_is_erased_for_sure_and_its_receipt_stays(api: Any, visitor: Any) -> None:
    doc = api.indexed("secret-plan.txt", f"Secret plan {new_id()}".encode())["doc_id"]
    admin, path = visitor("admin"), f"/console/documents/{doc}"
    assert "It cannot be undone" in admin.page(f"{path}/erase")
    for data in ({"reason": "data_subject"}, {"sure": "yes"}, {"sure": "yes", "reason": "he <said> so"}):
        answer = admin.call("POST", f"{path}/erase", data={"csrf": admin.csrf} | data)
        assert answer.status_code == 422, data
    assert "Secret plan" in admin.page(path)
    done = admin.call("POST", f"{path}/erase", data={"csrf": admin.csrf, "reason": "data_subject", "sure": "yes"})
    receipt = done.headers["location"].partition("?")[0]
    page = admin.page(done.headers["location"])
    for word in ("Destruction receipt", doc, "data subject", "Key destroyed", "Keep this receipt"):
        assert word in page, word
    assert "secret-plan" not in page
    kept = admin.call("GET", f"{receipt}/receipt.json")
    assert kept.json()["doc_id"] == doc
    assert kept.json()["reason"] == "data_subject"
    assert kept.headers["content-disposition"].startswith("attachment; filename=")
    after = admin.page(path)
    assert receipt in after
    assert "Its content is gone" in after
    assert "Secret plan" not in after
    assert receipt in visitor("auditor").page(path)
    assert visitor("auditor").call("GET", receipt).status_code == 200
    assert visitor("user").call("GET", receipt).status_code == 403


def test_the_report_s_sums_are_those_of_the_whole_report(sent: str, api: Any) -> None:
    batch = UUID(sent.rpartition("/")[2])
    whole = api.plane.batches.report(batch, None)
    sums = {name: whole[name] for name in whole if name not in FILES} | {"sender": "sender"}
    assert api.plane.batches.sums(batch, None) == sums
