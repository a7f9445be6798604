"""The description of a backbone that does not exist, for tests of what only needs shapes."""

from nearid_search.backbones.base import BackboneSpec, TokenScale
from nearid_search.backbones.preprocessing import Preprocessing

TOY_SPEC = BackboneSpec(
    name="toy",
    weights_sha256="0" * 64,
    preprocessing=Preprocessing(size=8, filter="bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    token_scales=(TokenScale(num_tokens=4, dim=3), TokenScale(num_tokens=2, dim=5)),
    pooled_dim=3,
    readout="none",
)
