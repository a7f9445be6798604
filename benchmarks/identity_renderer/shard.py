"""Render identities, one after the other, in a process of their own.

An identity is first written beside the set and then moved into it as a whole, and its record comes last: an identity
with a record is complete.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from identity_renderer.colour_difference import changed_share
from identity_renderer.errors import ImpossibleChange, MeshError
from identity_renderer.mesh import Mesh, make_generator
from identity_renderer.photograph import Scene, Take, expose, set_up, take, visible, visible_share
from identity_renderer.plan import plan_identity
from identity_renderer.records import RECORDS, is_done, record_failure, write_json
from identity_renderer.shots import Distractor, Identity, Settings, Shot
from identity_renderer.stock import Stock
from identity_renderer.studio import Model, Studio

PARTIAL = ".partial"
"""Folder of the set in which identities are made."""

LEAST_CHANGE = {
    "sibling": 0.10,
    "proportions": 0.10,
    "part": 0.03,
    "recolour": 0.08,
    "retexture": 0.08,
    "flavour": 0.08,
}
"""By source, the least share of a thing's pixels that a distractor must change."""

_DRAWS = 4
_LEAST_PIXELS = 0.008
"""A view in which less of the frame shows the thing is dropped."""


@dataclass
class Record:
    """What was made of an identity: one row an image, and what was left out by reason."""

    rows: list[dict[str, object]] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)


def render_shard(identities: list[Identity], stock: Stock, settings: Settings, out: Path, current: Path) -> None:
    """Render identities; what cannot be rendered is recorded as failed.

    Args:
        identities: in this order; those done already are passed over.
        stock: holds their things.
        settings: of the set.
        out: folder of the set.
        current: file that names the identity being rendered, for whoever finds this process dead.
    """
    studio = _open_studio(settings)
    for identity in identities:
        if is_done(out, identity.name):
            continue
        current.write_text(identity.name)
        try:
            _render_identity(studio, identity, stock, settings, out)
        except (MeshError, ImpossibleChange, MemoryError) as error:
            record_failure(out, identity.name, f"{type(error).__name__}: {error}")
    current.unlink(missing_ok=True)


def _open_studio(settings: Settings) -> Studio:
    if settings.renderer == "osmesa":
        return Studio(settings.size)
    from identity_renderer.cycles_studio import CyclesStudio  # Blender is in an environment of its own

    return CyclesStudio(settings.size)


