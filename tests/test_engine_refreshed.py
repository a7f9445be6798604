"""An engine that is asked for long follows what others write."""

from catalogues import MakeCatalogue

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery


def test_it_stays_until_somebody_has_written(catalogue: MakeCatalogue, encoder: IdentityEncoder) -> None:
    folder = catalogue({"cup/1.png": 1, "jug/1.png": 2})
    gallery = folder.parent / "gallery"
    index_catalogue(folder, gallery=gallery, encoder=encoder)
    engine = SearchEngine(Gallery.open(gallery), encoder, backend="exact", rerank="siblings")
    past = SearchEngine(Gallery.open(gallery).as_of(str(Gallery.open(gallery).store.version)), encoder)
    assert engine.refreshed() is engine
    Gallery.open(gallery).corrections.rename("cup", "mug", by="Ada")
    later = engine.refreshed()
    assert later is not engine
    assert later.held_encoder is encoder
    answer = later.query(folder / "cup/1.png")
    assert answer.matches[0].identity == "mug"
    assert answer.rerank is not None
    assert answer.rerank.name == "siblings"
    assert later.refreshed() is later
    assert engine.query(folder / "cup/1.png").matches[0].identity == "cup"
    assert past.refreshed() is past
