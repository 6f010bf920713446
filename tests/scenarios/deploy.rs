//! `deploy/` says what `spin.toml` says: its components, variables, jobs and schedules.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use toml_edit::DocumentMut;
use vivesphere_tests::build::repository;
use vivesphere_tests::command;

/// Set, it has the test write the files instead of comparing.
const WRITE: &str = "WRITE_DEPLOY";

fn manifest() -> DocumentMut {
    let text = std::fs::read_to_string(repository().join("spin.toml")).unwrap();
    text.parse().unwrap()
}

/// Job and schedule of each scheduled component.
fn schedules(manifest: &DocumentMut) -> Vec<(String, String)> {
    let triggers = manifest["trigger"]["cron"].as_array_of_tables().unwrap();
    let mut schedules = Vec::new();
    for trigger in triggers {
        let component = trigger["component"].as_str().unwrap();
        let job = manifest["component"][component]["variables"]["job"]
            .as_str()
            .unwrap();
        let expression = trigger["cron_expression"].as_str().unwrap();
        schedules.push((job.to_owned(), expression.to_owned()));
    }
    schedules
}

/// A schedule with seconds as Kubernetes can have it: minutes, and how many seconds lie between
/// two calls within one; nothing when one call is enough.
fn kubernetes(expression: &str) -> (String, Option<u32>) {
    let fields: Vec<&str> = expression.split(' ').collect();
    assert_eq!(fields.len(), 6, "{expression}: six fields are expected");
    let minutes = fields[1..].join(" ");
    let seconds = match fields[0] {
        "*" => Some(1),
        step if step.starts_with("*/") => Some(step[2..].parse().unwrap()),
        second => {
            let _once: u32 = second.parse().unwrap();
            None
        }
    };
    // Every second is more than a cluster's network is asked for.
    (minutes, seconds.map(|seconds| seconds.max(5)))
}

const GENERATED: &str = "# Made from spin.toml; do not edit. `WRITE_DEPLOY=1 cargo test \
    --package vivesphere-tests --test scenarios -- deploy::` writes it.\n";

const CALL: &str = "curl --silent --show-error --fail --max-time 60 --request POST \
    --variable %SERVICE_KEY --expand-header 'authorization: Bearer {{SERVICE_KEY}}'";

fn cron_jobs(manifest: &DocumentMut) -> String {
    let mut text = GENERATED.to_owned();
    text.push_str(
        "# Kubernetes wakes once a minute: what runs more often is called several times in it.\n\
         # Calls that overlap do no harm, the workers' leases decide.\n",
    );
    for (job, expression) in schedules(manifest) {
        let (schedule, seconds) = kubernetes(&expression);
        let url = format!("http://vivesphere/api/v1/jobs/{job}/run");
        let script = match seconds {
            Some(seconds) => format!(
                "i=0; failed=0; while [ $i -lt {times} ]; do {CALL} {url} || failed=1; echo; \
                 i=$((i + 1)); sleep {seconds}; done; exit $failed",
                times = 55 / seconds
            ),
            None => format!("{CALL} '{url}?budget_seconds=50'"),
        };
        write!(
            text,
            r#"---
# spin.toml: {expression}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: vivesphere-{job}
spec:
  schedule: "{schedule}"
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 30
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 0
      activeDeadlineSeconds: 120
      template:
        metadata:
          labels:
            app.kubernetes.io/component: vivesphere-job
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: call
              image: docker.io/curlimages/curl:8.11.1
              command: [sh, -c]
              args:
                - >-
                  {script}
              env:
                - name: SERVICE_KEY
                  valueFrom:
                    secretKeyRef:
                      name: vivesphere-secrets
                      key: service_key
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop: [ALL]
              resources:
                requests:
                  cpu: 10m
                  memory: 16Mi
                limits:
                  memory: 64Mi
"#
        )
        .unwrap();
    }
    text
}

/// The components that serve HTTP.
fn served(manifest: &DocumentMut) -> BTreeSet<String> {
    let triggers = manifest["trigger"]["http"].as_array_of_tables().unwrap();
    triggers
        .iter()
        .map(|trigger| trigger["component"].as_str().unwrap().to_owned())
        .collect()
}

