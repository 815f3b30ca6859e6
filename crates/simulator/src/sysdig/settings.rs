//! The parameters of Sysdig Secure. Every default is that of a healthy platform.

use serde::Deserialize;

use super::estate::TABLE;

/// What the simulated Sysdig Secure has and does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub access: Access,
    pub posture: Posture,
    pub images: Images,
    pub events: Events,
}

/// Who may ask, and how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Access {
    /// Tokens and IBM Cloud API keys that are not valid; any other one is.
    pub revoked: Vec<String>,
    /// How long a token of IAM is good, in seconds.
    pub lease_seconds: i64,
    /// How many requests a token of IAM is good for; `null`: any number.
    pub lease_requests: Option<u64>,
    /// How many requests are answered in a span of time; `null`: any number.
    pub rate_limit: Option<RateLimit>,
}

/// A limit of requests.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimit {
    pub requests: u64,
    pub seconds: i64,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            revoked: vec!["revoked".to_owned()],
            lease_seconds: 3600,
            lease_requests: None,
            rate_limit: None,
        }
    }
}

/// Compliance results (docs/platforms/sysdig.md, compliance).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Posture {
    /// How many resources each control looks at.
    pub resources: u64,
    /// How many of them fail, by severity, over all controls of that severity.
    pub fails: Fails,
    /// How many more fail and are accepted.
    pub accepted: u64,
    /// How many more fail and were accepted until yesterday.
    pub expired: u64,
    /// How many hosts could not be evaluated.
    pub config_errors: u64,
    /// Whether every control has to be checked by hand.
    pub all_manual: bool,
    /// Whether no policy applies anywhere.
    pub no_policies: bool,
    /// The age of the newest results.
    pub evaluated_minutes_ago: i64,
    /// Whether counts of requirements are texts, as on the platform.
    pub totals_as_texts: bool,
    /// The longest page that is given, whatever was asked.
    pub largest_page: usize,
    /// How many answers about requirements have a total that is one too high, after the first.
    pub moving_totals: u64,
    /// Added to `failedControls` of every requirement.
    pub hidden_controls: u64,
    /// What replaces `/api/cspm/v1/` in the endpoints of resources.
    pub endpoint_prefix: String,
    /// Cloud accounts that are not connected any more.
    pub disconnected: Vec<String>,
    /// Cloud accounts whose posture is not evaluated.
    pub posture_off: Vec<String>,
    /// Cloud accounts that are connected and disabled.
    pub disabled: Vec<String>,
    /// Whether the inventory ignores every filter.
    pub inventory_unfiltered: bool,
    /// The severity of the first control: an undocumented one.
    pub unknown_severity: Option<String>,
}

/// How many resources fail, by severity.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fails {
    pub high: u64,
    pub medium: u64,
    pub low: u64,
}

impl Default for Posture {
    fn default() -> Self {
        Self {
            resources: 24,
            fails: Fails { high: 0, medium: 7, low: 12 },
            accepted: 2,
            expired: 0,
            config_errors: 0,
            all_manual: false,
            no_policies: false,
            evaluated_minutes_ago: 95,
            totals_as_texts: true,
            largest_page: 1000,
            moving_totals: 0,
            hidden_controls: 0,
            endpoint_prefix: "/api/cspm/v1/".to_owned(),
            disconnected: Vec::new(),
            posture_off: Vec::new(),
            disabled: Vec::new(),
            inventory_unfiltered: false,
            unknown_severity: None,
        }
    }
}

/// Scanned images (docs/platforms/sysdig.md, images).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Images {
    pub scanned: Vec<Image>,
    /// Whether the legacy scanner is missing, as on new instances.
    pub legacy_missing: bool,
    /// Added to every count of a summary of vulnerabilities.
    pub summary_offset: i64,
    /// The most vulnerabilities in a page.
    pub largest_page: usize,
    /// When the groups of the feeds were synchronised; `null`: never.
    pub feed_minutes_ago: Option<i64>,
    /// When one of the groups was, if at another time.
    pub group_minutes_ago: Option<i64>,
    /// When the feeds say that all of them was, if at another time: the scanner also says it after a
    /// group failed.
    pub full_sync_minutes_ago: Option<i64>,
    /// Whether only the documented list of scans finds images by their tags.
    pub without_anchore: bool,
}

