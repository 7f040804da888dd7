"""The Helm chart: what `helm template` makes of it is what Kubernetes takes, and what the values say."""

import base64
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import kubernetes_validate
import yaml

import workspace

HERE = Path(__file__).resolve().parent
CHART = workspace.ROOT / "infra/helm/highwater"
FULL = HERE / "full-values.yaml"
BIN = workspace.ROOT / ".tools/bin"
HIGHWATER = os.environ.get("HIGHWATER_BINARY", str(workspace.ROOT / "target/debug/highwater"))
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema/v1.37.0-local-strict"


def helm(command, *arguments):
    # A helm that is built from source takes itself for one of Kubernetes 1.20.
    return subprocess.run([BIN / "helm", command, "--kube-version", "1.37.0", *arguments], capture_output=True, text=True, check=False)


def template(*arguments):
    answer = helm("template", "release", CHART, "--namespace", "backups", *arguments)
    if answer.returncode:
        raise AssertionError(answer.stderr)
    return [part for part in yaml.safe_load_all(answer.stdout) if part]


def of_kind(parts, kind):
    return {part["metadata"]["name"]: part for part in parts if part["kind"] == kind}


def pods(parts):
    yield from (part["spec"]["template"]["spec"] for part in of_kind(parts, "Deployment").values())
    yield from (part["spec"]["jobTemplate"]["spec"]["template"]["spec"] for part in of_kind(parts, "CronJob").values())


def environment(pod):
    return {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}


def kubeconform(parts):
    """What kubeconform says of manifests: (answer, how many are valid, invalid, not checked)."""
    with tempfile.TemporaryDirectory() as folder:
        for schema in SCHEMAS.glob("*.json"):
            if schema.name == "_definitions.json" or schema.name.split("-")[0] in {part["kind"].lower() for part in parts}:
                # They refer to each other by a server's paths; here they are in one folder.
                text = json.loads(schema.read_text().replace("/api/_definitions.json", "_definitions.json"))
                text.pop("$id")
                (Path(folder) / schema.name).write_text(json.dumps(text))
        location = folder + "/{{.ResourceKind}}{{.KindSuffix}}.json"
        command = [BIN / "kubeconform", "-strict", "-summary", "-output", "json", "-skip", "PodMonitor,PrometheusRule", "-schema-location", location]
        answer = subprocess.run(command, input=yaml.safe_dump_all(parts), capture_output=True, text=True, check=False)
    summary = json.loads(answer.stdout)["summary"]
    return answer.stdout, summary["valid"], summary["invalid"], summary["errors"]