fn spin_app(manifest: &DocumentMut) -> String {
    let mut text = GENERATED.to_owned();
    text.push_str(
        r#"apiVersion: core.spinkube.dev/v1alpha1
kind: SpinApp
metadata:
  name: vivesphere
spec:
  image: vivesphere
  executor: containerd-shim-spin
  # hpa.yaml has the number of replicas.
  enableAutoscaling: true
  # Without the scheduled ones: there is no cron trigger here, cronjobs.yaml takes its place.
  components:
"#,
    );
    for component in served(manifest) {
        writeln!(text, "    - {component}").unwrap();
    }
    text.push_str(
        r#"  checks:
    liveness:
      httpGet:
        path: /api/v1/health
      timeoutSeconds: 5
    # Not health/ready: it fails while posts are late, and the jobs that send them come through
    # ready pods only.
    readiness:
      httpGet:
        path: /api/v1/health
      initialDelaySeconds: 5
      timeoutSeconds: 5
  resources:
    requests:
      cpu: 250m
      memory: 256Mi
    limits:
      memory: 1Gi
  # deploy/runtime-config.redis-libsql.toml, filled in.
  runtimeConfig:
    loadFromSecret: vivesphere-runtime-config
  variables:
"#,
    );
    let variables = manifest["variables"].as_table().unwrap();
    for (name, variable) in variables {
        let is = |flag: &str| variable.get(flag).and_then(|item| item.as_bool()) == Some(true);
        let (kind, source) = if is("secret") {
            ("secretKeyRef", "vivesphere-secrets")
        } else if ["public_base_url", "x_client_id"].contains(&name) {
            ("configMapKeyRef", "vivesphere-settings")
        } else {
            continue;
        };
        write!(
            text,
            "    - name: {name}\n      valueFrom:\n        {kind}:\n          name: {source}\n          \
             key: {name}\n"
        )
        .unwrap();
    }
    text
}

#[test]
fn the_manifests_have_every_component_variable_job_and_schedule() {
    let manifest = manifest();
    for (file, wanted) in [
        ("deploy/spinkube/cronjobs.yaml", cron_jobs(&manifest)),
        ("deploy/spinkube/spinapp.yaml", spin_app(&manifest)),
    ] {
        let path = repository().join(file);
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "{file} is not what spin.toml says. Run `{WRITE}=1 cargo test --package \
             vivesphere-tests --test scenarios -- deploy::` and look at what has changed: {:?}",
            schedules(&manifest)
        );
    }
}

#[test]
fn a_schedule_with_seconds_becomes_calls_within_a_minute() {
    let becomes = |expression| kubernetes(expression);
    assert_eq!(becomes("*/5 * * * * *"), ("* * * * *".to_owned(), Some(5)));
    assert_eq!(becomes("* * * * * *"), ("* * * * *".to_owned(), Some(5)));
    assert_eq!(
        becomes("*/30 * * * * *"),
        ("* * * * *".to_owned(), Some(30))
    );
    assert_eq!(becomes("0 17 * * * *"), ("17 * * * *".to_owned(), None));
}

#[test]
fn secrets_are_made_once_with_private_mode_and_pass_the_settings_check() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let make = |arguments: &[&str]| {
        let script = repository().join("deploy/make-secrets");
        let mut command = Command::new(script);
        command.args(arguments).current_dir(place.path());
        command.output().unwrap()
    };
    assert!(make(&["vivesphere.env"]).status.success());
    let file = place.path().join("vivesphere.env");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!make(&["vivesphere.env"]).status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let manifest = manifest();
    let flagged = |flag: &str| -> BTreeSet<String> {
        let variables = manifest["variables"].as_table().unwrap().iter();
        variables
            .filter(|(_, variable)| variable.get(flag).is_some())
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let names = |text: &str| -> BTreeSet<String> {
        text.lines()
            .map(|line| line.split_once('=').unwrap().0.to_owned())
            .collect()
    };
    let with_prefix: BTreeSet<String> = flagged("required")
        .iter()
        .map(|name| format!("SPIN_VARIABLE_{}", name.to_uppercase()))
        .collect();
    assert_eq!(names(&text), with_prefix);
    assert!(make(&["--kubernetes", "plain.env"]).status.success());
    let plain = std::fs::read_to_string(place.path().join("plain.env")).unwrap();
    // A Secret has a key for each that spinapp.yaml takes from it.
    assert_eq!(names(&plain), flagged("secret"));
    for line in text.lines().chain(plain.lines()) {
        let (name, value) = line.split_once('=').unwrap();
        let name = name.trim_start_matches("SPIN_VARIABLE_").to_lowercase();
        let variable = vivesphere_variables::variable(&name).unwrap();
        variable
            .parse(value)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn the_host_takes_the_files_configuration_and_refuses_libsql_by_line() {
    if command::program().is_none() {
        eprintln!("skipped: Spin reads both");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let configuration = |name: &str| repository().join("deploy").join(name).display().to_string();
    let spin_toml = repository().join("spin.toml").display().to_string();
    let refused = |file: String| {
        let (spin_toml, place) = (spin_toml.clone(), place.path().to_owned());
        async move {
            let arguments = [
                "up",
                "--from",
                &spin_toml,
                "--runtime-config-file",
                &file,
                "--listen",
                "nowhere",
            ];
            command::vivesphere(&place, &[], &arguments).await
        }
    };
    let said = refused(configuration("runtime-config.redis-libsql.toml")).await;
    said.refused("the type `libsql` of `sqlite_database.default` is not supported by this host");
    // The other one is read; what is refused is the address.
    let said = refused(configuration("runtime-config.shared-files.toml")).await;
    said.refused("--listen nowhere");
}
