"""Names of a revision's files, and the sentences that go wherever a result does."""

from __future__ import annotations

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
GRAPH = "model.onnx"  # the network without its weights, which it takes from WEIGHTS
DECODER_WEIGHTS = "decoder.safetensors"  # there if and only if CONFIG names a decoder
DECODER_GRAPH = "decoder.onnx"  # the same of the decoder; there if and only if GRAPH is as well
TEMPERATURE = "temperature_scaling.json"
GUARD = "domain_guard.json"
GUARD_TENSORS = "domain_guard.safetensors"
POLICY = "final_policy_config.json"
METRICS = "metrics.json"
CARD = "README.md"
GOLDEN = "golden.safetensors"
ENVIRONMENT = "env_snapshot.json"
MANIFEST = "manifest.json"
HANDLER = "handler.py"
REQUIREMENTS = "requirements.txt"
REPORTS = "reports"  # folder of plots and tables rendered from METRICS
PACKAGE = "hub_model"  # folder: this package, for Inference Endpoints

REQUIRED_FILES = (
    CONFIG,
    WEIGHTS,
    TEMPERATURE,
    GUARD,
    GUARD_TENSORS,
    POLICY,
    METRICS,
    CARD,
    GOLDEN,
    ENVIRONMENT,
    HANDLER,
    REQUIREMENTS,
)
GRAPHS = {GRAPH: WEIGHTS, DECODER_GRAPH: DECODER_WEIGHTS}  # to the only file it takes weights from
OPTIONAL_FILES = (GRAPH, DECODER_WEIGHTS, DECODER_GRAPH)
FOLDERS = (REPORTS, PACKAGE)

RESEARCH_ONLY = "Research tool. Not for clinical use."
PHANTOM_WARNING = "PHANTOM: trained on drawn images, says nothing about any patient."
