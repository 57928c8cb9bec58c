//! Containers and clusters.

use super::Does::{Changes, First, OnlyWith, Reads, Unless, Verb};
use super::{Does, Program, changes, program};

const CONTAINERS: &str = "alters containers or what they are made of";
const CLUSTER: &str = "alters the cluster";
const WRITES: &str = "writes files";

pub(super) const PROGRAMS: &[Program] = &[
    program(
        "docker podman nerdctl",
        "-H -c -l -f -n --host --context --log-level --config --filter --format --tail --since --until --last --namespace --url --connection",
        Verb(DOCKER),
    ),
    program(
        "docker-compose podman-compose",
        "-f -p --file --project-name --profile --env-file --project-directory --tail",
        Verb(COMPOSE),
    ),
    program(
        "crictl",
        "-r -i -t -c -o -n --runtime-endpoint --image-endpoint --name --pod --tail",
        Verb(&[
            ("ps pods images img inspect inspecti inspectp logs stats statsp info version events", Reads),
            (
                "rm rmi rmp stop stopp start run runp create pull update checkpoint port-forward attach",
                Changes(CONTAINERS),
            ),
        ]),
    ),
    program(
        "ctr",
        "-a -n --address --namespace",
        Verb(&[
            ("version", Reads),
            (
                "containers container c images image i tasks task t namespaces snapshots",
                Verb(&[("ls list info check metrics ps", Reads), ("rm kill delete start pull", Changes(CONTAINERS))]),
            ),
        ]),
    ),
    changes("skopeo buildah", CONTAINERS),
    program(
        "kubectl oc k3s-kubectl",
        "-n -o -l -c -f -v -s -L -k --namespace --context --cluster --kubeconfig --user --token --server --as --as-group --output \
         --selector --container --field-selector --tail --since --since-time --filename --sort-by --request-timeout --template \
         --timeout --for --raw --max-log-requests --limit-bytes --chunk-size",
        Verb(KUBECTL),
    ),
    program(
        "helm",
        "-n -o -f -l --namespace --kube-context --kubeconfig --output --values --set --filter --revision --max",
        Verb(&[
            ("list ls status history hist get show inspect search version env lint verify", Reads),
            (
                "template",
                Unless(&[
                    ("--output-dir", Changes(WRITES)),
                    ("--post-renderer", Does::CannotSay("runs another program")),
                ]),
            ),
            ("repo", Verb(&[("list ls", Reads), ("add remove update index", Changes("alters helm's repositories"))])),
            ("dependency dep", Verb(&[("list ls", Reads), ("update build", Changes(WRITES))])),
            (
                "install upgrade uninstall delete rollback test push pull package create plugin registry",
                Changes(CLUSTER),
            ),
        ]),
    ),
    program(
        "nomad consul vault",
        "-address -token -namespace",
        Verb(&[
            ("status members version", Reads),
            (
                "job",
                Verb(&[
                    ("status history inspect allocs deployments", Reads),
                    ("run stop restart dispatch scale revert promote", Changes(CLUSTER)),
                ]),
            ),
            (
                "node alloc",
                Verb(&[("status logs", Reads), ("drain eligibility stop restart signal", Changes(CLUSTER))]),
            ),
            ("kv", Verb(&[("get list", Reads), ("put delete import destroy", Changes(CLUSTER))])),
        ]),
    ),
    program(
        "etcdctl",
        "--endpoints --cacert --cert --key --user -w --write-out",
        Verb(&[
            ("get version", Reads),
            ("endpoint", Verb(&[("health status hashkv", Reads)])),
            ("member", Verb(&[("list", Reads), ("add remove update promote", Changes(CLUSTER))])),
            ("alarm", Verb(&[("list", Reads), ("disarm", Changes(CLUSTER))])),
            ("put del defrag compaction move-leader snapshot", Changes(CLUSTER)),
        ]),
    ),
    program(
        "ceph",
        "-n -k -c -f --format --name --conf",
        Verb(&[
            ("status health df versions quorum_status", Reads),
            (
                "osd",
                Verb(&[
                    ("tree df stat status perf dump", Reads),
                    ("out in down set unset reweight purge", Changes(CLUSTER)),
                ]),
            ),
            ("mon pg mgr mds", Verb(&[("stat dump", Reads)])),
        ]),
    ),
    program("kubeadm", "", Verb(&[("version", Reads), ("init join reset upgrade", Changes(CLUSTER))])),
    program(
        "kustomize",
        "-o",
        First(
            &[("-o --output", Changes(WRITES))],
            &Verb(&[("build version", Reads), ("edit create", Changes(WRITES))]),
        ),
    ),
    program(
        "calicoctl",
        "",
        Verb(&[("get version", Reads), ("apply create delete replace patch label", Changes(CLUSTER))]),
    ),
    program(
        "terraform tofu",
        "",
        Verb(&[
            ("version output", Reads),
            ("show validate providers graph", Reads),
            ("apply destroy import taint untaint refresh init", Changes("alters what it manages")),
        ]),
    ),
    program(
        "ansible ansible-playbook",
        "-i -m -a -l -e -t",
        OnlyWith("--list-hosts --list-tasks --syntax-check --version", "-i -l", "does what a playbook says"),
    ),
];

