"""What the manifests say to each other: python manifests.py FOLDER WORK. Leaves the script in WORK."""

import pathlib
import sys

import yaml

folder, work = map(pathlib.Path, sys.argv[1:])
files = {file.name: list(yaml.safe_load_all(file.read_text())) for file in folder.glob("*.yaml")}


def job(file):
    return next(one for one in files[file] if one["kind"] == "Job")


def container(of):
    (only,) = of["spec"]["template"]["spec"]["containers"]
    return only


agents, coordinator = job("agents.yaml"), job("coordinator.yaml")
assert container(agents)["args"] == ["agent", "--nats", "nats://nats:4222"]
command, script, *flags = container(coordinator)["args"]
number = agents["spec"]["completions"]
assert (command, flags) == ("run", ["--agents", str(number), "--nats", "nats://nats:4222"]), flags
assert agents["spec"]["completionMode"] == "Indexed" and agents["spec"]["parallelism"] == number
assert coordinator["spec"]["backoffLimit"] == 0, "a breached threshold is no reason to run again"
assert container(agents)["image"] == container(coordinator)["image"]

# Everything that is mounted is there, and everything that the policy asks for is set.
(scripts,) = files["script.yaml"]
claim, _ = files["coordinator.yaml"]
for one in (agents, coordinator):
    pod = one["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(one)["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}, mounts
    for volume in pod["volumes"]:
        assert volume.get("configMap", {}).get("name", scripts["metadata"]["name"]) == scripts["metadata"]["name"]
        assert volume.get("persistentVolumeClaim", {}).get("claimName", claim["metadata"]["name"]) == claim["metadata"]["name"]
    labels = one["spec"]["template"]["metadata"]["labels"]
    (policy,) = files["network-policy.yaml"]
    allowed = policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert allowed.items() <= labels.items(), labels
path = pathlib.PurePosixPath(script)
assert mounts["scripts"] == str(path.parent), mounts
for name, text in scripts["data"].items():
    (work / name).write_text(text)
assert (work / path.name).exists(), path
assert files["nats-values.yaml"][0]["config"]["jetstream"]["enabled"] is True