class Chart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.default, cls.full = template(), template("--values", FULL)

    def serve(self, parts):
        (deployment,) = of_kind(parts, "Deployment").values()
        return deployment["spec"]["template"]["spec"]

    def test_helm_finds_nothing_wrong(self):
        for values in ([], ["--values", FULL]):
            answer = helm("lint", "--strict", CHART, *values)
            self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_kubernetes_takes_all_of_it(self):
        for parts, expected in ((self.default, 8), (self.full, 11)):
            answer, valid, invalid, errors = kubeconform(parts)
            self.assertEqual((valid, invalid, errors), (expected, 0, 0), answer)

    def test_a_wrong_manifest_would_be_found(self):
        (deployment,) = of_kind(self.default, "Deployment").values()
        wrong = yaml.safe_load(yaml.safe_dump(deployment).replace("replicas:", "replica:"))
        self.assertEqual(kubeconform([wrong])[1:], (0, 1, 0))

    def test_every_pod_is_confined(self):
        found = list(pods(self.full))
        self.assertEqual(len(found), 4)
        for pod in found:
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertFalse(pod["automountServiceAccountToken"])
            (container,) = pod["containers"]
            self.assertEqual(
                container["securityContext"],
                {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
            )

    def test_hosts_every_function_unless_told_otherwise(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        self.assertEqual(sorted(schema["properties"]["only"]["items"]["enum"]), workspace.hosted(), "name the function in values.schema.json")
        self.assertEqual(self.serve(self.default)["containers"][0]["args"], ["serve"])
        self.assertEqual(self.serve(self.full)["containers"][0]["args"], ["serve", "--only=segment-writer,lag-monitor"])

    def test_tells_highwater_known_settings_only(self):
        for parts in (self.default, self.full):
            config = of_kind(parts, "ConfigMap")["release-highwater"]["data"]["highwater.toml"]
            for pod in pods(parts):
                secrets = {"HIGHWATER_REDIS_URL": "redis://x", "HIGHWATER_KAFKA_SASL_PASSWORD": "x", "HIGHWATER_LISTEN_TOKEN": "0123456789abcdef"}
                told = {name: value or secrets[name] for name, value in environment(pod).items()} | {"HIGHWATER_CONFIG": config}
                answer = subprocess.run([HIGHWATER, "config", "check", "--json"], env=told, capture_output=True, text=True, check=False)
                self.assertEqual(json.loads(answer.stdout)["problems"], [])

    def test_refers_to_secrets(self):
        entries = {entry["name"]: entry for entry in self.serve(self.full)["containers"][0]["env"]}
        self.assertEqual(entries["HIGHWATER_REDIS_URL"]["valueFrom"], {"secretKeyRef": {"name": "redis", "key": "url"}})

    def test_makes_a_token_unless_it_is_told_one(self):
        def token(parts):
            return [entry for entry in self.serve(parts)["containers"][0]["env"] if entry["name"] == "HIGHWATER_LISTEN_TOKEN"]

        (secret,) = of_kind(self.default, "Secret").values()
        self.assertGreaterEqual(len(base64.b64decode(secret["data"]["token"])), 40)
        (made,), (told,) = token(self.default), token(self.full)
        self.assertEqual(made["valueFrom"]["secretKeyRef"], {"name": secret["metadata"]["name"], "key": "token"})
        self.assertEqual(told["valueFrom"]["secretKeyRef"], {"name": "console", "key": "token"})
        self.assertEqual(of_kind(self.full, "Secret"), {})

    def test_jobs_and_people_reach_the_listeners_by_their_names(self):
        for parts, more in ((self.default, []), (self.full, ["backup.example.org"])):
            services = [name for name in of_kind(parts, "Service")]
            for pod in pods(parts):
                told = environment(pod)
                allowed = told["HIGHWATER_LISTEN_ALLOWED_HOSTS"].split(",")
                for end in ("", ".backups", ".backups.svc", ".backups.svc.cluster.local"):
                    self.assertLessEqual({name + end for name in services}, set(allowed))
                self.assertLessEqual(set(more), set(allowed))

    def test_tls_reaches_listeners_probes_pushes_and_prometheus(self):
        def schemes(pod):
            return {pod["containers"][0][f"{probe}Probe"]["httpGet"]["scheme"] for probe in ("startup", "liveness", "readiness")}

        self.assertEqual((schemes(self.serve(self.default)), schemes(self.serve(self.full))), ({"HTTP"}, {"HTTPS"}))
        for pod in pods(self.full):
            told, (container,) = environment(pod), pod["containers"]
            self.assertEqual(told["HIGHWATER_LISTEN_TLS_CERTIFICATE_FILE"], "/etc/highwater/tls/tls.crt")
            self.assertEqual(told["HIGHWATER_EVENT_GATEWAY_URL"], "https://gateway.other.svc:18082")
            self.assertEqual(told["HIGHWATER_EVENT_GATEWAY_CA_FILE"], "/etc/highwater/tls/ca.crt")
            self.assertIn({"name": "tls", "mountPath": "/etc/highwater/tls", "readOnly": True}, container["volumeMounts"])
            self.assertIn({"name": "tls", "secret": {"secretName": "backup-tls"}}, pod["volumes"])
        self.assertFalse([name for pod in pods(self.default) for name in environment(pod) if "TLS" in name or "URL" in name])
        (monitor,) = of_kind(self.full, "PodMonitor").values()
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        self.assertEqual((endpoint["scheme"], endpoint["tlsConfig"]["serverName"]), ("https", "release-highwater-metrics.backups.svc"))
        self.assertEqual(endpoint["tlsConfig"]["ca"], {"secret": {"name": "backup-tls", "key": "ca.crt"}})

    def test_a_changed_file_starts_the_instances_anew(self):
        def mark(parts):
            return list(of_kind(parts, "Deployment").values())[0]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

        self.assertNotEqual(mark(self.default), mark(template("--set", "config=[metrics]\nrefresh_s = 30")))

    def test_jobs_run_when_they_are_enabled(self):
        self.assertEqual(of_kind(self.default, "CronJob"), {})
        jobs = of_kind(self.full, "CronJob")
        self.assertEqual(jobs.keys(), {"release-highwater-verify", "release-highwater-verify-deep", "release-highwater-backup"})
        self.assertEqual(jobs["release-highwater-backup"]["spec"]["schedule"], "*/5 * * * *")

    def test_alerts_are_those_of_the_file_and_name_the_job_that_is_scraped(self):
        self.assertEqual(of_kind(self.default, "PrometheusRule"), {})
        (rule,) = of_kind(self.full, "PrometheusRule").values()
        self.assertEqual(rule["spec"], yaml.safe_load((CHART / "alerts.yaml").read_text()))
        self.assertIn('job="highwater"', (CHART / "alerts.yaml").read_text())
        (monitor,) = of_kind(self.full, "PodMonitor").values()
        (deployment,) = of_kind(self.full, "Deployment").values()
        self.assertEqual(deployment["spec"]["template"]["metadata"]["labels"][monitor["spec"]["jobLabel"]], "highwater")

    def test_several_instances_are_not_all_taken_away_at_once(self):
        self.assertEqual(of_kind(self.default, "PodDisruptionBudget"), {})
        self.assertEqual(len(of_kind(self.full, "PodDisruptionBudget")), 1)

    def test_services_reach_the_ports_of_the_pods(self):
        for parts in (self.default, self.full):
            ports = {port["name"] for port in self.serve(parts)["containers"][0]["ports"]}
            services = of_kind(parts, "Service").values()
            self.assertEqual({service["spec"]["ports"][0]["targetPort"] for service in services}, ports)


class EventGateway(unittest.TestCase):
    """The values that Kannika's chart has for it."""

    def gateway(self, *settings):
        sets = [argument for setting in settings for argument in ("--set", setting)]
        parts = template(*sets)
        (deployment,) = of_kind(parts, "Deployment").values()
        return of_kind(parts, "Service"), environment(deployment["spec"]["template"]["spec"]), deployment

    def test_is_a_service_named_event_gateway_on_port_8082(self):
        services, told, _ = self.gateway()
        self.assertEqual(services["event-gateway"]["spec"]["type"], "ClusterIP")
        self.assertEqual(services["event-gateway"]["spec"]["ports"][0]["port"], 8082)
        self.assertEqual(told["HIGHWATER_LISTEN_GATEWAY"], "0.0.0.0:8082")

    def test_api_event_gateway_enabled(self):
        services, told, _ = self.gateway("api.eventGateway.enabled=false")
        self.assertNotIn("event-gateway", services)
        self.assertEqual(told["HIGHWATER_LISTEN_GATEWAY"], "off")

    def test_api_event_gateway_service(self):
        service = "api.eventGateway.service"
        services, told, deployment = self.gateway(
            f"{service}.name=gateway", f"{service}.type=NodePort", f"{service}.port=18082", f"{service}.targetPort=28082",
            f"{service}.annotations.team=data", f"{service}.labels.tier=metrics",
        )
        made = services["gateway"]
        self.assertEqual((made["spec"]["type"], made["spec"]["ports"][0]["port"]), ("NodePort", 18082))
        self.assertEqual((made["metadata"]["annotations"], made["metadata"]["labels"]["tier"]), ({"team": "data"}, "metrics"))
        self.assertEqual(told["HIGHWATER_LISTEN_GATEWAY"], "0.0.0.0:28082")
        ports = {port["name"]: port["containerPort"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
        self.assertEqual(ports["event-gateway"], 28082)

    def test_operator_event_gateway_enabled(self):
        self.assertEqual(self.gateway()[1]["HIGHWATER_EVENT_GATEWAY_ENABLED"], "true")
        _, told, _ = self.gateway("operator.config.eventGateway.enabled=false")
        self.assertEqual(told["HIGHWATER_EVENT_GATEWAY_ENABLED"], "false")
        self.assertNotIn("HIGHWATER_EVENT_GATEWAY_NAME", told)

    def test_operator_event_gateway_service(self):
        variables = ("NAME", "NAMESPACE", "PORT")
        pushes_to = lambda told: tuple(told[f"HIGHWATER_EVENT_GATEWAY_{name}"] for name in variables)
        self.assertEqual(pushes_to(self.gateway()[1]), ("event-gateway", "backups", "8082"))
        service = "operator.config.eventGateway.service"
        _, told, _ = self.gateway(f"{service}.name=progress", f"{service}.namespace=backup", f"{service}.port=80")
        self.assertEqual(pushes_to(told), ("progress", "backup", "80"))


class Values(unittest.TestCase):
    def test_that_do_not_exist_or_fit_are_refused(self):
        for wrong, told in (
            ("replica=2", "replica"),
            ("replicas=-1", "minimum"),
            ("api.eventGateway.service.prt=1", "prt"),
            ("api.eventGateway.service.port=70000", "65,535"),
            ("only={segment-writr}", "only"),
            ("jobs.verify.schedule=daily", "schedule"),
        ):
            answer = helm("template", "release", CHART, "--set", wrong)
            self.assertNotEqual(answer.returncode, 0, wrong)
            self.assertIn(told, answer.stderr)

    def test_are_each_described(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        self.assertEqual(values.keys(), schema["properties"].keys() - {"global"})

        def silent(schema, path):
            if "description" not in schema:
                yield path
            for name, part in schema.get("properties", {}).items():
                yield from silent(part, f"{path}.{name}")

        self.assertEqual(list(silent(schema, "values")), [])


if __name__ == "__main__":
    unittest.main()
