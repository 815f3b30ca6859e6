"""Runs what templates hold, as their hosts would, against the embedded platforms.

    templates.py GATE FOLDER SCENARIO=ORIGIN…

Each script or command is taken from the template's own file, with its own variables, and run in a
folder with a policy. Asserted are the exit code of each verdict, and the reports where the
template says that they are. Prints one line for each template.
"""

import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from ruamel.yaml import YAML

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "ci-templates"
EXAMPLE = "https://compliance.example.com"
TOKENS = {"OPENCOMPLY_API_KEY": "invented-opencomply", "GRAVITYZONE_API_KEY": "invented-gravityzone"}

gate, work, *given = sys.argv[1:]
origins = dict(pair.split("=", 1) for pair in given)
bin_folder = pathlib.Path(work) / "bin"
bin_folder.mkdir(parents=True, exist_ok=True)
(bin_folder / "compliance-gate").unlink(missing_ok=True)
(bin_folder / "compliance-gate").symlink_to(gate)
failures = 0


def documents(name, origin):
    """The template's documents, with the simulator in the place of the example's platform."""
    return list(YAML(typ="safe").load_all((TEMPLATES / name).read_text().replace(EXAMPLE, origin)))


def only(items, key, value):
    [found] = [item for item in items if item.get(key) == value]
    return found


def fill(text, values, pattern=r"\$\(([^)]+)\)"):
    return re.sub(pattern, lambda match: values[match[1]], str(text))


def run(command, folder, variables):
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(folder), "CI": "true", **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def digest_of_gate():
    return hashlib.sha256(pathlib.Path(gate).read_bytes()).hexdigest()


def bash(script, folder, variables):
    return run(["bash", "-e", "-o", "pipefail", "-c", script], folder, variables)


def azure(folder, origin):
    [pipeline] = documents("azure-pipelines/azure-pipelines.yml", origin)
    steps = only(pipeline["stages"], "stage", "Compliance")["jobs"][0]["steps"]
    values = {"Build.ArtifactStagingDirectory": str(folder), **TOKENS}
    # Template expressions first, then macros.
    defaults = {f"parameters.{parameter['name']}": parameter["default"] for parameter in pipeline["parameters"]}
    expand = functools.partial(fill, values=defaults, pattern=r"\$\{\{ (.*?) \}\}")
    values["reports"] = fill(expand(only(pipeline["variables"], "name", "reports")["value"]), values)
    step = only(steps, "displayName", "Compliance gate")
    variables = {name: fill(expand(value), values) for name, value in step["env"].items()}
    # The template names one token; the policy here asks two platforms.
    ended = bash(step["bash"], folder, {**TOKENS, **variables, "AGENT_TEMPDIRECTORY": str(folder), "TF_BUILD": "True"})
    warned = "Verdict: warned" in ended[1]
    assert warned == ("result=SucceededWithIssues" in ended[1]), "a pass with warnings is not reported"
    shown = only(steps, "task", "PublishTestResults@2")
    kept = only(steps, "task", "PublishBuildArtifacts@1")
    assert shown["continueOnError"] and kept["continueOnError"], "a failed upload would turn the job red"
    return *ended, [fill(shown["inputs"]["testResultsFiles"], values), fill(kept["inputs"]["PathtoPublish"], values)]


def bitbucket(folder, origin):
    [pipeline] = documents("bitbucket/bitbucket-pipelines.yml", origin)
    step = pipeline["pipelines"]["branches"]["main"][0]["stage"]["steps"][0]["step"]
    kept = [path.removesuffix("/**") for upload in step["artifacts"]["upload"] for path in upload["paths"]]
    variables = {**TOKENS, "BITBUCKET_BUILD_NUMBER": "1"}
    return *bash("\n".join(step["script"]), folder, variables), ["test-results", *kept]


def circleci(folder, origin):
    [config] = documents("circleci/config.yml", origin)
    defaults = {f"pipeline.parameters.{name}": parameter["default"] for name, parameter in config["parameters"].items()}
    job = config["jobs"]["compliance-gate"]
    variables = {name: fill(value, defaults, r"<< (.*?) >>") for name, value in job["environment"].items()}
    variables |= {"COMPLIANCE_GATE_URL": f"file://{gate}", "COMPLIANCE_GATE_SHA256": digest_of_gate(), "CIRCLECI": "true"}
    (folder / "ci").mkdir()
    shutil.copy(TEMPLATES / "shell/install-compliance-gate.sh", folder / "ci")
    steps = [step for step in job["steps"] if isinstance(step, dict)]
    commands = [step["run"]["command"] for step in steps if "run" in step]
    stored = [step["store_test_results"]["path"] for step in steps if "store_test_results" in step]
    return *bash("\n".join(commands), folder, {**TOKENS, **variables}), stored


