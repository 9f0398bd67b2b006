"""Names of the files and folders that the stages leave."""

SOURCES, PLACES = "sources.json", "places.json"  # fetch
DATASET, LOOK_ALIKES, JOINED = "dataset", "look_alikes.csv", "joined.csv"  # split
ASIDE_COUNTS = "set_aside_counts.json"  # prepare
WEIGHTS, HISTORY, METRICS = "weights.safetensors", "history.json", "metrics.jsonl"  # train
SCORES = "scores"  # calibrate
SHIPPED, UNSEEN = "shipped", "unseen"  # guard
BUNDLE = "bundle"  # export
COMMIT = "commit.json"  # publish
