"""Modules written in torch: they import it when they are loaded, so others import them inside functions only."""

TORCH_MODULES = {
    "gpu_encoding",
    "head",
    "trainer.checkpoint",
    "trainer.embed_rows",
    "trainer.fit",
    "trainer.losses",
    "trainer.new_head",
}