def tekton(folder, origin):
    [task] = documents("tekton/task.yaml", origin)
    values = {f"params.{param['name']}": param.get("default", "") for param in task["spec"]["params"]}
    values |= {"params.allowed-origins": origin, "params.environment": "production"}
    [result] = task["spec"]["results"]
    values[f"results.{result['name']}.path"] = str(folder / "result")
    [step] = task["spec"]["steps"]
    assert "$(" not in step["script"], "a parameter inside the script could inject into it"
    script = folder / "script"
    script.write_text(step["script"])
    script.chmod(0o755)
    variables = {item["name"]: fill(item["value"], values) for item in step["env"]}
    code, said = run([str(script)], folder, {**TOKENS, **variables})
    assert (folder / "result").read_text() == str(code), "the result is not the exit code"
    return code, said, ["compliance-gate-reports/junit.xml"]


def job(name, folder, origin):
    """A Kubernetes Job: its container's arguments, with its ConfigMap's policy mounted."""
    config, manifest = documents(name, origin)
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    [mount] = container["volumeMounts"]
    policy = folder / "policy"
    policy.mkdir()
    for file, text in config["data"].items():
        (policy / file).write_text(text)
    arguments = [argument.replace(mount["mountPath"], str(policy)) for argument in container["args"]]
    variables = {item["name"]: item["value"] for item in container["env"]}
    return *run(["compliance-gate", *arguments], folder, {**TOKENS, **variables}), []


def pre_deploy(folder, origin):
    script = (TEMPLATES / "shell/pre-deploy.sh").read_text().replace(EXAMPLE, origin)
    (folder / "pre-deploy.sh").write_text(script)
    deploy = ["bash", "-c", "env >deployed"]
    variables = {**TOKENS, "COMPLIANCE_GATE_ENVIRONMENT": "production"}
    code, said = run(["bash", "pre-deploy.sh", *deploy], folder, variables)
    deployed = folder / "deployed"
    assert deployed.exists() == (code == 0), "deployed although the gate is red, or not although it is green"
    assert not deployed.exists() or "invented" not in deployed.read_text(), "the deploy got a token"
    return code, said, ["compliance-gate-reports/junit.xml"]


def judge(title, template, expected):
    global failures
    problems = []
    for scenario, code in expected.items():
        with tempfile.TemporaryDirectory(dir=work) as name:
            folder = pathlib.Path(name)
            policy = (ROOT / "tests/conformance/policy.yaml").read_text()
            policy = policy.replace("http://127.0.0.1:8080", origins[scenario])
            (folder / "compliance-gate.yaml").write_text(policy)
            try:
                ended, said, reports = template(folder, origins[scenario])
            except AssertionError as error:
                problems.append(f"{scenario}: {error}")
                continue
            if ended != code:
                problems.append(f"{scenario}: exit code {ended}, not {code}\n{said}")
            for report in reports:
                path = folder / report
                if not (path.is_file() or any(path.glob("**/*.xml")) or any(path.glob("**/*.json"))):
                    problems.append(f"{scenario}: nothing at {report}")
            if any(token in said for token in TOKENS.values()):
                problems.append(f"{scenario}: a token was printed")
    failures += bool(problems)
    codes = ", ".join(f"{scenario} {code}" for scenario, code in expected.items())
    print(f"{'FAILED ' if problems else 'ok     '} {title} ran: {codes}", *problems, sep="\n" if problems else "")


def checked_install():
    script = TEMPLATES / "shell/install-compliance-gate.sh"
    digest = digest_of_gate()
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = pathlib.Path(name)
        variables = {"COMPLIANCE_GATE_URL": f"file://{gate}", "COMPLIANCE_GATE_SHA256": digest[::-1]}
        refused, _ = run([str(script), "bin"], folder, variables)
        left = list((folder / "bin").iterdir())
        taken, said = run([str(script), "bin"], folder, {**variables, "COMPLIANCE_GATE_SHA256": digest})
        works, _ = run(["bin/compliance-gate", "--version"], folder, {})
        ok = (refused, left, taken, works) == (2, [], 0, 0)
    global failures
    failures += not ok
    print("ok      shell, checked install: takes what is pinned, and nothing else" if ok else f"FAILED  checked install {refused, left, taken, works}\n{said}")


VERDICTS = {"clean": 0, "healthy": 0, "blocked": 1, "inconclusive": 3}
judge("Azure Pipelines", azure, VERDICTS)
judge("Bitbucket Pipelines", bitbucket, VERDICTS)
judge("CircleCI", circleci, VERDICTS)
judge("Tekton Task", tekton, VERDICTS)
judge("pre-deploy script", pre_deploy, VERDICTS)
# These only read what a run before them found, and that is each platform's last one.
READ = {"clean": 0, "blocked": 1, "inconclusive": 3}
judge("Kubernetes Job", functools.partial(job, "kubernetes/job.yaml"), READ)
judge("Argo CD hook", functools.partial(job, "argo-cd/presync.yaml"), READ)
checked_install()
sys.exit(bool(failures))