const DOCKER: &[(&str, Does)] = &[
    ("ps images inspect logs stats top port version info diff history events search wait", Reads),
    (
        "container",
        Verb(&[
            ("ls list ps inspect logs stats top port diff wait", Reads),
            (
                "start stop restart kill rm run create pause unpause rename update prune cp commit attach export",
                Changes(CONTAINERS),
            ),
        ]),
    ),
    (
        "image",
        Verb(&[
            ("ls list inspect history", Reads),
            ("rm prune pull push build tag load save import", Changes(CONTAINERS)),
        ]),
    ),
    (
        "volume network",
        Verb(&[("ls list inspect", Reads), ("create rm prune connect disconnect update", Changes(CONTAINERS))]),
    ),
    ("system", Verb(&[("df info events", Reads), ("prune reset", Changes(CONTAINERS))])),
    ("service", Verb(&[("ls list ps inspect logs", Reads), ("create rm update scale rollback", Changes(CLUSTER))])),
    ("node", Verb(&[("ls ps inspect", Reads), ("rm update promote demote", Changes(CLUSTER))])),
    ("stack", Verb(&[("ls ps services config", Reads), ("deploy up rm down", Changes(CLUSTER))])),
    (
        "context secret config plugin",
        Verb(&[
            ("ls list show inspect", Reads),
            ("create rm use update import enable disable install", Changes(CONTAINERS)),
        ]),
    ),
    ("swarm", Verb(&[("ca", Reads), ("init join leave update unlock", Changes(CLUSTER))])),
    (
        "builder buildx",
        Verb(&[("du ls inspect version", Reads), ("prune build create rm use stop", Changes(CONTAINERS))]),
    ),
    ("compose", Verb(COMPOSE)),
    (
        "start stop restart kill rm rmi run create pause unpause rename update build pull push tag load save import export commit \
         cp attach login logout",
        Changes(CONTAINERS),
    ),
];

const COMPOSE: &[(&str, Does)] = &[
    ("ps logs top images version port ls events", Reads),
    ("config", Unless(&[("-o --output", Changes(WRITES))])),
    ("up down start stop restart kill rm run create pause unpause build pull push scale cp watch", Changes(CONTAINERS)),
];

const KUBECTL: &[(&str, Does)] = &[
    ("get describe logs top version api-resources api-versions explain events wait diff options", Reads),
    ("cluster-info", Verb(&[("", Reads), ("dump", Unless(&[("--output-directory", Changes(WRITES))]))])),
    ("auth", Verb(&[("can-i whoami", Reads), ("reconcile", Changes(CLUSTER))])),
    (
        "config",
        Verb(&[
            ("view get-contexts current-context get-clusters get-users", Reads),
            (
                "use-context set-context set-cluster set set-credentials unset delete-context delete-cluster rename-context",
                Changes(WRITES),
            ),
        ]),
    ),
    ("rollout", Verb(&[("status history", Reads), ("restart undo pause resume", Changes(CLUSTER))])),
    (
        "apply create delete edit patch replace scale autoscale drain cordon uncordon taint label annotate expose run set cp attach \
         port-forward proxy certificate adm",
        Changes(CLUSTER),
    ),
];
