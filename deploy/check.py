"""Checks of deploy/ that look at several files, or at one with several documents."""

import pathlib
import sys
import tomllib

import kubernetes_validate
import yaml

FOLDER = pathlib.Path(__file__).parent / "spinkube"
# SpinApp and Kustomization have schemas of their own; the other is no resource.
OWN_SCHEMA = {"spinapp.yaml", "kustomization.yaml", "image-field.yaml"}
KUBERNETES = "1.34"

problems: list[str] = []


def documents(path: pathlib.Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def check_schema(path: pathlib.Path) -> None:
    for document in documents(path):
        name = f"{path.name}: {document.get('kind')} {document.get('metadata', {}).get('name')}"
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = "/".join(str(part) for part in error.path)
            problems.append(f"{name}: {where}: {error.message}")


def check_references() -> None:
    """What one file names, another has."""
    kustomization = documents(FOLDER / "kustomization.yaml")[0]
    resources = set(kustomization["resources"])
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "image-field.yaml"}
    if resources != there:
        problems.append(f"kustomization.yaml lists {sorted(resources)}, the folder has {sorted(there)}")
    for generator in kustomization.get("configMapGenerator", []):
        for env in generator.get("envs", []):
            keys = {line.split("=")[0] for line in (FOLDER / env).read_text().splitlines() if line}
            app = documents(FOLDER / "spinapp.yaml")[0]
            wanted = {
                variable["valueFrom"]["configMapKeyRef"]["key"]
                for variable in app["spec"]["variables"]
                if "configMapKeyRef" in variable["valueFrom"]
            }
            if keys != wanted:
                problems.append(f"{env} has {sorted(keys)}, spinapp.yaml wants {sorted(wanted)}")
    app = documents(FOLDER / "spinapp.yaml")[0]
    name = app["metadata"]["name"]
    label = {"core.spinkube.dev/app-name": name}
    target = documents(FOLDER / "hpa.yaml")[0]["spec"]["scaleTargetRef"]["name"]
    if target != name:
        problems.append(f"hpa.yaml scales {target}, the SpinApp is {name}")
    budget = documents(FOLDER / "poddisruptionbudget.yaml")[0]["spec"]["selector"]["matchLabels"]
    policy = documents(FOLDER / "networkpolicy.yaml")[0]["spec"]["podSelector"]["matchLabels"]
    for file, found in [("poddisruptionbudget.yaml", budget), ("networkpolicy.yaml", policy)]:
        if found != label:
            problems.append(f"{file} selects {found}, the SpinApp's pods are {label}")
    image = app["spec"]["image"]
    if image not in {image["name"] for image in kustomization["images"]}:
        problems.append(f"kustomization.yaml sets no image {image}")


def check_no_secret() -> None:
    """No file holds a value of what spin.toml calls a secret."""
    manifest = tomllib.loads((FOLDER.parent.parent / "spin.toml").read_text())
    secrets = {name for name, variable in manifest["variables"].items() if variable.get("secret")}
    app = documents(FOLDER / "spinapp.yaml")[0]
    for variable in app["spec"]["variables"]:
        if variable["name"] in secrets and "secretKeyRef" not in variable.get("valueFrom", {}):
            problems.append(f"spinapp.yaml gives the secret {variable['name']} as a value")
    for path in FOLDER.glob("*.yaml"):
        for document in documents(path):
            if document.get("kind") == "Secret":
                problems.append(f"{path.name} holds a Secret")


for file in sorted(FOLDER.glob("*.yaml")):
    if file.name not in OWN_SCHEMA:
        check_schema(file)
check_references()
check_no_secret()
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