def _render_identity(studio: Studio, identity: Identity, stock: Stock, settings: Settings, out: Path) -> None:
    mesh = stock.mesh(identity.thing.name, identity.look)
    shots = plan_identity(
        identity,
        stock.company(identity),
        settings,
    )
    folder = out / PARTIAL / identity.name
    shutil.rmtree(folder, ignore_errors=True)
    session = _Session(studio, identity, stock, mesh, studio.upload(mesh), folder, Record())
    for shot in shots:
        session.photograph(shot)
    studio.release(session.model)
    if not session.record.rows:
        raise MeshError(f"{identity.name} is never seen: it is too thin or too small")
    final = out / identity.thing.split / identity.name
    shutil.rmtree(final, ignore_errors=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    folder.replace(final)
    write_json(
        out / RECORDS / f"{identity.name}.json", {"rows": session.record.rows, "drops": dict(session.record.drops)}
    )


@dataclass(frozen=True)
class _Session:
    """One identity before the camera."""

    studio: Studio
    identity: Identity
    stock: Stock
    mesh: Mesh
    model: Model
    folder: Path
    record: Record

    def photograph(self, shot: Shot) -> None:
        """Take one view with its mask and its distractors."""
        scene = self._set_up(shot)
        own = take(self.studio, scene, self.model, same_frame=True)
        seen = visible(scene, own)
        if seen.mean() < _LEAST_PIXELS:
            self.record.drops["view: hardly visible"] += 1
            return
        share = visible_share(scene, own)
        self._write(shot, "positive", "", expose(scene, own), visible_share=share)
        self._write(shot, "mask", "", _encode_mask(seen), visible_share=share)
        kept = 0
        for distractor in shot.distractors:
            if kept == shot.wanted:
                break
            kept += self._distract(scene, own, distractor)

    def _set_up(self, shot: Shot) -> Scene:
        props = []
        for prop in shot.props:
            model = self._upload(prop.name)
            if model is not None:
                props.append((prop, model))
        occluder = shot.occluder
        occluding = self._upload(occluder.name) if occluder is not None and occluder.name else None
        scene = set_up(self.studio, shot, self.model, props, occluding)
        for model in [model for _, model in props] + ([occluding] if occluding else []):
            self.studio.release(model)
        return scene

    def _upload(self, name: str) -> Model | None:
        """Return a bystander; None if its mesh is broken, which only leaves it out of the scene."""
        try:
            return self.studio.upload(self.stock.mesh(name))
        except MeshError:
            self.record.drops["bystander: broken mesh"] += 1
            return None

    def _distract(self, scene: Scene, own: Take, distractor: Distractor) -> bool:
        """Put a distractor into the scene, drawing again while the change cannot be seen; return whether it was."""
        reason = "nothing to change"
        for draw in range(_DRAWS):
            try:
                mesh = self._other(distractor, draw)
            except (ImpossibleChange, MeshError):
                if distractor.source != "sibling":
                    break
                continue
            model = self.studio.upload(mesh)
            same_frame = distractor.source not in ("sibling", "proportions")
            like = own if same_frame and np.array_equal(model.points, self.model.points) else None
            other = take(self.studio, scene, model, same_frame=same_frame, like=like)
            self.studio.release(model)
            changed = changed_share(own.layer, other.layer, scene.free)
            if changed >= LEAST_CHANGE[distractor.source]:
                facts: dict[str, object] = {"changed_share": changed, "other": mesh.name}
                if distractor.source == "part":
                    facts["oracle"] = 1 - changed_share(own.layer, other.layer, scene.free, above=1.0)
                self._write(scene.shot, "distractor", distractor.source, expose(scene, other), **facts)
                return True
            reason = "too little changed"
        self.record.drops[f"{distractor.source}: {reason}"] += 1
        return False

    def _other(self, distractor: Distractor, draw: int) -> Mesh:
        if distractor.source != "sibling":
            rng = make_generator(distractor.seed, draw)
            return self.stock.change(self.identity, self.mesh, distractor.source, rng)
        if draw >= len(distractor.siblings):
            raise ImpossibleChange(f"{self.identity.name} has no siblings")
        name, look = distractor.siblings[draw]
        if name == self.identity.thing.name:
            return self.stock.change(self.identity, self.mesh, "relabel", make_generator(distractor.seed, draw))
        return self.stock.mesh(name, look)

    def _write(self, shot: Shot, role: str, source: str, content: bytes, **facts: object) -> None:
        name = {"positive": "positive.jpg", "mask": "mask.png"}.get(role, f"distractor-{source}.jpg")
        path = self.folder / str(shot.view) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        thing = self.identity.thing
        self.record.rows.append(
            {
                "path": f"{thing.split}/{self.identity.name}/{shot.view}/{name}",
                "identity": self.identity.name,
                "view": str(shot.view),
                "role": role,
                "source": source,
                "split": thing.split,
                "category": thing.category,
                "collection": thing.collection,
                "mesh": self.mesh.name,
                "look": self.identity.look,
                "licence": self.mesh.licence,
                "creator": self.mesh.creator,
                "yaw": shot.yaw,
                "elevation": shot.elevation,
                "light": shot.lighting.azimuth,
                "fill": shot.fill,
                "background": f"{shot.backdrop.kind}/{shot.backdrop.photograph}",
                "occluded": shot.occluder is not None,
                "sha256": hashlib.sha256(content).hexdigest(),
                **facts,
            }
        )


def _encode_mask(seen: NDArray[np.bool_]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(seen).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
