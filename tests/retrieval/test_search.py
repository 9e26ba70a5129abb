"""An answer holds what may be seen, of the documents that were asked for, and is full whenever it can be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec.structs import replace

from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.memory.vectors import MemoryVectors
from frostbyte.data_plane.artefacts import CHUNKS, Artefacts, lay_out
from frostbyte.data_plane.serve.search import Filters, Found, Mode, Search
from frostbyte.data_plane.terms import TermHasher, passage
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, Scope
from frostbyte.kernel.records import DocumentRow, State
from frostbyte.kernel.sealing import SealBroken
from frostbyte.kernel.vault import TenantKeys, Vault

THEMES = ("payment", "animal", "weather", "law")
MORNING = datetime(2026, 5, 1, 8, tzinfo=UTC)


class Themes:
    """An embedder that sees which of four themes a text names."""

    remote = False
    label = "themes"

    def __init__(self, model: str = "themes") -> None:
        self.spec = CollectionSpec(model=model, version="1", dimensions=len(THEMES))
        self.asked = 0

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [[0.01 + text.lower().count(theme) for theme in THEMES] for text in texts]

    def query(self, text: str) -> list[float]:
        self.asked += 1
        return self.documents([text])[0]


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk as the policy gate leaves it."""

    chunk_id: UUID
    doc_id: UUID
    generation: str
    start: int
    end: int
    text: str
    page: int = 1
    headings: tuple[str, ...] = ()
    injection_score: float = 0.0
    pii: tuple[str, ...] = ()
    config_version: int = 1


