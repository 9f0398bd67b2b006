"""config.json of a network, in timm's Hub format with our part beside it."""

from __future__ import annotations

from hub_model.contract import FORMAT_VERSION, GuardedConfig, MaskSpec, ModelCardFacts, ModelConfig
from training.recipe import Recipe


def model_config(recipe: Recipe, masks: MaskSpec | None = None) -> ModelConfig:
    """That of a recipe's network; `masks` says how its masks are read, once that is known."""
    return hub_config(
        architecture=recipe.model.architecture,
        label_names=recipe.labels,
        guarded=GuardedConfig(
            format_version=FORMAT_VERSION,
            finding=recipe.finding,
            preprocess=recipe.preprocess,
            facts=ModelCardFacts(
                title=recipe.title, modality=recipe.modality, phantom=recipe.phantom
            ),
            decoder=recipe.model.decoder,
            masks=masks,
        ),
    )


def hub_config(
    *, architecture: str, label_names: tuple[str, ...], guarded: GuardedConfig
) -> ModelConfig:
    """That of a timm architecture; all that timm needs to build it is written out."""
    import timm

    spec = guarded.preprocess
    cfg = timm.get_pretrained_cfg(architecture)
    args = {} if spec.channels == 3 else {"in_chans": spec.channels}
    return ModelConfig(
        architecture=architecture,
        num_classes=len(label_names),
        label_names=label_names,
        model_args=args,
        pretrained_cfg={
            "num_classes": len(label_names),
            "input_size": [spec.channels, spec.size, spec.size],
            "fixed_input_size": False,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "mean": list(spec.mean),
            "std": list(spec.std),
            "first_conv": cfg.first_conv,
            "classifier": cfg.classifier,
        },
        neuroguard=guarded,
    )
