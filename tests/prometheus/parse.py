"""Reads an exposition from standard input; writes the metrics' types by name as JSON."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.type in ("counter", "gauge", "histogram"), family
    assert family.documentation, family.name
    assert family.name not in families, family.name
    families[family.name] = family.type
    buckets = {}
    for sample in family.samples:
        assert sample.value == sample.value, sample
        if sample.name.endswith("_bucket"):
            labels = dict(sample.labels)
            bound = float(labels.pop("le"))
            buckets.setdefault(tuple(sorted(labels.items())), []).append((bound, sample.value))
    for labels, series in buckets.items():
        assert series == sorted(series), (family.name, labels)
        assert series[-1][0] == float("inf"), (family.name, labels)
        values = [value for _, value in series]
        assert values == sorted(values), (family.name, labels)
json.dump(families, sys.stdout)