class Shelf:
    """A tenant's documents in memory, and a search over them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.vault = Vault(MemoryBlobs(), TenantKeys(b"i" * 32, b"t" * 32, {1: b"w" * 32}))
        self.artefacts = Artefacts(self.vault)
        self.vectors = MemoryVectors()
        self.embedder = Themes()
        self.terms = TermHasher(b"t" * 32)
        self.vectors.ensure(self.embedder.spec)

    def search(self, embedder: Themes | None = None) -> Search:
        return Search(
            unit_of_work=self.store.unit_of_work,
            vectors=TwoCollections(lambda _: self.vectors, lambda _: None),
            embedder=embedder or self.embedder,
            terms=self.terms,
            load=self.artefacts.chunk,
        )

    def ask(
        self, query: str, *, top_k: int = 10, mode: Mode = Mode.HYBRID, filters: Filters | None = None
    ) -> list[Found]:
        return self.search().find(query, top_k=top_k, filters=filters or Filters(), mode=mode)

    def texts(self, query: str, *, top_k: int = 10, mode: Mode = Mode.HYBRID) -> list[str]:
        return [found.shown.text for found in self.ask(query, top_k=top_k, mode=mode)]

    def add(
        self,
        *texts: str,
        withheld: Sequence[str] = (),
        generation: str = "g1",
        active: bool = True,
        classification: str = "contract",
        received_at: datetime = MORNING,
        row: DocumentRow | None = None,
    ) -> DocumentRow:
        """A document, or another generation of `row`, with one chunk a text; withheld ones have vectors too."""
        doc_id = row.doc_id if row else uuid4()
        held = [chunk(doc_id, generation, 1000 + at, text) for at, text in enumerate(withheld)]
        shown = [chunk(doc_id, generation, at, text) for at, text in enumerate(texts)]
        rows, data = lay_out(shown, held)
        if row is None:
            row = DocumentRow(
                doc_id=doc_id,
                incarnation=1,
                state=State.INDEXED,
                mime="text/plain",
                size=len(data),
                received_at=received_at,
                raw_object=f"raw/{doc_id}.1",
                key_object=f"keys/{doc_id}.1",
                sealed_name=b"",
                config_version=1,
                classification=classification,
            )
            self.vault.store_key(row.key_object, self.vault.new_key())
        if active:
            row = replace(row, active_generation=generation)
        self.artefacts.put(row, generation, CHUNKS, self.vault.load_key(row.key_object), data)
        with self.store.unit_of_work() as uow:
            uow.documents.put(row)
            uow.chunks.put_generation(doc_id, generation, rows)
            uow.commit()
        both = [*shown, *held]
        dense = self.embedder.documents([passage(item) for item in both])
        self.vectors.upsert(
            [
                Point(
                    chunk_id=item.chunk_id,
                    doc_id=doc_id,
                    generation=generation,
                    dense=vector,
                    sparse=self.terms.document(passage(item)),
                    labels=(row.classification,),
                    received=row.received_at.timestamp(),
                )
                for item, vector in zip(both, dense, strict=True)
            ]
        )
        return row


def chunk(doc_id: UUID, generation: str, at: int, text: str) -> Chunk:
    return Chunk(chunk_id=uuid4(), doc_id=doc_id, generation=generation, start=at, end=at + 1, text=text)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.mark.parametrize("mode", Mode)
def test_the_passage_that_fits_comes_first_with_its_text_and_place(shelf: Shelf, mode: Mode) -> None:
    shelf.add("The weather is fine", "An animal sleeps")
    row = shelf.add("The payment is due in May", "A law was passed")
    [first, *_] = shelf.ask("payment", mode=mode)
    assert first.rank == 1
    assert first.shown.text == "The payment is due in May"
    assert (first.document.doc_id, first.chunk.start, first.chunk.ordinal) == (row.doc_id, 0, 0)
    assert first.chunk.chunk_id == first.shown.chunk_id


def test_ranks_count_up_and_scores_fall(shelf: Shelf) -> None:
    shelf.add(*(f"payment {'payment ' * number}{number} animal {number * 7}" for number in range(8)))
    found = shelf.ask("payment animal", top_k=5)
    assert [item.rank for item in found] == [1, 2, 3, 4, 5]
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True)


def test_words_alone_do_not_ask_the_embedder(shelf: Shelf) -> None:
    shelf.add("payment by invoice 4711", "payment by card")
    assert shelf.texts("4711", mode=Mode.LEXICAL) == ["payment by invoice 4711"]
    assert shelf.embedder.asked == 0


def test_meaning_alone_finds_what_shares_no_word(shelf: Shelf) -> None:
    shelf.add("animals", "weather")
    assert shelf.texts("an animal-like thing", mode=Mode.DENSE, top_k=1) == ["animals"]
    assert shelf.texts("zebra", mode=Mode.LEXICAL) == []


def test_similarity_is_a_cosine_and_is_there_only_where_meaning_was_asked(shelf: Shelf) -> None:
    shelf.add("payment")
    [found] = shelf.ask("payment", mode=Mode.HYBRID)
    assert found.similarity == pytest.approx(1.0, abs=1e-3)
    [found] = shelf.ask("payment", mode=Mode.LEXICAL)
    assert found.similarity is None


def test_an_empty_index_answers_nothing(shelf: Shelf) -> None:
    assert shelf.ask("payment") == []


# -- visibility ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
def test_a_withheld_passage_is_never_shown(shelf: Shelf, mode: Mode) -> None:
    shelf.add("payment in May", withheld=["payment payment payment secret"])
    assert shelf.texts("payment secret", mode=mode) == ["payment in May"]


@pytest.mark.parametrize("mode", Mode)
def test_only_the_active_generation_is_seen(shelf: Shelf, mode: Mode) -> None:
    row = shelf.add("payment old", generation="g1")
    row = shelf.add("payment next", generation="g2", active=False, row=row)
    assert shelf.texts("payment", mode=mode) == ["payment old"]
    with shelf.store.unit_of_work() as uow:
        uow.documents.put(replace(row, active_generation="g2"))
        uow.commit()
    assert shelf.texts("payment", mode=mode) == ["payment next"]


def test_a_document_without_an_active_generation_is_not_there(shelf: Shelf) -> None:
    shelf.add("payment", active=False)
    assert shelf.ask("payment") == []


def test_a_point_without_a_row_is_not_shown(shelf: Shelf) -> None:
    row = shelf.add("payment gone")
    shelf.add("payment here")
    with shelf.store.unit_of_work() as uow:
        uow.chunks.delete_document(row.doc_id)
        uow.commit()
    assert shelf.texts("payment") == ["payment here"]


@pytest.mark.slow
def test_an_answer_is_full_although_hundreds_of_better_candidates_are_hidden(shelf: Shelf) -> None:
    shelf.add(*(f"payment animal {number}" for number in range(5)), withheld=[f"payment {n}" for n in range(400)])
    for mode in Mode:
        found = shelf.texts("payment", top_k=5, mode=mode)
        assert sorted(found) == [f"payment animal {number}" for number in range(5)], mode


def test_a_document_that_was_erased_meanwhile_leaves_room_for_the_next(shelf: Shelf) -> None:
    row = shelf.add("payment payment")
    shelf.add("payment animal")
    shelf.vault.destroy_key(row.key_object)
    assert shelf.texts("payment", top_k=1) == ["payment animal"]


def test_damage_is_told_and_not_skipped(shelf: Shelf) -> None:
    row = shelf.add("payment payment")
    name = Artefacts.name(row.doc_id, "g1", CHUNKS)
    sealed = bytearray(shelf.vault.blobs.get(name))
    sealed[-1] ^= 1
    shelf.vault.blobs.put(name, bytes(sealed))
    with pytest.raises(SealBroken) as damaged:
        shelf.ask("payment")
    assert "payment" not in str(damaged.value)


# -- filters ---------------------------------------------------------------------------------------------------------


def test_filters_bound_what_answers(shelf: Shelf) -> None:
    contract = shelf.add("payment contract", classification="contract", received_at=MORNING)
    invoice = shelf.add("payment invoice", classification="invoice", received_at=MORNING + timedelta(days=1))
    letter = shelf.add("payment letter", classification="letter", received_at=MORNING + timedelta(days=2))
    day = timedelta(days=1)
    cases = {
        Filters(doc_ids=(invoice.doc_id,)): {invoice},
        Filters(doc_ids=(invoice.doc_id, letter.doc_id)): {invoice, letter},
        Filters(doc_ids=()): set(),
        Filters(doc_ids=(uuid4(),)): set(),
        Filters(classifications=("contract", "letter")): {contract, letter},
        Filters(classifications=("memo",)): set(),
        Filters(received_from=MORNING + day): {invoice, letter},
        Filters(received_to=MORNING + day): {contract, invoice},
        Filters(received_from=MORNING + day, received_to=MORNING + day): {invoice},
        Filters(classifications=("invoice",), doc_ids=(contract.doc_id,)): set(),
        Filters(): {contract, invoice, letter},
    }
    for filters, expected in cases.items():
        found = {item.document.doc_id for item in shelf.ask("payment", filters=filters)}
        assert found == {row.doc_id for row in expected}, filters


def test_only_the_filter_without_bounds_is_empty() -> None:
    assert Filters().scope == Scope()
    assert Filters(doc_ids=()).scope != Scope()
    assert Filters(received_to=MORNING).scope != Scope()


def test_what_the_index_knows_late_does_not_answer(shelf: Shelf) -> None:
    """The class changed in the rows, the points still carry both: the rows decide."""
    row = shelf.add("payment one", classification="invoice")
    shelf.add("payment two", classification="contract")
    shelf.vectors.label(row.doc_id, ["invoice", "contract"])
    with shelf.store.unit_of_work() as uow:
        uow.documents.put(replace(row, classification="contract"))
        uow.commit()
    in_class = {
        name: shelf.ask("payment", filters=Filters(classifications=(name,))) for name in ("invoice", "contract")
    }
    assert {name: len(found) for name, found in in_class.items()} == {"invoice": 0, "contract": 2}


# -- repetitions -----------------------------------------------------------------------------------------------------

LETTER = (
    "Dear {name}, from the first of July the payment for keeping your boat in our harbour rises to 48 euros a month. "
    "The reasons are the new jetty and the price of electricity. You may end the contract until the end of May."
)


def test_the_same_letter_to_many_fills_one_place_and_names_the_others(shelf: Shelf) -> None:
    for name in ("Ada", "Bert", "Cleo", "Dora", "Emil", "Fritz"):
        shelf.add(LETTER.format(name=name))
    shelf.add("The law on harbours says nothing about payment")
    shelf.add("An animal got its payment")
    for mode in (Mode.HYBRID, Mode.LEXICAL):
        found = shelf.ask("payment for the boat in the harbour", top_k=3, mode=mode)
        assert len(found) == 3, mode
        assert sorted(len(item.also) for item in found) == [0, 0, 5]
        assert not any(also.identical for item in found for also in item.also)


def test_the_letter_that_is_asked_for_is_not_hidden(shelf: Shelf) -> None:
    rows = [shelf.add(LETTER.format(name=name)) for name in ("Ada", "Bert", "Cleo")]
    found = shelf.ask("payment letter to Bert or Cleo", top_k=3)
    assert {item.document.doc_id for item in found} >= {rows[1].doc_id, rows[2].doc_id}


def test_copies_are_identical_and_listed_once_each(shelf: Shelf) -> None:
    shelf.add(LETTER.format(name="Ada"))
    shelf.add(LETTER.format(name="Ada"))
    [found] = shelf.ask("payment")
    [also] = found.also
    assert also.identical
    assert also.document.doc_id != found.document.doc_id


def test_a_page_is_full_although_hundreds_say_the_same(shelf: Shelf) -> None:
    shelf.add(*(LETTER.format(name=f"Member{number}") for number in range(150)))
    shelf.add(*(f"payment {number} of animal {number + 1} by law {number + 2}" for number in range(0, 30, 7)))
    found = shelf.ask("payment for a boat in the harbour", top_k=5)
    assert len(found) == 5
    assert sum(len(item.also) > 0 for item in found) == 1


# -- trouble ---------------------------------------------------------------------------------------------------------


def test_another_models_index_is_refused_before_the_question_is_embedded(shelf: Shelf) -> None:
    shelf.add("payment")
    other = Themes("another")
    with pytest.raises(Conflict) as refused:
        shelf.search(other).find("payment", top_k=1, filters=Filters(), mode=Mode.DENSE)
    assert refused.value.code == "embedding_mismatch"
    [found] = shelf.search(other).find("payment", top_k=1, filters=Filters())  # by words alone
    assert found.similarity is None
    assert other.asked == 0


def test_an_embedder_that_is_down_is_told(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("payment")

    def down(text: str) -> list[float]:
        raise Unavailable("embedder_unavailable", "It is down.", "Wait.")

    monkeypatch.setattr(shelf.embedder, "query", down)
    with pytest.raises(Unavailable):
        shelf.ask("payment")
    assert shelf.texts("payment", mode=Mode.LEXICAL) == ["payment"]
