//! The parameters of BigID. Every default is that of a healthy platform.

use serde::Deserialize;

/// What the simulated BigID has and does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How the token must be sent in `Authorization` (docs/platforms/bigid.md, tokens). The
    /// exchange is always raw.
    pub scheme: Scheme,
    /// Tokens that are not valid. Others that begin with `user` must be exchanged first, as must
    /// web tokens that say so; any other one is good as it is.
    pub revoked_tokens: Vec<String>,
    /// How many requests an exchanged token is good for; `null` is any number.
    pub lease_requests: Option<u32>,
    /// Whether an invalid token is refused with 200 and `success: false`
    /// (docs/platforms/bigid.md, errors and limits).
    pub denies_with_200: bool,
    /// Open cases, by severity.
    pub open: Severities,
    /// Acknowledged cases.
    pub acknowledged: Severities,
    /// Silenced cases.
    pub silenced: Severities,
    /// Finished cases: resolved, remediated and closed ones in turn.
    pub resolved: u64,
    /// More cases, with undocumented statuses or severities.
    pub undocumented: Vec<Undocumented>,
    /// The parameter that states where a page begins: `skip`, or `offset` (docs/platforms/bigid.md,
    /// listing cases).
    pub paging: Paging,
    /// The most cases in a page, whatever is asked for.
    pub largest_page: usize,
    /// Whether a request for a larger page is refused; otherwise it is answered with fewer cases.
    pub refuses_larger_pages: bool,
    /// The encoding of the parameters `filter`, `fields` and `sort`; another one is not understood.
    pub encoding: Encoding,
    /// Whether `filter` has no effect.
    pub ignore_filter: bool,
    /// Whether `fields` has no effect.
    pub ignore_fields: bool,
    /// Whether `totalCount` is missing although it was asked for.
    pub omit_total: bool,
    /// Added to `totalCount`: a total that disagrees with the cases.
    pub total_offset: i64,
    /// After this many answers no case is listed, nor counted in `totalCount`.
    pub empty_after: Option<u32>,
    /// Whether the platform lacks `cases-by-severity` (docs/platforms/bigid.md, totals).
    pub without_severities: bool,
    /// Added to each number of `cases-by-severity`.
    pub severities_offset: i64,
    /// How often a new case is inserted before a page that is not the first.
    pub inserts: u32,
    /// How often a case of the page before is removed, and another one is added at the end, before
    /// a page that is not the first.
    pub swaps: u32,
    /// Which of `id` and `_id` a case has.
    pub ids: Ids,
    /// Fields that are null in every case, such as `assignee`.
    pub null_fields: Vec<String>,
    /// Fields that no case has.
    pub absent_fields: Vec<String>,
    /// How many answers of `all-cases` are 429 without `Retry-After`, at first.
    pub throttled: u32,
    /// How many after those are a gateway's page of 502 with status 200.
    pub gateway_pages: u32,
    /// The message of `{"success": false}` with status 200, instead of any case.
    pub failure: Option<String>,
    /// The effect of changing one case.
    pub patch: Patch,
    /// The value of `{actionType}`, which is not public (docs/platforms/bigid.md, changing cases).
    pub bulk_action: String,
    /// How many of the cases that a bulk change selects are left out.
    pub bulk_loses: usize,
}

/// How many cases, by severity.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Severities {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
}

impl Severities {
    pub(crate) fn each(self) -> impl Iterator<Item = &'static str> {
        let counts = [
            ("critical", self.critical),
            ("high", self.high),
            ("medium", self.medium),
            ("low", self.low),
        ];
        counts.into_iter().flat_map(|(word, count)| (0..count).map(move |_| word))
    }
}

/// A case with an undocumented status or severity, or without one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Undocumented {
    pub status: Option<String>,
    pub severity: Option<String>,
}

/// How the token is sent in `Authorization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scheme {
    #[default]
    Raw,
    Bearer,
    Any,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Paging {
    #[default]
    Skip,
    Offset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    #[default]
    Json,
    Csv,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ids {
    #[default]
    Both,
    Id,
    Mongo,
    Neither,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Patch {
    #[default]
    Works,
    /// 500, and nothing is changed.
    Fails,
    /// 500, although the case is changed (docs/platforms/bigid.md, changing cases).
    AppliesAndFails,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scheme: Scheme::default(),
            revoked_tokens: vec!["revoked".to_owned(), "user-revoked".to_owned()],
            lease_requests: None,
            denies_with_200: false,
            open: Severities { medium: 3, low: 2, ..Severities::default() },
            acknowledged: Severities { high: 1, ..Severities::default() },
            silenced: Severities { low: 1, ..Severities::default() },
            resolved: 12,
            undocumented: Vec::new(),
            paging: Paging::default(),
            largest_page: 1000,
            refuses_larger_pages: false,
            encoding: Encoding::default(),
            ignore_filter: false,
            ignore_fields: false,
            omit_total: false,
            total_offset: 0,
            empty_after: None,
            without_severities: false,
            severities_offset: 0,
            inserts: 0,
            swaps: 0,
            ids: Ids::default(),
            null_fields: Vec::new(),
            absent_fields: Vec::new(),
            throttled: 0,
            gateway_pages: 0,
            failure: None,
            patch: Patch::default(),
            bulk_action: "update".to_owned(),
            bulk_loses: 0,
        }
    }
}

impl Settings {
    /// Whether the parameters make sense together; the error is a sentence for the scenario's
    /// author.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let counted = [self.open, self.acknowledged, self.silenced];
        let counts =
            counted.into_iter().flat_map(|each| [each.critical, each.high, each.medium, each.low]);
        // Every case is kept in memory.
        if counts.chain([self.resolved]).any(|count| count > 1_000_000) {
            return Err("bigid: at most 1000000 cases of a kind".to_owned());
        }
        if self.largest_page == 0 {
            return Err("bigid: largest_page: at least 1".to_owned());
        }
        Ok(())
    }
}