/// An image. Its digest and its id follow from its tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Image {
    pub tag: String,
    /// Whether it was analysed yet.
    pub analysed: bool,
    /// The verdict of the policies in the list of scans, if it is not that of the evaluation.
    pub listed_as: Option<String>,
    /// How many rules were met, by the action they ask for.
    pub stops: u64,
    pub warns: u64,
    pub goes: u64,
    pub vulnerabilities: Vulnerabilities,
    /// The list of exceptions that a policy binds to it.
    pub exceptions: Vec<Exception>,
    pub evaluated_minutes_ago: i64,
}

/// An accepted vulnerability.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// Its number among those of the image, the worst first.
    pub number: u64,
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Days from today to its end; null: it has none.
    #[serde(default)]
    pub ends_in_days: Option<i64>,
}

fn enabled() -> bool {
    true
}

/// How many vulnerabilities an image has, by severity.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vulnerabilities {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub negligible: u64,
    pub unknown: u64,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            tag: "registry.example.com/shop/api:1.4".to_owned(),
            analysed: true,
            listed_as: None,
            stops: 0,
            warns: 2,
            goes: 1,
            vulnerabilities: Vulnerabilities {
                medium: 3,
                low: 9,
                negligible: 4,
                ..Default::default()
            },
            exceptions: Vec::new(),
            evaluated_minutes_ago: 40,
        }
    }
}

impl Default for Images {
    fn default() -> Self {
        let web = Image { tag: "registry.example.com/shop/web:2.0".to_owned(), ..Image::default() };
        Self {
            scanned: vec![Image::default(), web],
            legacy_missing: false,
            summary_offset: 0,
            largest_page: 100,
            feed_minutes_ago: Some(200),
            group_minutes_ago: None,
            full_sync_minutes_ago: None,
            without_anchore: false,
        }
    }
}

/// Events at run time (docs/platforms/sysdig.md, events), evenly apart, the newest first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Events {
    /// How many there are of each of the platform's numbers, 0 to 7.
    pub by_number: [u64; 8],
    /// Seconds between two of them, and between the newest and the simulator's start.
    pub every_seconds: i64,
    /// Every how many-th event was marked as a false positive; 0: none.
    pub false_positive_every: u64,
    /// Whether times and severities are numbers rather than texts.
    pub numbers: bool,
    /// The longest page that is given, whatever was asked.
    pub largest_page: usize,
    /// Whether the cursor of older events never moves.
    pub repeat_cursor: bool,
    /// Whether every cursor leads back to the newest events, and to yet another cursor.
    pub restart: bool,
    /// How many agents are connected; `null`: the platform does not say.
    pub agents: Option<u64>,
    /// Whether there was ever an event; `null`: the platform does not say.
    pub has_events: Option<bool>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            by_number: [0, 0, 0, 0, 2, 3, 12, 83],
            every_seconds: 1700,
            false_positive_every: 0,
            numbers: false,
            largest_page: 999,
            repeat_cursor: false,
            restart: false,
            agents: Some(3),
            has_events: Some(true),
        }
    }
}

impl Settings {
    /// Whether the parameters make sense together; the error is a sentence for the scenario's
    /// author.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let Posture { resources, fails, accepted, expired, config_errors, .. } = &self.posture;
        let room = |severity: &str| {
            TABLE.controls.iter().filter(|c| c.severity == severity && !c.manual).count() as u64
                * resources
        };
        for (severity, count) in [
            ("High", fails.high + config_errors),
            ("Medium", fails.medium + accepted + expired),
            ("Low", fails.low),
        ] {
            if count > room(severity) {
                return Err(format!(
                    "sysdig: posture: {count} resources of severity {severity} cannot fail; there \
                     are {}",
                    room(severity)
                ));
            }
        }
        if self.posture.largest_page == 0 || self.images.largest_page == 0 {
            return Err("sysdig: largest_page: at least 1".to_owned());
        }
        if self.events.largest_page == 0 || self.events.every_seconds <= 0 {
            return Err("sysdig: events: largest_page and every_seconds: at least 1".to_owned());
        }
        if self.access.rate_limit.is_some_and(|limit| limit.requests == 0 || limit.seconds <= 0) {
            return Err("sysdig: access.rate_limit: at least one request and one second".to_owned());
        }
        Ok(())
    }
}
