//! The properties that a selector can ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A property that a selector can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Framework,
    Control,
    Rule,
    Severity,
    Status,
    Resource,
    ResourceType,
    Account,
    Region,
    Actor,
    Assignee,
    Fixable,
    Cluster,
    Namespace,
    Image,
    Container,
    Host,
    Category,
    EventSource,
    Label,
    ScanGroup,
    Section,
    OlderThan,
}

impl Field {
    pub const ALL: [Self; 23] = [
        Self::Framework,
        Self::Control,
        Self::Rule,
        Self::Severity,
        Self::Status,
        Self::Resource,
        Self::ResourceType,
        Self::Account,
        Self::Region,
        Self::Actor,
        Self::Assignee,
        Self::Fixable,
        Self::Cluster,
        Self::Namespace,
        Self::Image,
        Self::Container,
        Self::Host,
        Self::Category,
        Self::EventSource,
        Self::Label,
        Self::ScanGroup,
        Self::Section,
        Self::OlderThan,
    ];

    /// The fields of a subject: all that a table of counts can be split by.
    pub const OF_SUBJECT: [Self; 7] = [
        Self::Framework,
        Self::Control,
        Self::Rule,
        Self::Severity,
        Self::ResourceType,
        Self::Account,
        Self::Region,
    ];

    /// The fields that are facets of a finding.
    pub const FACETS: [Self; 11] = [
        Self::Fixable,
        Self::Cluster,
        Self::Namespace,
        Self::Image,
        Self::Container,
        Self::Host,
        Self::Category,
        Self::EventSource,
        Self::Label,
        Self::ScanGroup,
        Self::Section,
    ];

    /// The key in a policy.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Framework => "framework",
            Self::Control => "control",
            Self::Rule => "rule",
            Self::Severity => "severity",
            Self::Status => "status",
            Self::Resource => "resource",
            Self::ResourceType => "resource_type",
            Self::Account => "account",
            Self::Region => "region",
            Self::Actor => "actor",
            Self::Assignee => "assignee",
            Self::Fixable => "fixable",
            Self::Cluster => "cluster",
            Self::Namespace => "namespace",
            Self::Image => "image",
            Self::Container => "container",
            Self::Host => "host",
            Self::Category => "category",
            Self::EventSource => "event_source",
            Self::Label => "label",
            Self::ScanGroup => "scan_group",
            Self::Section => "section",
            Self::OlderThan => "older_than",
        }
    }

    /// Whether this says *which checks* are meant. A gate whose identity selectors match nothing
    /// that was evaluated is a typo until proven otherwise.
    pub const fn is_identity(self) -> bool {
        matches!(
            self,
            Self::Framework
                | Self::Control
                | Self::Rule
                | Self::Resource
                | Self::ResourceType
                | Self::Account
                | Self::Region
                | Self::ScanGroup
                | Self::Section
                | Self::Cluster
                | Self::Namespace
                | Self::Image
                | Self::Label
        )
    }

    /// Whether a check may rightly lack it, such as a namespace: then it is `(none)`.
    pub const fn may_be_lacking(self) -> bool {
        matches!(
            self,
            Self::Label
                | Self::Namespace
                | Self::Cluster
                | Self::Container
                | Self::Host
                | Self::Fixable
        )
    }

    /// Whether checks that passed have it too. A pass has no status and no age.
    pub fn is_of_passes(self) -> bool {
        !matches!(
            self,
            Self::Status
                | Self::OlderThan
                | Self::Actor
                | Self::Assignee
                | Self::Fixable
                | Self::Container
                | Self::Host
                | Self::Category
                | Self::EventSource
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
