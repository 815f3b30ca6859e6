//! Policies, controls and resources: each a pure function of its number.

use crate::ids::{hash, mix};

use super::settings::{Posture, Settings};

/// Where resources of a control are listed (GZ §4.3–4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// With the provider.
    Cloud(&'static str),
    Kube,
    ClusterAnalysis,
}

/// A control.
pub(crate) struct Control {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) family: Family,
    pub(crate) kind: &'static str,
    /// The type of its resources, as rows say it.
    pub(crate) resource_type: &'static str,
    pub(crate) manual: bool,
}

const fn control(
    id: &'static str,
    name: &'static str,
    severity: &'static str,
    family: Family,
    kind: &'static str,
    resource_type: &'static str,
) -> Control {
    Control { id, name, severity, family, kind, resource_type, manual: false }
}

const AWS: Family = Family::Cloud("AWS");
const GCP: Family = Family::Cloud("GCP");

pub(crate) const CONTROLS: &[Control] = &[
    control("16001", "S3 - Blocked Public Access", "High", AWS, "AWS_S3_BUCKET", "S3 Bucket"),
    control("16002", "S3 - Enabled Versioning", "Low", AWS, "AWS_S3_BUCKET", "S3 Bucket"),
    control("16003", "IAM - Rotated Access Keys", "Medium", AWS, "AWS_USER", "IAM User"),
    control("16004", "EC2 - Restricted SSH", "High", AWS, "AWS_SECURITY_GROUP", "Security Group"),
    control("16005", "RDS - Enabled Encryption", "Medium", AWS, "AWS_RDS_INSTANCE", "RDS Instance"),
    control(
        "17001",
        "Network - Enabled Flow Logs",
        "Low",
        GCP,
        "compute.googleapis.com/Subnetwork",
        "Subnetwork",
    ),
    control(
        "4001",
        "Container running as privileged",
        "High",
        Family::Kube,
        "workload",
        "Deployment",
    ),
    control("4002", "Missing resource limits", "Medium", Family::Kube, "workload", "Deployment"),
    control(
        "21",
        "Kubelet - Disabled Anonymous Auth",
        "High",
        Family::ClusterAnalysis,
        "host",
        "Host",
    ),
    Control {
        manual: true,
        ..control("16099", "Contact details are current", "Low", AWS, "AWS_ACCOUNT", "Account")
    },
];

/// A policy: its id, its name, and its requirements with the numbers of their controls.
pub(crate) struct Policy {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) requirements: &'static [(&'static str, &'static str, &'static [usize])],
}

pub(crate) const POLICIES: &[Policy] = &[
    Policy {
        id: "15",
        name: "CIS Example Cloud Benchmark v2",
        requirements: &[
            ("16050", "1.5 Keep buckets private", &[0, 1]),
            ("16051", "1.9 Keep contact details current", &[9]),
            ("16052", "2.1 Rotate and encrypt", &[2, 4]),
            ("16053", "5.2 Restrict \"remote\" access", &[3]),
        ],
    },
    Policy {
        id: "42",
        name: "Example Trust Criteria",
        requirements: &[
            ("42001", "CC6.1 Logical access", &[0, 2, 3, 6]),
            ("42002", "CC6.7 Data in transit and at rest", &[4, 5]),
            ("42003", "CC7.2 Capacity and hosts", &[7, 8]),
        ],
    },
];

/// A zone: its id, its name, and whether it holds every other resource only.
pub(crate) struct Zone {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    every_other: bool,
}

pub(crate) const ZONES: &[Zone] = &[
    Zone { id: "1", name: "Entire Infrastructure", every_other: false },
    Zone { id: "7", name: "Production", every_other: true },
];

impl Zone {
    pub(crate) fn holds(&self, resource: &Resource) -> bool {
        !self.every_other || resource.number.is_multiple_of(2)
    }
}

/// What is the matter with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Passed,
    Failed,
    Accepted,
    /// Accepted until yesterday.
    Expired,
    NotEvaluated,
}

/// A resource under a control.
pub(crate) struct Resource {
    pub(crate) control: usize,
    pub(crate) number: u64,
    pub(crate) state: State,
}

const REGIONS: [&str; 3] = ["eu-central-1", "us-east-1", "ap-south-1"];
const ACCOUNTS: [&str; 2] = ["122814690049", "400000000037"];

impl Resource {
    pub(crate) fn name(&self) -> String {
        let kind = CONTROLS[self.control].resource_type.to_lowercase().replace(' ', "-");
        format!("{kind}-{:03}", self.number)
    }

    /// The same resource under two controls of one kind has the same hash.
    pub(crate) fn hash(&self) -> String {
        let seed = hash(&format!("{}/{}", CONTROLS[self.control].kind, self.name()));
        format!("{:016x}{:016x}", mix(seed), mix(seed ^ 1))
    }

    pub(crate) fn account(&self) -> &'static str {
        ACCOUNTS[usize::from(self.number % 4 == 3)]
    }

    pub(crate) fn region(&self) -> &'static str {
        REGIONS[usize::try_from(self.number % 3).unwrap_or_default()]
    }

    pub(crate) fn namespace(&self) -> &'static str {
        if self.number.is_multiple_of(2) { "shop" } else { "kube-system" }
    }

    pub(crate) fn passes(&self) -> bool {
        self.state == State::Passed
    }
}

/// The resources of a control.
pub(crate) fn resources(settings: &Settings, control: usize) -> Vec<Resource> {
    let posture = &settings.posture;
    let shares = Shares::of(posture, control);
    let order = [
        (State::Failed, shares.failed),
        (State::Expired, shares.expired),
        (State::Accepted, shares.accepted),
        (State::NotEvaluated, shares.not_evaluated),
    ];
    let mut states = order
        .into_iter()
        .flat_map(|(state, count)| std::iter::repeat_n(state, usize::try_from(count).unwrap_or(0)));
    (0..posture.resources)
        .map(|number| Resource { control, number, state: states.next().unwrap_or(State::Passed) })
        .collect()
}

/// How many resources of one control are in which state.
struct Shares {
    failed: u64,
    expired: u64,
    accepted: u64,
    not_evaluated: u64,
}

impl Shares {
    fn of(posture: &Posture, control: usize) -> Self {
        let this = &CONTROLS[control];
        let alike: Vec<usize> = (0..CONTROLS.len())
            .filter(|at| CONTROLS[*at].severity == this.severity && !CONTROLS[*at].manual)
            .collect();
        let share = |count: u64| {
            let (many, at) = (alike.len() as u64, alike.iter().position(|at| *at == control));
            at.map_or(0, |at| count / many + u64::from((at as u64) < count % many))
        };
        let only = |severity: &str, count: u64| if this.severity == severity { count } else { 0 };
        Self {
            failed: share(match this.severity {
                "High" => posture.fails.high,
                "Medium" => posture.fails.medium,
                _ => posture.fails.low,
            }),
            expired: share(only("Medium", posture.expired)),
            accepted: share(only("Medium", posture.accepted)),
            not_evaluated: if this.family == Family::ClusterAnalysis {
                posture.config_errors
            } else {
                0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fail_as_the_scenario_says() {
        let mut settings = Settings::default();
        settings.posture.expired = 3;
        settings.posture.fails.high = 5;
        let count = |state: State| {
            let all = (0..CONTROLS.len()).filter(|at| !CONTROLS[*at].manual);
            let all = all.flat_map(|control| resources(&settings, control));
            all.filter(|resource| resource.state == state).count()
        };
        assert_eq!(count(State::Failed), 5 + 7 + 12);
        assert_eq!((count(State::Accepted), count(State::Expired)), (2, 3));
    }
}
