#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make_cfn_spec.py SPECIFICATION TYPE... >cfn_spec.json   What suite_template.py needs of CloudFormation's resource specification (specification.json,
as the npm package @aws-cdk/cfnspec carries it; Apache-2.0): these resource types and the property types below them."""
import json
import sys

KEEP = ("Type", "Required", "PrimitiveType", "ItemType", "PrimitiveItemType")


def properties(row):
    return {name: {k: v for k, v in p.items() if k in KEEP} for name, p in row.get("Properties", {}).items()}


def main(path, *types):
    with open(path, encoding="utf-8") as f:
        spec = json.load(f)
    out = {"version": spec["ResourceSpecificationVersion"], "resources": {}, "properties": {}}
    todo = []
    for t in sorted(types):
        row = spec["ResourceTypes"][t]
        out["resources"][t] = {"attributes": sorted(row.get("Attributes", {})), "properties": properties(row)}
        todo.append((t, out["resources"][t]["properties"]))
    while todo:
        t, props = todo.pop()
        for p in props.values():
            for name in (p.get("Type"), p.get("ItemType")):
                full = name if name == "Tag" else f"{t}.{name}"
                if name and full in spec["PropertyTypes"] and full not in out["properties"]:
                    out["properties"][full] = properties(spec["PropertyTypes"][full])
                    todo.append((t, out["properties"][full]))
    json.dump(out, sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
