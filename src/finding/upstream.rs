//! What a platform itself says about a finding: that it was accepted there, or given another
//! severity. Only a policy decides whether that counts.

use chrono::{DateTime, Utc};

use super::Severity;

/// A finding that was accepted on its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    pub kind: WaiverKind,
    /// The platform's own end; `None` where it states none.
    pub until: Option<DateTime<Utc>>,
    /// Who accepted it, and why, as far as the platform states it.
    pub by: Option<Box<str>>,
    pub reason: Option<Box<str>>,
    /// Why it does not hold: it is revoked, pending, or cannot be read.
    pub fault: Option<Box<str>>,
}

/// How a platform accepts a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaiverKind {
    SysdigAcceptance,
    SysdigVulnerabilityException,
    SysdigFalsePositive,
    GravityZoneRiskAccepted,
    GravityZoneFalsePositive,
}

impl WaiverKind {
    pub const ALL: [Self; 5] = [
        Self::SysdigAcceptance,
        Self::SysdigVulnerabilityException,
        Self::SysdigFalsePositive,
        Self::GravityZoneRiskAccepted,
        Self::GravityZoneFalsePositive,
    ];

    /// The word in a policy.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SysdigAcceptance => "sysdig.acceptance",
            Self::SysdigVulnerabilityException => "sysdig.vulnerability_exception",
            Self::SysdigFalsePositive => "sysdig.false_positive",
            Self::GravityZoneRiskAccepted => "gravityzone.risk_accepted",
            Self::GravityZoneFalsePositive => "gravityzone.false_positive",
        }
    }
}

impl Waiver {
    /// One of which nothing else is known.
    pub fn new(kind: WaiverKind) -> Self {
        Self { kind, until: None, by: None, reason: None, fault: None }
    }

    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.fault.is_none() && self.until.is_none_or(|until| until > now)
    }
}

/// A severity that was changed on the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rerating {
    pub original: Severity,
    /// The one on the platform now.
    pub current: Severity,
}

impl Rerating {
    /// The one that counts by itself.
    pub fn higher(self) -> Severity {
        self.original.max(self.current)
    }
}
