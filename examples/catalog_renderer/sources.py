"""Where the material comes from: models from `.sh3f` archives, photographs and textures from packages."""

import importlib.metadata
import re
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from catalog_renderer.objects import CatalogObject
from catalog_renderer.scenes import Scene, Surface

PACKAGES = ("bpy", "mvtb-data", "numpy", "pillow", "scikit-image")
PHOTO_LICENCE = "MIT"
# The packages' licence files say so; an archive that is not named here is not used.
LICENCES = {"BlendSwap-CC-0": "CC0-1.0", "BlendSwap-CC-BY": "CC-BY-3.0", "Scopia": "CC-BY-3.0"}


@dataclass(frozen=True)
class Model:
    """A model as its archive's catalogue describes it.

    Attributes:
        name: Name given by the archive.
        creator: Its author.
        licence: SPDX identifier.
        obj: Path of the OBJ file inside the archive.
        size_m: Width, depth and height in metres.
        rotation: 3x3 rotation, row by row, to apply before the size; y is up.
    """

    name: str
    creator: str
    licence: str
    obj: str
    size_m: tuple[float, float, float]
    rotation: tuple[float, ...]


@dataclass(frozen=True)
class Sources:
    """Folders of the installed packages.

    Attributes:
        furniture: Folder of the `.sh3f` archives.
    """

    furniture: Path

    def archive(self, stem: str) -> Path:
        """Return the path of an archive; raises FileNotFoundError naming the package to install."""
        path = self.furniture / f"{stem}.sh3f"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: install Debian's sweethome3d-furniture or pass --furniture")
        return path

    def model(self, thing: CatalogObject) -> Model:
        """Read a model's entry from its archive's catalogue."""
        with zipfile.ZipFile(self.archive(thing.archive)) as archive:
            text = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
        entry = dict(re.findall(rf"^(\w+)#{thing.model}=(.*?)\s*$", text, re.MULTILINE))
        width, depth, height = (float(entry[key]) / 100 for key in ("width", "depth", "height"))
        rotation = entry.get("modelRotation", "1 0 0 0 1 0 0 0 1")
        return Model(
            name=entry["name"],
            creator=entry["creator"],
            licence=LICENCES[thing.archive],
            obj=entry["model"].lstrip("/"),
            size_m=(width, depth, height),
            rotation=tuple(float(number) for number in rotation.split()),
        )

    def unpack_model(self, thing: CatalogObject, folder: Path) -> Path:
        """Unpack a model with its materials and textures; return the OBJ's path."""
        obj = self.model(thing).obj
        with zipfile.ZipFile(self.archive(thing.archive)) as archive:
            inside = f"{Path(obj).parent}/"
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith(inside)])
        return folder / obj

    def texture(self, surface: Surface, folder: Path) -> Path:
        """Return the path of a surface's texture, unpacking it below `folder` if an archive holds it."""
        archive, _, member = surface.source.rpartition("!")
        if not archive:
            return package_folder("skimage") / "data" / member
        with zipfile.ZipFile(self.archive(archive.removesuffix(".sh3f"))) as opened:
            return Path(opened.extract(member, folder))

    def photo(self, scene: Scene) -> Path:
        """Return the path of a scene's photograph."""
        return package_folder("mvtbdata") / "images" / scene.photo


def package_folder(module: str) -> Path:
    """Return the folder of an installed package without importing it.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed: see the environment in render_catalog.py --help")
    return Path(spec.origin).parent


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide how the pictures look."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}
